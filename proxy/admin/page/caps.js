// Talking to the admin API: the token, and what changes with it. The token lives in one variable of this module.

let token = "";

const dialog = document.getElementById("token");
const form = document.getElementById("token_form");

// Asks for the token; false if whoever is asked would rather not. One question at a time: the next ones wait for it.
let under_way = null;
function ask(why) {
  if (!under_way) {
    under_way = new Promise((answer) => {
      document.getElementById("token_why").textContent = why;
      form.elements.token.value = "";
      const end = (given) => {
        form.onsubmit = null;
        dialog.onclose = null;
        if (given) token = form.elements.token.value;
        form.elements.token.value = "";
        if (dialog.open) dialog.close();
        under_way = null;
        answer(given);
      };
      form.onsubmit = (event) => {
        event.preventDefault();
        if (form.elements.token.value !== "") end(true);
      };
      dialog.onclose = () => end(false);
      document.getElementById("token_cancel").onclick = () => dialog.close();
      dialog.showModal();
    });
  }
  return under_way;
}

export class api_error extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function send(method, path, body) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
    signal: AbortSignal.timeout(10000),
  });
  let document = null;
  try {
    document = await answer.json();
  } catch {
    // not JSON: the status has to do
  }
  if (answer.ok) return document;
  throw new api_error(answer.status, document && document.error ? document.error : `the proxy answered ${answer.status}`);
}

async function with_token(method, path, body, why) {
  for (;;) {
    try {
      return await send(method, path, body);
    } catch (error) {
      if (error.status !== 401 && error.status !== 403) throw error;
      token = "";
      if (!await ask(error.status === 403 ? "That token was refused." : why)) throw error;
    }
  }
}

export function read(path) {
  return with_token("GET", path, undefined, "This listener is not on loopback, so looking needs the token too.");
}

// Something that may not be served by this proxy: null then.
export async function read_if_there(path) {
  try {
    return await read(path);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

export async function set_cap(wanted) {
  if (!token && !await ask("A change needs the admin token.")) throw new api_error(401, "nothing was changed");
  return with_token("POST", "/api/v1/caps", wanted, "A change needs the admin token.");
}

export async function lift_cap(client) {
  if (!token && !await ask("A change needs the admin token.")) throw new api_error(401, "nothing was changed");
  return with_token("DELETE", `/api/v1/caps/${encodeURIComponent(client)}`, undefined, "A change needs the admin token.");
}
