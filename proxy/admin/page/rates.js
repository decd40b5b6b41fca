// Counters into rates: what two answers of /api/v1/live say about the time between them. No document, no clock.

export const POINTS_MAX = 900;

const CLIENT_FIELDS = ["writes", "bytes", "without_ttl", "connections_opened", "delayed", "rejected", "observed"];
const PATTERN_FIELDS = ["writes", "bytes", "without_ttl", "injected", "capped"];
const LIMIT_FIELDS = ["delayed", "rejected", "observed"];

// What was added to each row's counters; a row that was not there before, or was reset, counts from zero.
function growth(rows, before, key, fields) {
  const grown = new Map();
  for (const row of rows) {
    const old = before.get(row[key]);
    const change = {};
    for (const field of fields) {
      const from = old && old[field] <= row[field] ? old[field] : 0;
      change[field] = row[field] - from;
    }
    grown.set(row[key], change);
  }
  return grown;
}

function by(rows, key) {
  return new Map(rows.map((row) => [row[key], row]));
}

export class history {
  constructor() {
    this.points = [];  // oldest first; of each: at, seconds, what clients, patterns and limits added
    this.memory = [];  // of each answer: at, used, most
    this.last = null;
  }

  // True if it gave a point: the first answer, and the first after a restart of the proxy, only set the mark.
  take(answer) {
    const before = this.last;
    if (before && answer.at <= before.at) return false;
    this.last = answer;
    this.memory.push({ at: answer.at, used: answer.upstream.used_bytes, most: answer.upstream.max_bytes });
    if (this.memory.length > POINTS_MAX) this.memory.shift();
    if (!before || before.started_at !== answer.started_at) return false;
    this.points.push({
      at: answer.at,
      seconds: (answer.at - before.at) / 1000,
      clients: growth(answer.clients, by(before.clients, "client"), "client", CLIENT_FIELDS),
      patterns: growth(answer.patterns, by(before.patterns, "pattern"), "pattern", PATTERN_FIELDS),
      limits: growth(answer.limits, by(before.limits, "name"), "name", LIMIT_FIELDS),
    });
    if (this.points.length > POINTS_MAX) this.points.shift();
    return true;
  }

  // The rate of each name over the last `seconds`: Map name -> {field: a second}.
  recent(kind, seconds) {
    const sums = new Map();
    let span = 0;
    for (let i = this.points.length - 1; i >= 0 && span < seconds; --i) {
      const point = this.points[i];
      span += point.seconds;
      for (const [name, change] of point[kind]) {
        const sum = sums.get(name);
        if (!sum) sums.set(name, { ...change });
        else for (const field in change) sum[field] += change[field];
      }
    }
    if (span > 0) for (const sum of sums.values()) for (const field in sum) sum[field] /= span;
    return sums;
  }

  // The names with the largest growth of `field` in what is kept, at most `count`; none that added nothing.
  largest(kind, field, count) {
    const sums = new Map();
    for (const point of this.points) {
      for (const [name, change] of point[kind]) {
        if (change[field] > 0) sums.set(name, (sums.get(name) || 0) + change[field]);
      }
    }
    return [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, count).map(([name]) => name);
  }
}

// A series each for `names`, and one for the rest: [{name, values}], `of` tells what a change is worth.
export function stacked(points, kind, names, of) {
  const chosen = new Set(names);
  const series = names.map((name) => ({
    name, values: points.map((point) => (point[kind].has(name) ? of(point[kind].get(name), point) : 0)),
  }));
  const rest = points.map((point) => {
    let sum = 0;
    for (const [name, change] of point[kind]) if (!chosen.has(name)) sum += of(change, point);
    return sum;
  });
  if (rest.some((value) => value > 0)) series.push({ name: "all others", values: rest, rest: true });
  return series;
}

// Points gathered in spans of `seconds` that begin at whole multiples of it, so that a bar does not change once drawn.
export function gathered(points, kind, field, seconds) {
  const spans = [];
  for (const point of points) {
    const at = Math.floor(point.at / 1000 / seconds) * seconds * 1000;
    let span = spans[spans.length - 1];
    if (!span || span.at !== at) spans.push(span = { at, [kind]: new Map() });
    for (const [name, change] of point[kind]) {
      const sum = span[kind].get(name);
      if (sum) sum[field] += change[field];
      else span[kind].set(name, { [field]: change[field] });
    }
  }
  return spans;
}

// --- how figures are written

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function number_text(value) {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 10) return String(Math.round(value * 10) / 10);
  return grouped.format(value);
}

export function bytes_text(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    ++unit;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} ${units[unit]}`;
}

export function percent_text(part, whole) {
  return whole > 0 ? `${(100 * part / whole).toFixed(1)} %` : "–";
}

// Beyond a multiple of all there is, more digits tell nothing.
export function share_text(percent) {
  return percent > 1000 ? "over 1,000 %" : `${percent.toFixed(1)} %`;
}

export function seconds_text(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 600) return `${Math.round(seconds / 6) / 10} min`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 360) / 10} h`;
}
