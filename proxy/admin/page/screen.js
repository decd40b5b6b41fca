// The page: asks every second and a half what is going on, and shows it. Everything that draws is told, never asks.

import { lift_cap, read, read_if_there } from "./caps.js";
import { memory_plot, time_plot, ttl_plot } from "./charts.js";
import { bytes_text, gathered, history, number_text, percent_text, seconds_text, share_text, stacked } from "./rates.js";
import { update_rows, update_table } from "./tables.js";
import { on_change, open_writer, refresh_writer } from "./writer.js";

const POLL_MS = 1500;
const RATE_SECONDS = 5;   // what the tables average over
const DRAWN = 5;          // names with a series of their own
const PATTERNS_DRAWN = 8;
const OPENED_SECONDS = 10;
const SOON_SECONDS = 900;

const kept = new history();
let forecast = null, caps = null, unit = "writes", paused = false, failed = "";

const element = (id) => document.getElementById(id);
function put(id, text) {
  const at = element(id);
  if (at.textContent !== text) at.textContent = text;
}

const plots = {
  writes: new time_plot("plot_writes", number_text),
  memory: new memory_plot("plot_memory"),
  opened: new time_plot("plot_opened", number_text, "bar", OPENED_SECONDS),
  ttl: new ttl_plot("plot_ttl"),
  limits: new time_plot("plot_limits", number_text),
};

// --- figures and alerts

function sum(rates, field) {
  let all = 0;
  for (const rate of rates.values()) all += rate[field];
  return all;
}

function held_of(rate) {
  return rate.delayed + rate.rejected;
}

function show_figures(now, clients, patterns) {
  const { used_bytes: used, max_bytes: most, keys, keys_with_ttl: timed } = now.upstream;
  put("figure_memory", used === null ? "not known" : most ? percent_text(used, most) : bytes_text(used));
  put("figure_memory_note", used !== null && most ? `${bytes_text(used)} of ${bytes_text(most)}` : "");
  const level = used !== null && most ? used / most : 0;
  element("figure_memory").className = level >= 0.85 ? "bad" : level >= 0.7 ? "warn" : "";
  const guess = forecast && forecast.known;
  put("figure_forecast", guess && forecast.peak_percent !== null ? share_text(forecast.peak_percent) : "–");
  put("figure_forecast_note", guess ? "peak of what is being written" : forecast && forecast.why_unknown || "not known yet");
  put("figure_writes", `${number_text(sum(clients, "writes"))}/s`);
  put("figure_writes_note", `${number_text([...clients.values()].filter((rate) => rate.writes > 0).length)} clients write`);
  put("figure_bytes", `${bytes_text(sum(clients, "bytes"))}/s`);
  put("figure_bytes_note", `by ${number_text(now.clients.reduce((all, row) => all + row.connections, 0))} connections`);
  put("figure_ttl", `${number_text(Math.max(0, sum(clients, "without_ttl") - sum(patterns, "injected")))}/s`);
  put("figure_ttl_note", keys ? `${percent_text(keys - timed, keys)} of ${number_text(keys)} keys have none` : "");
  put("figure_held", `${number_text(sum(clients, "delayed") + sum(clients, "rejected"))}/s`);
  put("figure_held_note", `${number_text(sum(clients, "rejected"))}/s refused`);
}

// Texts without a moving number, so that a screen reader hears each once.
function alerts_of(now) {
  if (failed) return [`No answer from the proxy: ${failed}`];
  if (!now) return [];
  const found = [];
  if (!now.ready) found.push(`Not ready: ${now.reason}`);
  else if (!now.upstream.up) found.push("The upstream cannot be reached.");
  else if (now.upstream.info_stale) found.push("The upstream has told nothing of its memory for five seconds.");
  const { used_bytes: used, max_bytes: most } = now.upstream;
  const level = used !== null && most ? used / most : 0;
  if (level >= 0.85) found.push("Memory is above 85 %.");
  else if (level >= 0.7) found.push("Memory is above 70 %.");
  else if (level >= 0.6) found.push("Memory is above 60 %.");
  const due = forecast && forecast.known && forecast.seconds_to ? forecast.seconds_to : {};
  for (const percent of ["100", "85", "70"]) {
    if (due[percent] > 0 && due[percent] < SOON_SECONDS) {
      found.push(`At this rate memory reaches ${percent} % within a quarter of an hour.`);
      break;
    }
  }
  return found;
}

