"use strict";
const isDark = matchMedia("(prefers-color-scheme: dark)");
const COLORS = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#5b4fb5", "#8c564b", "#4d9221"],
  dark: ["#56b4e9", "#ff8a5b", "#2fbf94", "#e09bc4", "#e6c229", "#a79bf0", "#c49c94", "#a6d96a"],
};
const RANKED = {
  light: ["#08306b", "#2171b5", "#41ab5d", "#fdae61", "#d7191c"],
  dark: ["#bfe6ff", "#56b4e9", "#6fcf7f", "#f2a354", "#e0555a"],
};
const CONFIG = {responsive: true, displayModeBar: false};

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const theme = () => isDark.matches ? "dark" : "light";
const color = place => COLORS[theme()][place % COLORS[theme()].length];
const faint = (hex, share) => hex + Math.round(255 * share).toString(16).padStart(2, "0");
const digits = value => value === null ? "-" : Math.abs(value) >= 1000
  ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(4)));
const isKnown = value => value !== null && value !== undefined;
const escaped = text => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
const shortened = (text, most) => text.length > most ? "\u2026" + text.slice(1 - most) : text;

/** The label of a setting, or only its values where that is too long. */
const fitting = (one, most) => one.label.length <= most || !one.values.length ? shortened(one.label, most)
  : shortened(one.values.filter(value => value !== "").map(value => isNaN(value) ? value : digits(Number(value))).join(", "), most);

function axis(extra) {
  return {gridcolor: css("--line"), linecolor: css("--muted"), zeroline: false, automargin: true, fixedrange: false, ...extra};
}

function draw(place, traces, {xaxis = {}, yaxis = {}, ...extra}) {
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", showlegend: false,
    font: {color: css("--text"), size: 12, family: "system-ui, sans-serif"}, margin: {l: 50, r: 12, t: 12, b: 42},
    hoverlabel: {bgcolor: css("--page"), bordercolor: css("--muted"), font: {color: css("--text")}, align: "left"},
    height: 340, xaxis: axis(xaxis), yaxis: axis(yaxis), ...extra,
  };
  Plotly.react(place, traces.map(one => ({showlegend: false, ...one})), layout, CONFIG);
}

function threshold(data, isVertical) {
  if (!isKnown(data.threshold)) return {};
  const [value, other] = isVertical ? ["x", "y"] : ["y", "x"];
  const line = {type: "line", layer: "below", line: {color: css("--muted"), dash: "dot", width: 1.5},
    [value + "0"]: data.threshold, [value + "1"]: data.threshold, [other + "0"]: 0, [other + "1"]: 1, [other + "ref"]: "paper"};
  const label = {text: "threshold " + digits(data.threshold), showarrow: false, font: {size: 11, color: css("--muted")},
    [value]: data.threshold, [other]: isVertical ? 1 : 0, [other + "ref"]: "paper",
    xanchor: isVertical ? "center" : "left", yanchor: "bottom"};
  return {shapes: [line], annotations: [label]};
}

/** Whether a threshold is near what is drawn, so that marking it does not squeeze the rest. */
function isNear(data, values) {
  const known = values.filter(isKnown);
  if (!isKnown(data.threshold) || !known.length) return false;
  const low = Math.min(...known), high = Math.max(...known), room = 0.15 * (high - low || 1);
  return data.threshold >= low - room && data.threshold <= high + room;
}

