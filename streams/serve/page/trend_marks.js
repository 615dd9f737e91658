// What stands around the bars of a trend: the months below, the tier changes above.

import { svg } from "./dom.js";
import { plain } from "./words.js";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const LETTER = 6.6; // px, about
const ROWS = 2; // of labels above the bars

/** `place`: x of a day's middle by its index, top and bottom of the bars, and the right end. */
export function addMarks(picture, days, moved, { x, top, bottom, right }) {
  days.forEach(({ day }, index) => {
    if (!day.endsWith("-01")) return;
    const text = day.slice(5, 7) === "01" ? `${MONTHS[0]} ${day.slice(0, 4)}` : MONTHS[Number(day.slice(5, 7)) - 1];
    picture.append(
      svg("line", { class: "month", x1: x(index), x2: x(index), y1: bottom, y2: bottom + 5 }),
      label(text, x(index), bottom + 17, right),
    );
  });
  const free = Array(ROWS).fill(-Infinity); // up to where each row is taken
  days.forEach(({ day }, index) => {
    const changes = moved.get(day);
    if (changes === undefined) return;
    const isRise = changes.at(-1).direction === "promotion";
    picture.append(svg("line", { class: "moved", x1: x(index), x2: x(index), y1: top - 6, y2: bottom }));
    picture.append(svg("path", { class: isRise ? "up" : "down", d: triangle(x(index), top - 6, isRise) }));
    const text = changes.map((change) => plain(change.to)).join(", ");
    const size = text.length * LETTER;
    const left = Math.min(x(index) - 5, right - size);
    const row = free.findIndex((taken) => taken < left);
    if (row === -1) return; // no room: the slider and the table say it
    free[row] = left + size + 8;
    picture.append(svg("text", { class: "rung", x: left, y: top - 16 - row * 14 }, text));
  });
}

function label(text, at, height, right) {
  const isLast = at + text.length * LETTER > right;
  return svg("text", { x: isLast ? right : at, y: height, "text-anchor": isLast ? "end" : "start" }, text);
}

function triangle(x, y, isRise) {
  return isRise ? `M${x - 5} ${y + 4}l5 -8l5 8z` : `M${x - 5} ${y - 4}l5 8l5 -8z`;
}