function show_alerts(now) {
  const texts = alerts_of(now);
  const box = element("alerts");
  const present = new Map([...box.children].map((each) => [each.textContent, each]));
  for (const text of texts) {
    if (present.delete(text)) continue;
    const line = document.createElement("p");
    line.textContent = text;
    box.append(line);
  }
  for (const gone of present.values()) gone.remove();
  const state = failed ? ["no answer", "bad"] : paused ? ["paused", "warn"] : texts.length ? ["attention", "warn"] : ["live", "good"];
  put("state", state[0]);
  element("state").className = `badge ${state[1]}`;
}

// --- tables

function name_button(key, text) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "name";
  made.textContent = text;
  made.title = text;
  made.addEventListener("click", () => open_writer(key).catch(note_failure));
  return made;
}

function show_writers(now, clients) {
  const all = sum(clients, "bytes");
  const rate_of = (row) => clients.get(row.client) || { writes: 0, bytes: 0, without_ttl: 0, delayed: 0, rejected: 0, connections_opened: 0 };
  const rows = [...now.clients].sort((a, b) => rate_of(b).bytes - rate_of(a).bytes || b.bytes - a.bytes);
  update_rows(element("writers_rows"), rows.map((row) => {
    const rate = rate_of(row);
    return { key: row.client, cells: [row.client, percent_text(rate.bytes, all), number_text(rate.writes),
      bytes_text(rate.bytes), number_text(rate.without_ttl), number_text(held_of(rate)), number_text(row.connections),
      number_text(rate.connections_opened * 60)] };
  }), name_button);
  put("writers_left_out", now.left_out.clients ? `${now.left_out.clients} more clients are not shown.` : "");
}

// What a write was sent without is not what its key was left without: a rule may have given it one right then.
function coverage(row) {
  const without = Math.max(0, row.without_ttl - row.injected);
  return { name: row.pattern, own: 100 * (row.writes - row.without_ttl) / row.writes,
    given: 100 * (row.without_ttl - without) / row.writes, without: 100 * without / row.writes };
}

function show_ttl(now, patterns) {
  const rows = now.patterns.filter((row) => row.writes > 0);
  const largest = [...rows].sort((a, b) => b.writes - a.writes).slice(0, PATTERNS_DRAWN).map(coverage);
  plots.ttl.show(largest, largest.map((row) => `${row.name}: ${row.without.toFixed(1)} % left without a TTL`).join("; ") || "No writes yet.");
  update_table(element("table_ttl"), ["Pattern", "Writes", "Sent without TTL", "Now/s", "TTLs given", "TTLs cut", "Left without"],
    rows.map((row) => ({ key: row.pattern, cells: [row.pattern, number_text(row.writes), number_text(row.without_ttl),
      number_text((patterns.get(row.pattern) || { without_ttl: 0 }).without_ttl), number_text(row.injected),
      number_text(row.capped), `${coverage(row).without.toFixed(1)} %`] })));
}

