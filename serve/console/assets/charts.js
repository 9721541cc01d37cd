// Lines over the last five minutes, as SVG in the look of the bench's report.

import { clock, milliseconds, rate, share } from "./numbers.js";
import { fill, node, say } from "./tables.js";

const SVG = "http://www.w3.org/2000/svg";

export const CHARTS = [
  { title: "Texts a second", keys: ["texts_per_second"], names: ["texts"], write: rate },
  { title: "Latency", keys: ["p50_ms", "p99_ms"], names: ["p50", "p99"], write: milliseconds },
  { title: "Batches", keys: ["batch_fill", "batch_padding_share"], names: ["fill", "padding"], write: share, top: 1 },
];
const WIDTH = 400, HEIGHT = 150, LEFT = 76, RIGHT = 6, TOP = 8, BOTTOM = 22, SECONDS = 300;

function svgNode(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function canvas(width, height) {
  return svgNode("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" });
}

export function figure(chart) {
  const box = node("figure"), legend = node("ul", undefined, "legend");
  chart.svg = canvas(WIDTH, HEIGHT);
  legend.setAttribute("aria-label", "Series, and their values in the last five seconds");
  chart.newest = chart.names.map((name, kind) => {
    const line = canvas(28, 8), item = node("li"), value = node("b");
    line.append(svgNode("path", { class: `line k${kind}`, d: "M0,4H28" }));
    item.append(line, `${name} `, value);
    legend.append(item);
    return value;
  });
  box.append(node("h2", chart.title), legend);
  chart.details = node("details");
  const region = node("div", undefined, "scroll"), table = node("table"), head = table.createTHead().insertRow();
  region.tabIndex = 0;
  region.setAttribute("role", "region");
  region.setAttribute("aria-label", `Table: ${chart.title}`);
  for (const name of ["at", ...chart.names]) {
    const cell = node("th", name);
    cell.scope = "col";
    head.append(cell);
  }
  table.createTBody();
  region.append(table);
  chart.details.append(node("summary", "The numbers of this chart"), region);
  chart.details.addEventListener("toggle", () => list(chart));
  chart.table = table;
  chart.points = [];
  box.append(chart.svg, chart.details);
  return box;
}

// The least round number that is not below the value: 1, 2 or 5 times a power of ten.
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((step) => step * power >= value);
}

export function draw(chart, points) {
  chart.points = points;
  const values = points.flatMap((point) => chart.keys.map((key) => point[key])).filter((value) => value !== null);
  const top = chart.top || round(Math.max(...values, 1e-3));
  const end = points.length ? points[points.length - 1].at : 0;
  const across = (at) => WIDTH - RIGHT - ((end - at) / SECONDS) * (WIDTH - LEFT - RIGHT);
  const up = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const drawn = [];
  for (const part of [0, 0.5, 1]) {
    const y = up(part * top);
    drawn.push(svgNode("line", { class: part ? "grid" : "base", x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y }));
    drawn.push(svgNode("text", { class: "tick end", x: LEFT - 6, y: y + 4 }, chart.write(part * top)));
  }
  drawn.push(svgNode("text", { class: "tick start", x: LEFT, y: HEIGHT - 4 }, "5 min ago"));
  drawn.push(svgNode("text", { class: "tick end", x: WIDTH - RIGHT, y: HEIGHT - 4 }, "now"));
  chart.keys.forEach((key, kind) => {
    let path = "", gap = true;
    for (const point of points) {
      gap = point[key] === null || gap;
      if (point[key] === null) continue;
      path += `${gap ? "M" : "L"}${across(point.at).toFixed(1)},${up(Math.min(point[key], top)).toFixed(1)}`;
      gap = false;
    }
    drawn.push(svgNode("path", { class: `line k${kind}`, d: path }));
  });
  chart.svg.replaceChildren(...drawn);
  const last = points[points.length - 1] || {};
  chart.keys.forEach((key, place) => say(chart.newest[place], chart.write(last[key])));
  list(chart);
}

function list(chart) {
  if (!chart.details.open) return;
  const row = (point) => [clock(point.at), ...chart.keys.map((key) => chart.write(point[key]))];
  fill(chart.table, [...chart.points].reverse().map(row), "nothing yet");
}
