// Draws every chart of the page from the data beside it. Colours follow the scheme; on paper they are the light ones.
"use strict";
(() => {
  const palettes = {
    light: { lines: ["#1f5fbf", "#c2410c", "#0f766e", "#7c3aed", "#b45309", "#64748b"], ink: "#1b2330", soft: "#586476",
             grid: "#e3e7ed", shade: "rgba(194, 65, 12, .09)", limits: ["#8a97a8", "#d97706", "#b3261e"] },
    dark: { lines: ["#7fb0ff", "#ff9a62", "#5fd3c4", "#c4a1ff", "#f4c15d", "#94a3b8"], ink: "#e6eaf0", soft: "#9aa7b8",
            grid: "#2a323e", shade: "rgba(255, 154, 98, .12)", limits: ["#8795a8", "#f0b45b", "#ff9088"] },
  };
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const onPaper = window.matchMedia("print");
  const palette = () => (prefersDark.matches && !onPaper.matches ? palettes.dark : palettes.light);

  const clock = (ms, seconds) => new Date(ms).toISOString().slice(11, seconds ? 19 : 16);
  const scaled = (value, units, base) => {
    let unit = 0;
    while (Math.abs(value) >= base && unit + 1 < units.length) { value /= base; ++unit; }
    return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)}${units[unit]}`;
  };
  const figure = (value, unit) => {
    if (value === null || value === undefined) return "–";
    if (unit === "%") return `${Math.round(value * 10) / 10} %`;
    if (unit.startsWith("bytes")) return scaled(value, [" B", " KiB", " MiB", " GiB", " TiB"], 1024) + unit.slice(5);
    return scaled(value, ["", "k", "M", "G"], 1000) + unit;
  };

  // Round steps of time, whatever the width.
  const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400]
    .map((seconds) => seconds * 1000);
  const timeStep = (span, ticks) => timeSteps.find((step) => span / step <= ticks) ?? timeSteps.at(-1) * Math.ceil(span / timeSteps.at(-1) / ticks);

  // What lies behind the curves: the burst, and the thresholds with their names.
  const background = (data) => ({
    id: "background",
    beforeDatasetsDraw(chart) {
      const { ctx, chartArea: area, scales } = chart;
      const colours = palette();
      ctx.save();
      if (data.shaded) {
        const left = Math.max(area.left, scales.x.getPixelForValue(data.shaded.from));
        const right = Math.min(area.right, scales.x.getPixelForValue(data.shaded.to));
        ctx.fillStyle = colours.shade;
        ctx.fillRect(left, area.top, right - left, area.bottom - area.top);
        ctx.fillStyle = colours.soft;
        ctx.font = "11px system-ui, sans-serif";
        ctx.fillText(data.shaded.name, left + 4, area.top + 12);
      }
      data.thresholds.forEach((limit, index) => {
        const y = scales.y.getPixelForValue(limit.value);
        if (y < area.top || y > area.bottom) return;
        ctx.strokeStyle = ctx.fillStyle = colours.limits[Math.min(index, colours.limits.length - 1)];
        ctx.setLineDash([5, 4]);
        ctx.beginPath();
        ctx.moveTo(area.left, y);
        ctx.lineTo(area.right, y);
        ctx.stroke();
        ctx.font = "11px system-ui, sans-serif";
        ctx.textAlign = "right";
        ctx.fillText(limit.name, area.right - 3, y - 3);
        ctx.textAlign = "left";
      });
      ctx.restore();
    },
  });

  const datasets = (data) => data.series.map((one, index) => {
    const colours = palette();
    const colour = colours.lines[index % colours.lines.length];
    const points = data.kind === "bars" ? one.values : one.values.map((y, at) => ({ x: data.times[at], y }));
    const shape = data.kind === "lines"
      ? { borderColor: colour, backgroundColor: colour, borderWidth: 2, borderDash: index % 2 ? [6, 3] : [], fill: false }
      : { borderColor: colour, backgroundColor: colour + (data.kind === "bars" ? "cc" : "88"), borderWidth: 1, fill: data.kind === "stacked" ? (index ? "-1" : "origin") : false };
    return { label: one.name, data: points, pointRadius: 0, pointHitRadius: 12, spanGaps: true, tension: 0, ...shape };
  });

  const options = (data) => {
    const colours = palette();
    const y = {
      beginAtZero: data.unit !== "%", stacked: data.kind === "stacked", border: { display: false },
      grid: { color: colours.grid, borderColor: colours.grid }, ticks: { color: colours.soft, maxTicksLimit: 6, callback: (value) => figure(value, data.unit) },
    };
    if (data.unit.startsWith("bytes") && data.kind !== "bars") {
      const sums = data.times.map((_, at) => data.series.reduce((sum, one) => sum + (one.values[at] ?? 0), 0));
      const most = Math.max(1, ...sums);
      y.ticks.stepSize = 2 ** Math.ceil(Math.log2(most / 5));  // 256 KiB, not 244.1 KiB
    }
    if (data.unit === "%") {
      const highest = Math.max(...data.series.flatMap((one) => one.values.map((value) => value ?? 0)));
      const lowest = Math.min(...data.series.flatMap((one) => one.values.filter((value) => value !== null)));
      y.max = Math.min(100, Math.max(75, Math.ceil((highest + 3) / 5) * 5));
      y.min = lowest > 40 ? 40 : 0;
    }
    let x = { grid: { display: false, borderColor: colours.grid }, ticks: { color: colours.soft } };
    if (data.kind !== "bars") {
      const first = data.times[0], last = data.times.at(-1);
      x = {
        ...x, type: "linear", min: first, max: last,
        afterBuildTicks: (axis) => {
          const step = timeStep(last - first, Math.max(3, Math.floor(axis.width / 80)));
          axis.ticks = [];
          for (let at = Math.ceil(first / step) * step; at <= last; at += step) axis.ticks.push({ value: at });
        },
        ticks: { color: colours.soft, maxRotation: 0, autoSkip: false, callback: (value) => clock(value, last - first < 300000) },
      };
    }
    return {
      animation: false, responsive: true, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
      scales: { x, y },
      plugins: {
        legend: { display: data.series.length > 1, position: "bottom", labels: { color: colours.ink, boxWidth: 14, boxHeight: 3 } },
        tooltip: {
          callbacks: {
            title: (items) => (items.length ? (data.kind === "bars" ? items[0].label : `${clock(items[0].parsed.x, true)} UTC`) : ""),
            label: (item) => ` ${item.dataset.label}: ${figure(item.parsed.y, data.unit)}`,
          },
        },
      },
    };
  };

  const drawn = [];
  for (const source of document.querySelectorAll("script[data-chart]")) {
    const data = JSON.parse(source.textContent);
    const canvas = document.getElementById(source.dataset.chart);
    const labels = data.kind === "bars" ? data.categories : undefined;
    const chart = new Chart(canvas, {
      type: data.kind === "bars" ? "bar" : "line", data: { labels, datasets: datasets(data) }, options: options(data), plugins: [background(data)],
    });
    drawn.push({ chart, data });
  }

  const redraw = () => {
    for (const { chart, data } of drawn) {
      chart.data.datasets = datasets(data);
      chart.options = options(data);
      chart.resize();
      chart.update("none");
    }
  };
  prefersDark.addEventListener("change", redraw);
  onPaper.addEventListener("change", redraw);
  window.addEventListener("beforeprint", redraw);
  window.addEventListener("afterprint", redraw);
})();