function show_limits(now) {
  const rates = kept.recent("limits", RATE_SECONDS);
  const names = [...rates.keys()].filter((name) => kept.points.some((point) => point.limits.has(name) && held_of(point.limits.get(name)) > 0))
    .slice(0, DRAWN + 1);
  const times = kept.points.map((point) => point.at);
  plots.limits.show(stacked(kept.points, "limits", names, (change, point) => held_of(change) / point.seconds), times, now.at,
    names.map((name) => `${name}: ${number_text(held_of(rates.get(name)))} a second`).join("; ") || "No limit holds anybody.");
  update_table(element("table_limits"), ["Rule", "For", "Rate now", "Action", "Delayed", "Rejected", "Would have held"],
    now.limits.map((row) => ({ key: row.name, cells: [row.name, row.in_force ? row.client || "everybody" : "–",
      row.in_force ? `${row.cost === "byte" ? bytes_text(row.rate_now) : number_text(row.rate_now)}/s` : "lifted",
      row.in_force ? row.action : "–", number_text(row.delayed), number_text(row.rejected), number_text(row.observed)] })));
}

function cap_text(cap) {
  const what = cap.action === "block" ? "blocked" :
    `capped at ${[cap.rate, cap.bytes].filter(Boolean).join(" and ")}`;
  return ` ${what}${cap.key ? ` for ${cap.key}` : ""}, ${seconds_text(cap.seconds_left)} left` +
    `${cap.who ? `, by ${cap.who}` : ""}${cap.why ? `: ${cap.why}` : ""}` +
    ` (${number_text(cap.delayed)} delayed, ${number_text(cap.rejected)} refused)`;
}

function show_caps() {
  const list = element("caps");
  const rows = caps ? caps.caps : [];
  const present = new Map([...list.children].map((each) => [each.dataset.key, each]));
  for (const cap of rows) {
    const key = `${cap.client}\n${cap.key || ""}`;
    let line = present.get(key);
    present.delete(key);
    if (!line) {
      line = document.createElement("li");
      line.dataset.key = key;
      const text = document.createElement("p");
      const name = document.createElement("strong");
      name.textContent = cap.client;
      text.append(name, document.createElement("span"));
      const lift = document.createElement("button");
      lift.type = "button";
      lift.textContent = "Lift";
      lift.setAttribute("aria-label", `Lift the cap on ${cap.client}`);
      lift.addEventListener("click", () => lift_cap(cap.client).then(poll_caps).catch(note_failure));
      line.append(text, lift);
      list.append(line);
    }
    const text = line.querySelector("span");
    if (text.textContent !== cap_text(cap)) text.textContent = cap_text(cap);
  }
  for (const gone of present.values()) gone.remove();
  element("caps_none").hidden = rows.length > 0;
}

// --- plots

function show_writes(now, clients) {
  const names = kept.largest("clients", unit, DRAWN);
  const text = unit === "bytes" ? bytes_text : number_text;
  plots.writes.text = text;
  const times = kept.points.map((point) => point.at);
  const most = [...clients].sort((a, b) => b[1][unit] - a[1][unit]).slice(0, DRAWN);
  plots.writes.show(stacked(kept.points, "clients", names, (change, point) => change[unit] / point.seconds), times, now.at,
    most.map(([name, rate]) => `${name}: ${text(rate[unit])} a second`).join("; ") || "Nobody writes.");
  update_table(element("table_writes"), ["Client", "Writes/s", "Bytes/s"],
    [...clients].sort((a, b) => b[1].bytes - a[1].bytes).map(([name, rate]) => ({ key: name, cells: [name,
      number_text(rate.writes), bytes_text(rate.bytes)] })));
}

