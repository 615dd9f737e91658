// Where an account stands on one ladder, what it lacks for the next rung, and when silence moves it.

import { el, folded, spoken } from "../dom.js";
import { plain, several } from "../words.js";

const WAYS = 3; // shown at once

export function standingSection(standing, ladders, explanation) {
  const rungs = ladders.find(({ ladder }) => ladder === standing.ladder)?.rungs.map(({ rung }) => rung) ?? [standing.rung];
  return el(
    "section",
    {},
    el(
      "h2",
      {},
      `${plain(standing.ladder)}: `.replace(/^./, (letter) => letter.toUpperCase()),
      plain(standing.rung),
    ),
    track(rungs, standing),
    explanation.suppressed !== null && el("p", { class: "note" }, `Kept at the bottom because ${explanation.suppressed}.`),
    standing.pin !== null && pin(standing.pin),
    el("p", {}, outlook(standing, explanation.in_silence)),
    explanation.suppressed === null && (standing.next === null ? el("p", {}, "It is on the highest rung.") : next(standing.next)),
  );
}

function track(rungs, { rung, since }) {
  const at = rungs.indexOf(rung);
  const name = (each, index) =>
    el(
      "li",
      { class: index < at ? "passed" : null, "aria-current": index === at ? "step" : null },
      plain(each),
      index === at && since !== null && el("small", {}, ` since ${since}`),
    );
  return el("ol", { class: "track" }, rungs.map(name));
}

function pin({ rung, computed, active, reason, author, until }) {
  const who = `Pinned to ${plain(rung)} by ${author ?? "somebody"}`;
  const because = reason === null ? "" : `: ${reason}`;
  const end = until === null ? "" : `, until ${until}`;
  return el(
    "p",
    { class: "note" },
    `${who}${because}${end}. By its numbers it would be ${plain(computed)}.${active ? "" : " Suppression beats the pin."}`,
  );
}

function outlook({ ladder }, silence) {
  const moves = silence.filter((move) => move.ladder === ladder);
  if (moves.length === 0) return "If nothing more happens, it stays here.";
  const told = moves.map((move) => `${move.is_fall ? "falls" : "rises"} to ${plain(move.to)} on ${move.day}`);
  return `If nothing more happens, it ${told.join(", then ")}.`;
}

function next({ rung, barred, ways }) {
  const heading = el("h3", {}, `What is missing to ${plain(rung)}`);
  if (barred !== null) return [heading, el("p", { class: "note" }, `It cannot get there: ${barred}.`)];
  const items = ways.map((way) => el("li", {}, requirements(way)));
  return [
    heading,
    ways.length > 1 && el("p", { class: "quiet" }, "Any one of these is enough; the nearest comes first."),
    el("ol", { class: "ways" }, items.slice(0, WAYS)),
    items.length > WAYS &&
      folded(`ways-${rung}`, several(items.length - WAYS, "other way"), el("ol", { class: "ways", start: WAYS + 1 }, items.slice(WAYS))),
  ];
}

function requirements({ missing, requirements: all }) {
  const asked = [...all].sort((one, other) => Number(one.met) - Number(other.met));
  return [
    el("b", {}, missing === 0 ? "Nothing is missing" : `${several(missing, "thing")} missing`),
    el(
      "ul",
      {},
      asked.map((each) =>
        el(
          "li",
          { class: each.met ? "met" : "unmet" },
          el("span", { "aria-hidden": "true" }, each.met ? "✓ " : "○ "),
          spoken(each.met ? "met: " : "missing: "),
          each.asks,
          el("span", { class: "quiet" }, ` – has ${each.has}${each.lacks === null ? "" : `, ${each.lacks} more needed`}`),
        ),
      ),
    ),
  ];
}