function drawForest(place, data) {
  const shown = data.settings.filter(one => one.rank !== null).slice(0, 8);
  const dots = {x: [], y: [], text: [], mode: "markers", marker: {color: css("--muted"), size: 6, opacity: .7},
    hovertemplate: "%{text}: %{x:.4~g}<extra></extra>"};
  shown.forEach((one, row) => {
    const runs = one.runs.filter(run => run.score !== null);
    runs.forEach((run, index) => {
      dots.x.push(one.dots[index]);
      dots.y.push(row + (runs.length > 1 ? 0.3 * (index / (runs.length - 1) - 0.5) : 0));
      dots.text.push("seed " + run.seed);
    });
  });
  const {phrase, statistic} = data.ranking;
  const estimates = {
    x: shown.map(one => one.estimate[0]), y: shown.map((_, row) => row), mode: "markers",
    marker: {color: color(0), size: 11, symbol: "diamond"},
    text: shown.map(({label, estimate: [value, low, high]}) =>
      `${escaped(label)}<br>${statistic} its seeds: ${digits(value)}` +
      (isKnown(low) ? ` (${digits(low)} to ${digits(high)})` : "")),
    hovertemplate: "%{text}<extra></extra>",
    error_x: {type: "data", symmetric: false, color: color(0), thickness: 2, width: 5,
      array: shown.map(({estimate: [value, , high]}) => isKnown(high) ? high - value : 0),
      arrayminus: shown.map(({estimate: [value, low]}) => isKnown(low) ? value - low : 0)},
  };
  const marks = data.ranking.isOfFinalReturns && isNear(data, dots.x) ? threshold(data, true) : {};
  const wide = place.clientWidth > 0 ? Math.floor(place.clientWidth / 6.8) : 60;
  const labels = shown.map((one, row) => ({text: escaped(`${one.rank}. ${fitting(one, wide)}`), x: 0, xref: "paper",
    y: row - 0.4, xanchor: "left", yanchor: "middle", showarrow: false, font: {size: 11}}));
  draw(place, [dots, estimates], {height: 76 + 42 * shown.length, xaxis: {title: {text: phrase}},
    yaxis: {visible: false, range: [shown.length - 0.5, -0.7]}, margin: {l: 8, r: 12, t: 18, b: 42},
    shapes: marks.shapes, annotations: [...labels, ...(marks.annotations || [])]});
}

function drawCurves(place, data, state) {
  const traces = [], isTraining = state.kind === "training";
  const chosen = [...state.selected].sort((a, b) => a - b);
  chosen.forEach(index => {
    const one = data.settings[index], line = state.colors.get(index);
    const [x, y, low, high] = isTraining ? one.training : one.curve;
    if (state.seeds && !isTraining) one.runs.forEach(run => traces.push({x: run.curve[0], y: run.curve[1], mode: "lines",
      line: {color: line, width: 0.8}, opacity: .5, hovertemplate: `seed ${run.seed}: %{y:.4~g} at %{x:,}<extra></extra>`}));
    if (!x) return;
    if (low && low.some(isKnown)) {
      traces.push({x, y: low, mode: "lines", line: {width: 0}, hoverinfo: "skip"});
      traces.push({x, y: high, mode: "lines", line: {width: 0}, fill: "tonexty", fillcolor: faint(line, .16), hoverinfo: "skip"});
    }
    traces.push({x, y, mode: x.length > 1 ? "lines" : "markers", name: escaped(fitting(one, 60)), showlegend: true, line: {color: line, width: 2},
      hovertemplate: `${escaped(one.label)}<br>%{y:.4~g} at step %{x:,}<extra></extra>`});
  });
  const marks = isNear(data, traces.flatMap(one => one.y)) ? threshold(data, false) : {};
  draw(place, traces, {height: 400 + 18 * chosen.length, xaxis: {title: {text: "environment steps"}}, showlegend: true,
    yaxis: {title: {text: isTraining ? "return in training" : "return of the greedy policy"}},
    legend: {orientation: "h", traceorder: "normal", x: 0, y: 1.02, yanchor: "bottom", font: {size: 11}}, ...marks});
}

/** Position of a value on an axis of the parallel coordinates, from 0 to 1. */
function position(key, value) {
  if (!key.isNumeric) return key.values.length > 1 ? key.values.indexOf(value) / (key.values.length - 1) : 0.5;
  const scale = key.isLog ? Math.log : Number, numbers = key.values.map(Number);
  const low = scale(Math.min(...numbers)), high = scale(Math.max(...numbers));
  return high > low ? (scale(Number(value)) - low) / (high - low) : 0.5;
}