function show_memory(now) {
  const used = kept.memory.filter((point) => point.used !== null && point.most)
    .map((point) => ({ at: point.at, percent: 100 * point.used / point.most }));
  const last = used[used.length - 1];
  const guess = [];
  let words = "The forecast is not known yet.";
  if (forecast && forecast.known && last && forecast.peak_percent !== null) {
    const peak_in = Math.max(1, (Date.parse(forecast.peak_at) || Number(forecast.peak_at) || now.at) / 1000 - now.at / 1000);
    guess.push({ in_seconds: 0, percent: last.percent }, { in_seconds: peak_in, percent: forecast.peak_percent });
    words = `Forecast: a peak of ${share_text(forecast.peak_percent)} in ${seconds_text(peak_in)}`;
    if (forecast.if_it_goes_on) words += `; ${share_text(forecast.if_it_goes_on.peak_percent)} if it goes on`;
    if (forecast.if_it_stops_now) words += `, ${share_text(forecast.if_it_stops_now.peak_percent)} if it stops now`;
    words += ".";
  } else if (forecast && forecast.why_unknown) {
    words = `The forecast is not known yet: ${forecast.why_unknown}.`;
  }
  if (!last) words = `Memory is not known${now.upstream.used_bytes === null ? "" : " as a share: the upstream has no maxmemory"}. ${words}`;
  plots.memory.show(used, guess, now.at, words);
  const due = forecast && forecast.known ? forecast.seconds_to : {};
  update_table(element("table_memory"), ["Figure", "Value"], [
    ["Used", bytes_text(now.upstream.used_bytes)], ["Of", bytes_text(now.upstream.max_bytes)],
    ["Keys", number_text(now.upstream.keys)], ["Keys with TTL", number_text(now.upstream.keys_with_ttl)],
    ["Evicted", number_text(now.upstream.evicted_keys)],
    ...["70", "85", "100"].map((percent) => [`Time to ${percent} %`, forecast && forecast.known ? seconds_text(due[percent]) : "not known yet"]),
    ["Time back under 70 %", forecast && forecast.known ? seconds_text(forecast.seconds_back) : "not known yet"],
  ].map((cells) => ({ key: cells[0], cells })));
}

function show_opened(now) {
  const spans = gathered(kept.points, "clients", "connections_opened", OPENED_SECONDS);
  const names = kept.largest("clients", "connections_opened", DRAWN);
  const series = stacked(spans, "clients", names, (change) => change.connections_opened);
  plots.opened.show(series, spans.map((span) => span.at), now.at,
    names.length ? `Most connections were opened by ${names.join(", ")}.` : "No connection was opened.");
  update_table(element("table_opened"), ["Client", "Open", "Opened since start"],
    now.clients.map((row) => ({ key: row.client, cells: [row.client, number_text(row.connections), number_text(row.connections_opened)] })));
}

// --- the turn

function show() {
  const now = kept.last;
  show_alerts(now);
  if (!now) return;
  put("instance", now.instance);
  put("build", `${now.version}, configuration ${now.generation}`);
  const clients = kept.recent("clients", RATE_SECONDS);
  const patterns = kept.recent("patterns", RATE_SECONDS);
  show_figures(now, clients, patterns);
  show_writers(now, clients);
  show_writes(now, clients);
  show_memory(now);
  show_opened(now);
  show_ttl(now, patterns);
  show_limits(now);
  show_caps();
}

function note_failure(error) {
  failed = error.message || String(error);
  show_alerts(kept.last);
}

async function poll_caps() {
  caps = await read_if_there("/api/v1/caps");
  show_caps();
}

async function poll() {
  try {
    const answer = await read("/api/v1/live");
    [forecast, caps] = await Promise.all([read_if_there("/api/v1/forecast"), read_if_there("/api/v1/caps")]);
    kept.take(answer);
    await refresh_writer();
    failed = "";
  } catch (error) {
    failed = error.name === "TimeoutError" ? "it takes too long" : error.message;
  }
  show();
}

// One after the other: a proxy that answers slowly is not asked twice at once.
async function run() {
  for (;;) {
    if (!paused && !document.hidden) await poll();
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
}

element("pause").addEventListener("click", () => {
  paused = !paused;
  element("pause").setAttribute("aria-pressed", String(paused));
  show_alerts(kept.last);
});
for (const radio of document.querySelectorAll("input[name=unit]")) {
  radio.addEventListener("change", () => {
    unit = radio.value;
    show();
  });
}
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const each of Object.values(plots)) each.paint();
  show();
});
on_change(() => poll_caps().catch(note_failure));
run();
