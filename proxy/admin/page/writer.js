// One writer in a dialog: what it writes, from where, what held it; and the form that caps or blocks it.

import { read, set_cap } from "./caps.js";
import { bytes_text, number_text, percent_text } from "./rates.js";
import { update_table } from "./tables.js";

const dialog = document.getElementById("writer");
const form = document.getElementById("cap_form");
const message = document.getElementById("cap_message");

let shown = null;  // the client's name
let changed = () => {};

export function on_change(call) {
  changed = call;
}

export function open_writer(client) {
  shown = client;
  document.getElementById("writer_title").textContent = client;
  document.getElementById("writer_summary").textContent = "…";
  for (const id of ["writer_patterns", "writer_sources", "writer_limits"]) document.getElementById(id).replaceChildren();
  say("", false);
  form.reset();
  match_action();
  dialog.showModal();
  return refresh_writer();
}

function say(text, good) {
  message.textContent = text;
  message.className = good ? "good" : "bad";
}

export async function refresh_writer() {
  if (!dialog.open || shown === null) return;
  const client = shown;
  const answer = await read(`/api/v1/clients?client=${encodeURIComponent(client)}`);
  if (client !== shown) return;
  document.getElementById("writer_summary").textContent =
    `${number_text(answer.writes)} writes, ${bytes_text(answer.bytes)} since start; ` +
    `${percent_text(answer.without_ttl, answer.writes)} left without a TTL; ` +
    `${number_text(answer.connections)} connections open, ${number_text(answer.connections_opened)} opened.`;
  update_table(document.getElementById("writer_patterns"), ["Pattern", "Command", "Writes", "Bytes", "Without TTL"],
    answer.writes_by.map((row) => ({
      key: `${row.command} ${row.pattern}`,
      cells: [row.pattern, row.command, number_text(row.writes), bytes_text(row.bytes), number_text(row.without_ttl)],
    })));
  const sources = answer.sources || [];
  document.getElementById("writer_sources_none").hidden = sources.length > 0;
  if (sources.length) {
    update_table(document.getElementById("writer_sources"), ["Address", "Writes", "Bytes", "Connections", "Opened"],
      sources.map((row) => ({ key: row.address, cells: [row.address, number_text(row.writes), bytes_text(row.bytes),
        number_text(row.connections), number_text(row.connections_opened)] })));
  }
  document.getElementById("writer_limits_none").hidden = answer.limits.length > 0;
  if (answer.limits.length) {
    update_table(document.getElementById("writer_limits"), ["Rule", "Delayed", "Rejected", "Observed"],
      answer.limits.map((row) => ({ key: row.name, cells: [row.name, number_text(row.delayed), number_text(row.rejected),
        number_text(row.observed)] })));
  }
}

function match_action() {
  const blocks = form.elements.action.value === "block";
  for (const label of form.querySelectorAll(".cap_only")) label.hidden = blocks;
}

for (const radio of form.elements.action) radio.addEventListener("change", match_action);
document.getElementById("writer_close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  shown = null;
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = (name) => form.elements[name].value.trim() || null;
  const blocks = form.elements.action.value === "block";
  const wanted = {
    client: shown, action: blocks ? "block" : "cap", rate: blocks ? null : field("rate"),
    bytes: blocks ? null : field("bytes"), key: field("key"), for: field("for"), why: field("why") || "",
  };
  if (!blocks && !wanted.rate && !wanted.bytes) {
    say("Say how many writes or bytes: 500/s, 150KiB/s.", false);
    form.elements.rate.focus();
    return;
  }
  if (!wanted.for) {
    say("Say for how long: 30m.", false);
    form.elements.for.focus();
    return;
  }
  try {
    const cap = await set_cap(wanted);
    const until = cap && cap.until ? ` until ${new Date(cap.until).toLocaleTimeString()}` : "";
    say(blocks ? `Blocked${until}.` : `Capped${until}.`, true);
    changed();
  } catch (error) {
    say(`Not done: ${error.message}`, false);
  }
});