const valued = data => data.settings.map((one, index) => ({...one, index})).filter(one => isKnown(one.last))
  .sort((a, b) => (a.rank === null) - (b.rank === null) || (a.rank !== null ? a.rank - b.rank : b.last - a.last));

function drawParallel(place, data, state) {
  const all = valued(data), count = Math.max(1, Math.ceil(all.length * state.share / 100));
  const values = all.map(one => one.last).sort((a, b) => a - b);
  // Between quantiles, so that one diverged setting does not squeeze the others.
  const low = values[Math.floor(0.05 * (values.length - 1))], high = values[values.length - 1];
  const height = value => high > low ? Math.max(-0.06, (value - low) / (high - low)) : 0.5;
  const columns = [...data.keys.map(key => key.name), "return"];
  // Slightly apart, so that settings with equal values remain visible.
  const apart = one => 0.03 * ((0.618 * one.index) % 1 - 0.5);
  const heights = one => [...data.keys.map((key, place) => position(key, one.values[place]) + apart(one)), height(one.last)];
  const bins = [{rows: all.slice(count), color: css("--line")}];
  const tones = RANKED[theme()], level = one => Math.min(tones.length - 1, Math.floor((1 - Math.max(0, Math.min(1, height(one.last)))) * tones.length));
  for (let bin = tones.length - 1; bin >= 0; bin--) bins.push({rows: all.slice(0, count).filter(one => level(one) === bin), color: tones[bin]});
  const traces = bins.filter(bin => bin.rows.length).map(bin => ({
    x: bin.rows.flatMap(() => [...columns.keys(), null]), y: bin.rows.flatMap(one => [...heights(one), null]),
    text: bin.rows.flatMap(one => [...columns.map(() => `${escaped(one.label)}<br>return ${digits(one.last)}${one.isPruned ? " when pruned" : ""}`), null]),
    mode: "lines", line: {color: bin.color, width: 1.4}, opacity: bin.color === css("--line") ? .6 : .85, hovertemplate: "%{text}<extra></extra>",
  }));
  const annotations = [], shapes = columns.map((_, place) => ({type: "line", x0: place, x1: place, y0: 0, y1: 1, line: {color: css("--muted"), width: 1}}));
  const tick = (x, y, text) => annotations.push({x, y, text: escaped(String(text)), showarrow: false, font: {size: 10},
    xanchor: x === columns.length - 1 ? "right" : "left", yanchor: "middle", bgcolor: faint(css("--soft"), .75), xshift: x === columns.length - 1 ? -3 : 3});
  data.keys.forEach((key, place) => {
    const values = key.isNumeric ? key.values : key.values.slice(0, 12);
    const shown = values.length <= 6 || !key.isNumeric ? values : [values[0], values[Math.floor(values.length / 2)], values[values.length - 1]];
    shown.forEach(value => tick(place, position(key, value), key.isNumeric ? digits(Number(value)) : value));
  });
  [low, (low + high) / 2, high].forEach(value => tick(columns.length - 1, height(value), digits(value)));
  draw(place, traces, {height: 380, shapes, annotations, xaxis: {tickvals: [...columns.keys()], ticktext: columns.map(name => escaped(shortened(name, 18))), showgrid: false, range: [-0.35, columns.length - 0.75]},
    yaxis: {visible: false, range: [-0.1, 1.08]}, margin: {l: 8, r: 8, t: 12, b: 50}});
  state.among.textContent = `${count} of ${all.length} settings`;
}

