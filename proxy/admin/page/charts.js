// The plots. Each takes series that are ready to draw; colours come from the style sheet, so that light and dark are
// told apart in one place.

import { seconds_text } from "./rates.js";

const SLOTS = 6;  // as many series have a colour of their own
const WINDOW_SECONDS_MIN = 120;
const STEPS = [30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400];
const TICKS_MAX = 5;

function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// A name keeps its colour as long as it is drawn.
class palette {
  constructor() {
    this.taken = new Map();
  }
  assign(names) {
    for (const name of [...this.taken.keys()]) if (!names.includes(name)) this.taken.delete(name);
    for (const name of names) {
      if (this.taken.has(name)) continue;
      const used = new Set(this.taken.values());
      let slot = 1;
      while (used.has(slot)) ++slot;
      this.taken.set(name, slot);
    }
  }
  colour(series) {
    return ink(series.rest ? "--rest" : `--series-${(this.taken.get(series.name) - 1) % SLOTS + 1}`);
  }
}

function ago(seconds) {
  if (Math.abs(seconds) < 1) return "now";
  return seconds < 0 ? `−${seconds_text(-seconds)}` : `+${seconds_text(seconds)}`;
}

function base(type, scales, options = {}) {
  return {
    type,
    data: { labels: [], datasets: [] },
    options: {
      animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true,
      interaction: { mode: "nearest", axis: "x", intersect: false },
      plugins: { legend: { position: "bottom", labels: { boxWidth: 12, boxHeight: 12 } }, ...options.plugins },
      scales,
      ...options.options,
    },
  };
}

function time_axis() {
  return { type: "linear", ticks: { callback: ago, maxRotation: 0 }, grid: { display: false }, offset: false };
}

function value_axis(text) {
  return { beginAtZero: true, stacked: true, ticks: { callback: text, maxTicksLimit: 6 } };
}

// Of one plot: the chart, its colours, and what it says of a value.
class plot {
  constructor(id, configuration, text) {
    this.canvas = document.getElementById(id);
    this.palette = new palette();
    this.text = text;
    const tooltip = {
      callbacks: {
        title: (items) => (items.length ? this.title(items[0]) : ""),
        label: (item) => `${item.dataset.label}: ${this.text(item.parsed[this.value_key()])}`,
      },
    };
    configuration.options.plugins.tooltip = { ...configuration.options.plugins.tooltip, ...tooltip };
    this.chart = new window.Chart(this.canvas, configuration);
    this.paint();
  }
  title(item) {
    return ago(item.parsed.x);
  }
  value_key() {
    return "y";
  }
  paint() {
    const text = ink("--quiet"), line = ink("--line");
    this.chart.options.plugins.legend.labels.color = text;
    for (const axis of Object.values(this.chart.options.scales)) {
      axis.ticks.color = text;
      axis.grid = { ...axis.grid, color: line, borderColor: line };
    }
  }
  draw(datasets, words) {
    this.chart.data.datasets = datasets;
    this.chart.update("none");
    const description = document.getElementById(`${this.canvas.id}_words`);
    if (description.textContent !== words) description.textContent = words;
  }
}

// The axis begins and ends at whole steps, so that its ticks are round times before and after now.
function fit_time(axis, times, now, ahead) {
  const span = Math.max(WINDOW_SECONDS_MIN, times.length ? (now - times[0]) / 1000 : 0);
  const step = STEPS.find((each) => (span + ahead) / each <= TICKS_MAX) || STEPS[STEPS.length - 1];
  axis.min = -Math.ceil(span / step) * step;
  axis.max = Math.ceil(ahead / step) * step;
  axis.ticks.stepSize = step;
  return axis;
}

