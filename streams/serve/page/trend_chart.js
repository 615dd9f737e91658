// An account's score over time, by kind, with its tier changes marked and what pushed it.

import { el, folded, svg, table } from "./dom.js";
import { addMarks } from "./trend_marks.js";
import { grouped, plain, points } from "./words.js";

const MOST_KINDS = 7; // colours that can be told apart; what is beyond goes together
const REST = "other kinds";
const HEIGHT = 240;
const ROOM = { left: 36, right: 8, top: 44, bottom: 22 };

/** `days`: the trend, oldest first; `changes`: tier changes. The slider under it says what happened on a day. */
export function trendChart(days, changes) {
  if (days.length === 0) return el("p", {}, "There is no day to show yet.");
  const kinds = kindsOf(days);
  const moved = Map.groupBy(changes, (change) => change.effective_at.slice(0, 10));
  const picture = svg("svg", { class: "trend", height: HEIGHT, "aria-hidden": "true" });
  const told = el("div", { class: "told" }); // the slider says it to a screen reader
  const slider = el("input", {
    type: "range",
    id: "trend-day",
    min: 0,
    max: days.length - 1,
    value: days.length - 1,
    "aria-label": "Day to explain",
  });
  let chart = null;
  const tell = () => {
    const index = Number(slider.value);
    const lines = toldOf(days, index, moved.get(days[index].day) ?? [], kinds);
    told.replaceChildren(...lines);
    slider.setAttribute("aria-valuetext", lines.map((line) => line.textContent).join(" "));
    chart?.point(index);
  };
  const draw = () => {
    chart = drawn(picture, days, kinds, moved);
    tell();
  };
  slider.addEventListener("input", tell);
  const choose = (event) => {
    if (chart === null) return;
    slider.value = chart.indexAt(event.offsetX);
    tell();
  };
  for (const kind of ["pointermove", "pointerdown"]) picture.addEventListener(kind, choose);
  new ResizeObserver(draw).observe(picture);
  return el("div", { class: "chart" }, picture, slider, told, legend(kinds), asTable(days, moved));
}

/** Kinds by the points that they ever had, most first: the lowest in the picture. */
function kindsOf(days) {
  const totals = new Map();
  for (const day of days) {
    for (const [kind, earned] of Object.entries(day.points)) totals.set(kind, (totals.get(kind) ?? 0) + earned);
  }
  const sorted = [...totals]
    .filter(([, total]) => total > 0)
    .sort(([, one], [, other]) => other - one)
    .map(([kind]) => kind);
  return sorted.length > MOST_KINDS ? [...sorted.slice(0, MOST_KINDS - 1), REST] : sorted;
}

function partsOf(day, kinds) {
  const named = kinds.map((kind) => [kind, day.points[kind] ?? 0]);
  const rest = day.score - named.reduce((sum, [, earned]) => sum + earned, 0);
  return named.map(([kind, earned]) => [kind, kind === REST ? rest : earned]);
}

function drawn(picture, days, kinds, moved) {
  const width = picture.clientWidth;
  const inner = { width: width - ROOM.left - ROOM.right, height: HEIGHT - ROOM.top - ROOM.bottom };
  const step = inner.width / days.length;
  const top = Math.max(10_000, ...days.map((day) => day.score));
  const x = (index) => ROOM.left + index * step;
  const y = (score) => ROOM.top + inner.height * (1 - score / top);
  const grid = ticks(top).map((score) => [
    svg("line", { class: "grid", x1: ROOM.left, x2: width - ROOM.right, y1: y(score), y2: y(score) }),
    svg("text", { x: ROOM.left - 6, y: y(score) + 4, "text-anchor": "end" }, grouped(score / 1000)),
  ]);
  const gap = step > 4 ? 1 : 0;
  const bars = kinds.map((_, layer) => {
    const path = days.map((day, index) => {
      const parts = partsOf(day, kinds);
      const below = parts.slice(0, layer).reduce((sum, [, earned]) => sum + earned, 0);
      const height = y(below) - y(below + parts[layer][1]);
      return height > 0 ? `M${round(x(index))} ${round(y(below))}h${round(step - gap)}v${round(-height)}h${round(gap - step)}z` : "";
    });
    return svg("path", { class: `kind kind-${layer}`, d: path.join("") });
  });
  const pointer = svg("rect", { class: "pointer", y: ROOM.top, width: Math.max(step - gap, 2), height: inner.height });
  picture.replaceChildren(...grid.flat(), pointer, ...bars);
  addMarks(picture, days, moved, {
    x: (index) => x(index) + step / 2,
    top: ROOM.top,
    bottom: HEIGHT - ROOM.bottom,
    right: width - ROOM.right,
  });
  return {
    indexAt: (offset) => Math.min(days.length - 1, Math.max(0, Math.floor((offset - ROOM.left) / step))),
    point: (index) => pointer.setAttribute("x", x(index)),
  };
}

const round = (size) => Math.round(size * 100) / 100;

/** Round steps of thousandths up to `top`. */
function ticks(top) {
  const rough = top / 4;
  const size = 10 ** Math.floor(Math.log10(rough));
  const stride = [1, 2, 5, 10].map((times) => times * size).find((each) => each >= rough);
  return Array.from({ length: Math.floor(top / stride) + 1 }, (_, index) => index * stride);
}

function toldOf(days, index, changes, kinds) {
  const day = days[index];
  const before = days[index - 1];
  const grown = before === undefined ? 0 : day.score - before.score;
  const sign = grown > 0 ? "+" : "";
  const difference = before === undefined || grown === 0 ? "" : ` (${sign}${points(grown)})`;
  const lines = [
    el(
      "p",
      {},
      el("b", {}, day.day),
      `: ${points(day.score)} points${difference}`,
      changes.map((change) => el("span", { class: "badge" }, `${change.direction === "promotion" ? "▲" : "▼"} ${plain(change.to)}`)),
    ),
  ];
  lines.push(el("p", {}, pushedBy(day)));
  const parts = partsOf(day, kinds).filter(([, earned]) => earned > 0);
  lines.push(el("p", { class: "quiet" }, parts.map(([kind, earned]) => `${plain(kind)} ${points(earned)}`).join(", ")));
  return lines;
}

function pushedBy(day) {
  const signals = Object.entries(day.signals).sort(([, one], [, other]) => other - one);
  return signals.length ? `Came in: ${signals.map(cameIn).join(", ")}` : "Nothing came in.";
}

function cameIn([kind, count]) {
  return `${plain(kind)} (${grouped(count)})`;
}

function legend(kinds) {
  const line = (kind, layer) => el("li", {}, el("span", { class: `swatch kind-${layer}`, "aria-hidden": "true" }), plain(kind));
  return el("ul", { class: "legend", "aria-label": "Kinds, from the bottom up" }, kinds.map(line));
}

function asTable(days, moved) {
  const told = (day) => (moved.get(day.day) ?? []).map((change) => `${plain(change.from)} → ${plain(change.to)}`).join(", ");
  const columns = [
    { head: "Day", cell: ({ day }) => day },
    { head: "Points", number: true, cell: ({ score }) => points(score) },
    { head: "Tier changes", cell: told },
    { head: "Came in", cell: ({ signals }) => Object.entries(signals).map(cameIn).join(", ") },
  ];
  return folded(
    "trend-table",
    "The same as a table",
    el(
      "div",
      { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Score by day" },
      table("Score by day", columns, [...days].reverse(), { isCaptionSpoken: true }),
    ),
  );
}

/** Which colour a kind has in the chart of these days. */
export function layers(days) {
  return new Map(kindsOf(days).map((kind, layer) => [kind, layer]));
}