function drawSlice(place, data, state) {
  const number = data.keys.findIndex(one => one.key === place.dataset.key), key = data.keys[number], all = valued(data);
  const isCategory = !key.isNumeric || key.marginals.length > 0;
  const at = text => isCategory ? String(text) : Number(text);
  const named = (rows, symbol, tone) => ({x: rows.map(one => at(one.values[number])), y: rows.map(one => one.last), mode: "markers",
    marker: {color: tone, size: 6, opacity: .65, symbol}, text: rows.map(one => escaped(one.label)), hovertemplate: "%{text}<br>%{y:.4~g}<extra></extra>"});
  const traces = [named(all.filter(one => one.isPruned), "circle-open", css("--muted")), named(all.filter(one => !one.isPruned), "circle", key.marginals.length ? css("--muted") : color(0))];
  if (key.marginals.length) {
    const value = place => key.marginals.map(one => one[place]);
    traces.push({x: value(0), y: value(1), mode: key.isNumeric ? "lines+markers" : "markers", line: {color: color(0)}, marker: {size: 9},
      error_y: {type: "data", symmetric: false, thickness: 2, width: 5, array: key.marginals.map(one => isKnown(one[3]) ? one[3] - one[1] : 0), arrayminus: key.marginals.map(one => isKnown(one[2]) ? one[1] - one[2] : 0)},
      hovertemplate: `${escaped(key.name)} = %{x}: %{y:.4~g}<extra></extra>`});
  }
  const type = isCategory ? {type: "category", categoryorder: "array", categoryarray: key.values, tickvals: key.values, ticktext: key.values.map(one => escaped(shortened(key.isNumeric ? digits(Number(one)) : one, 18)))}
    : {type: key.isLog ? "log" : "linear", exponentformat: "none"};
  draw(place, traces.filter(one => one.x.length), {height: 300, xaxis: {title: {text: escaped(key.key)}, ...type}, yaxis: {title: {text: "return"}}});
}

function drawImportance(place, data) {
  const rows = [...data.importances].reverse(), name = key => (data.keys.find(one => one.key === key) || {name: key}).name;
  draw(place, [{type: "bar", orientation: "h", y: rows.map(one => escaped(name(one.key))), x: rows.map(one => one.values[0]), marker: {color: color(0)},
    error_x: {type: "data", symmetric: false, color: css("--text"), thickness: 1.2, array: rows.map(one => one.values[2] - one.values[0]), arrayminus: rows.map(one => one.values[0] - one.values[1])},
    hovertemplate: "%{y}: %{x:.2f}<extra></extra>"}], {height: 90 + 34 * rows.length, xaxis: {title: {text: "share of the variance"}, rangemode: "tozero"}});
}

function drawHistory(place, data) {
  const all = data.settings.filter(one => isKnown(one.last)).sort((a, b) => a.order - b.order);
  const part = (rows, symbol, name, tone) => ({x: rows.map(one => one.trial), y: rows.map(one => one.last), mode: "markers", name, showlegend: true,
    marker: {symbol, size: 7, color: tone}, text: rows.map(one => escaped(one.label)), hovertemplate: "trial %{x}: %{y:.4~g}<br>%{text}<extra></extra>"});
  const done = all.filter(one => !one.isPruned);
  let best = -Infinity;
  const line = {x: done.map(one => one.trial), y: done.map(one => best = Math.max(best, one.last)), mode: "lines", line: {shape: "hv", color: color(1)}, name: "best so far", showlegend: true, hoverinfo: "skip"};
  draw(place, [part(all.filter(one => one.isPruned), "circle-open", "pruned", css("--muted")), part(done, "circle", "completed", color(0)), line],
    {height: 320, showlegend: true, legend: {orientation: "h", y: 1.02, yanchor: "bottom"}, xaxis: {title: {text: "trial"}}, yaxis: {title: {text: "return"}}});
}

const CHARTS = {forest: drawForest, curves: drawCurves, parallel: drawParallel, slice: drawSlice, importance: drawImportance, history: drawHistory};