export class time_plot extends plot {
  // kind: "line" (stacked areas) or "bar" (stacked bars, each `width` seconds wide)
  constructor(id, text, kind = "line", width = 0) {
    const x = time_axis();
    if (kind === "bar") x.stacked = true;
    super(id, base(kind, { x, y: value_axis(text) }), text);
    this.kind = kind;
    this.width = width;
  }
  // series: as from stacked(); times: Unix ms of each value
  show(series, times, now, words) {
    this.palette.assign(series.filter((each) => !each.rest).map((each) => each.name));
    fit_time(this.chart.options.scales.x, times, now, 0);
    this.chart.options.scales.y.ticks.callback = this.text;
    const shift = this.width * 500;
    this.draw(series.map((each) => {
      const colour = this.palette.colour(each);
      return {
        label: each.name, borderColor: colour, borderWidth: this.kind === "bar" ? 0 : 1.5, pointRadius: 0, fill: "stack",
        backgroundColor: this.kind === "bar" ? colour : `${colour}55`,
        data: each.values.map((y, index) => ({ x: (times[index] + shift - now) / 1000, y })),
      };
    }), words);
  }
}

export class memory_plot extends plot {
  constructor(id) {
    const y = { min: 0, max: 100, ticks: { callback: (value) => `${value} %`, maxTicksLimit: 6 } };
    super(id, base("line", { x: time_axis(), y }), (value) => `${value.toFixed(1)} %`);
    this.chart.options.plugins.legend.labels.filter = (item) => !item.text.startsWith("threshold");
  }
  // used: [{at, percent}]; guess: [{in_seconds, percent}], from now on, or empty
  show(used, guess, now, words) {
    const ahead = guess.length ? guess[guess.length - 1].in_seconds : 0;
    const { min: from, max: to } = fit_time(this.chart.options.scales.x, used.map((each) => each.at), now, ahead);
    const level = (percent, colour) => ({
      label: `threshold ${percent} %`, borderColor: ink(colour), borderWidth: 1, borderDash: [2, 4], pointRadius: 0,
      data: [{ x: from, y: percent }, { x: to, y: percent }],
    });
    this.draw([
      { label: "memory used", borderColor: ink("--series-1"), backgroundColor: `${ink("--series-1")}33`, fill: true,
        borderWidth: 2, pointRadius: 0, data: used.map((each) => ({ x: (each.at - now) / 1000, y: each.percent })) },
      ...(guess.length ? [{
        label: "forecast", borderColor: ink("--series-2"), borderWidth: 2, borderDash: [6, 4], pointRadius: 2,
        data: guess.map((each) => ({ x: each.in_seconds, y: each.percent })) }] : []),
      level(60, "--quiet"), level(70, "--warn"), level(85, "--bad"),
    ], words);
  }
}

export class ttl_plot extends plot {
  constructor(id) {
    const configuration = base("bar", {
      x: { stacked: true, min: 0, max: 100, ticks: { callback: (value) => `${value} %`, maxTicksLimit: 6 } },
      y: { stacked: true, type: "category", ticks: { autoSkip: false, callback: (_, index) => this.label(index) } },
    }, { options: { indexAxis: "y", interaction: { mode: "nearest", axis: "y", intersect: false } } });
    super(id, configuration, (value) => `${value.toFixed(1)} %`);
  }
  label(index) {
    const name = this.chart ? this.chart.data.labels[index] || "" : "";
    const most = this.chart && this.chart.width < 420 ? 16 : 32;
    return name.length > most ? `${name.slice(0, most - 1)}…` : name;
  }
  title(item) {
    return this.chart.data.labels[item.dataIndex];
  }
  value_key() {
    return "x";
  }
  // rows: [{name, own, given, without}]: percent of its writes
  show(rows, words) {
    this.chart.data.labels = rows.map((row) => row.name);
    const bars = (label, colour, field) => ({
      label, backgroundColor: ink(colour), barPercentage: 0.8, maxBarThickness: 26,
      data: rows.map((row, index) => ({ x: row[field], y: index })),
    });
    this.draw([bars("sent with a TTL", "--series-3", "own"), bars("given one", "--series-1", "given"),
      bars("left without", "--series-2", "without")], words);
  }
}