/** Returns a test of a row from a filter, as in `iqm>100 gamma=0.99 adam`. */
function matcher(text, names) {
  const tests = text.trim().toLowerCase().split(/\s+/).filter(Boolean).map(word => {
    const found = word.match(/^([^<>=]+)([<>=])(.+)$/), place = found ? names.indexOf(found[1]) : -1;
    if (place < 0) return row => row.textContent.toLowerCase().includes(word);
    return row => {
      const value = row.cells[place].dataset.value, [x, y] = [Number(value), Number(found[3])];
      if (value === "") return false;
      if (found[2] === "=") return value.toLowerCase() === found[3] || (!isNaN(x) && x === y);
      return found[2] === "<" ? x < y : x > y;
    };
  });
  return row => tests.every(test => test(row));
}

const EXPORTS = {
  csv: rows => [rows.map(row => row.map(cell => /[",\n]/.test(cell) ? `"${cell.replace(/"/g, '""')}"` : cell).join(",")).join("\n") + "\n", "settings.csv", "text/csv"],
  markdown: rows => [rows.map((row, place) => `| ${row.map(cell => cell.replace(/\|/g, "\\|")).join(" | ")} |\n` + (place ? "" : `|${" --- |".repeat(row.length)}\n`)).join(""), "settings.md", "text/markdown"],
  latex: rows => {
    const safe = cell => cell.replace(/[\\{}_%&#$~^]/g, letter => ({"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}[letter] || "\\" + letter));
    const [heading, ...body] = rows.map(row => row.map(safe).join(" & ") + " \\\\\n");
    return [`\\begin{tabular}{l${"r".repeat(rows[0].length - 1)}}\n\\hline\n${heading}\\hline\n${body.join("")}\\hline\n\\end{tabular}\n`, "settings.tex", "text/x-tex"];
  },
};

function save([text, name, type]) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, index) => head.querySelector("button")?.addEventListener("click", () => {
    const falls = head.ariaSort === "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", falls ? "descending" : "ascending");
    const key = row => row.cells[index].dataset.value;
    const order = (a, b) => {
      if (a === "" || b === "") return (a === "") - (b === "");
      const [x, y] = [Number(a), Number(b)];
      const rises = isNaN(x) || isNaN(y) ? a.localeCompare(b) : x - y;
      return falls ? -rises : rises;
    };
    body.append(...[...body.rows].sort((a, b) => order(key(a), key(b))));
  }));
}

function showDetail(panel, one) {
  const link = (address, text) => { const made = document.createElement("a"); made.href = address; made.textContent = text; return made; };
  const title = document.createElement("h3"), list = document.createElement("ul");
  title.textContent = one.label;
  for (const run of one.runs) {
    const item = document.createElement("li");
    item.append(link(run.directory, `seed ${run.seed}`), ` ${run.score === null ? run.status : digits(run.score)} `);
    if (run.log) item.append(link(run.log, "train.log"), " ");
    run.films.forEach(film => item.append(link(film, "film"), " "));
    list.append(item);
  }
  panel.replaceChildren(title, list);
  if (one.command) {
    const command = document.createElement("pre");
    command.textContent = one.command;
    panel.append("Repeat these runs with:", command);
  }
  panel.hidden = false;
  panel.scrollIntoView({block: "nearest"});
}

function begin(section) {
  const data = JSON.parse(section.querySelector("script.data").textContent), find = name => section.querySelector(name);
  const table = find("table.sortable"), body = table.tBodies[0], rows = [...body.rows];
  const names = [...table.tHead.rows[0].cells].map(cell => cell.textContent.trim().toLowerCase());
  const state = {kind: "evaluation", seeds: false, share: 100, selected: new Set(), colors: new Map(), among: find(".among")};
  const redraw = name => section.querySelectorAll(`[data-chart=${name}]`).forEach(place => CHARTS[name](place, data, state));
  const redrawAll = () => Object.keys(CHARTS).forEach(redraw);

  function select(places) {
    state.selected = new Set(places);
    rows.forEach((row, place) => {
      const isOn = state.selected.has(place);
      if (isOn && !state.colors.has(place)) state.colors.set(place, state.colors.size);
      row.querySelector("input").checked = isOn;
    });
    paint();
  }
  function paint() {
    const order = [...state.selected].sort((a, b) => a - b);
    state.colors = new Map(order.map((place, index) => [place, color(index)]));
    rows.forEach((row, place) => row.querySelector(".swatch").style.background = state.colors.get(place) || "");
    redraw("curves");
  }
  const ranked = data.settings.map((_, place) => place).filter(place => data.settings[place].rank !== null);
  sortable(table);
  rows.forEach((row, place) => {
    row.querySelector("input").addEventListener("change", event => {
      const places = new Set(state.selected);
      if (event.target.checked) places.add(place); else places.delete(place);
      select(places);
    });
    row.querySelector(".show").addEventListener("click", () => showDetail(find(".detail"), data.settings[place]));
  });
  const filter = find(".filter");
  filter.addEventListener("input", () => {
    const matches = matcher(filter.value, names);
    rows.forEach(row => row.hidden = !matches(row));
    find(".count").textContent = filter.value ? `${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
  });
  section.querySelectorAll("[data-export]").forEach(button => button.addEventListener("click", () => {
    // Numbers as they are in CSV, rounded elsewhere.
    const isCsv = button.dataset.export === "csv";
    const cells = row => [...row.cells].slice(1).map(cell => isCsv && cell.dataset.value !== undefined && cell.textContent.trim() !== "-" && !cell.textContent.includes(" to ") ? cell.dataset.value : cell.textContent.trim());
    save(EXPORTS[button.dataset.export]([cells(table.tHead.rows[0]), ...[...body.rows].filter(row => !row.hidden).map(cells)]));
  }));
  find(".kind")?.addEventListener("change", event => { state.kind = event.target.value; redraw("curves"); });
  find(".seeds")?.addEventListener("change", event => { state.seeds = event.target.checked; redraw("curves"); });
  find(".best")?.addEventListener("input", event => select(ranked.slice(0, Number(event.target.value))));
  find(".slider")?.addEventListener("input", event => {
    state.share = Number(event.target.value);
    find(".share").textContent = `${state.share}%`;
    redraw("parallel");
  });
  redrawAll();
  select(ranked.slice(0, 5));
  isDark.addEventListener("change", () => { redrawAll(); paint(); });
}

/** Draws the charts of a single run. */
function drawLines(place, chart) {
  const traces = chart.lines.flatMap((one, index) => {
    const [x, y, low, high] = one.points, tone = one.isScatter ? css("--muted") : color(index);
    const band = low ? [{x, y: low, mode: "lines", line: {width: 0}, hoverinfo: "skip"},
      {x, y: high, mode: "lines", line: {width: 0}, fill: "tonexty", fillcolor: faint(tone, .16), hoverinfo: "skip"}] : [];
    return [...band, {x, y, name: one.name, showlegend: true, mode: one.isScatter || x.length === 1 ? "markers" : "lines",
      marker: {color: tone, size: one.isScatter ? 4 : 8}, line: {color: tone, width: 2},
      hovertemplate: `${one.name}: %{y:.4~g} at step %{x:,}<extra></extra>`}];
  });
  draw(place, traces, {showlegend: true, legend: {orientation: "h", traceorder: "normal", y: 1.02, yanchor: "bottom"},
    xaxis: {title: {text: "environment steps"}}, yaxis: {title: {text: chart.unit}}});
}

document.querySelectorAll("section.group").forEach(begin);
const run = document.querySelector("body > script.data");
if (run) {
  const charts = JSON.parse(run.textContent);
  const drawAll = () => document.querySelectorAll("[data-lines]").forEach(place => drawLines(place, charts[place.dataset.lines]));
  drawAll();
  isDark.addEventListener("change", drawAll);
}
