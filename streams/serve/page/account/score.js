// What the points are of, what caps held back, and what is left of them later.

import { el, table } from "../dom.js";
import { exact, grouped, listed, plain, points, several, shortPerson } from "../words.js";

/** `layers`: kind -> its colour in the chart. */
export function scoreSection(explanation, layers) {
  const { shares, score, rolled_up, ahead } = explanation;
  return el(
    "section",
    {},
    el("h2", {}, `Score: ${points(score)} points`),
    shares.length === 0 ? el("p", {}, "No signal is still worth anything.") : sharesTable(shares, score, layers),
    explanation.caps.map((cap) => el("p", { class: "quiet" }, capped(cap, explanation.people))),
    shares.length > 0 &&
      el(
        "p",
        {},
        `If nothing more happens: ${listed(ahead.map((each) => `${points(each.score)} points in ${several(each.days, "day")}`))}.`,
      ),
    rolled_up !== null && rolledUp(rolled_up),
  );
}

function sharesTable(shares, score, layers) {
  const columns = [
    {
      head: "Kind",
      cell: ({ kind }) => [el("span", { class: `swatch kind-${layers.get(kind) ?? "rest"}`, "aria-hidden": "true" }), plain(kind)],
    },
    { head: "Points", number: true, cell: (share) => exact(share.points) },
    { head: "Signals", number: true, cell: (share) => grouped(share.signals) },
    { head: "People", number: true, cell: (share) => grouped(share.people) },
    { head: "Held back", number: true, cell: ({ clipped }) => (clipped > 0 ? exact(clipped) : el("span", { class: "quiet" }, "–")) },
  ];
  const held = shares.reduce((sum, share) => sum + share.clipped, 0);
  const foot = el(
    "tfoot",
    {},
    el(
      "tr",
      {},
      el("th", { scope: "row" }, "together"),
      el("td", { class: "number" }, exact(score)),
      el("td"),
      el("td"),
      el("td", { class: "number" }, held > 0 ? exact(held) : ""),
    ),
  );
  return table("Points by kind; held back is what caps cut off", columns, shares, { foot });
}

function capped(cap, people) {
  return `At most ${points(cap.limit)} for ${whose(cap, people)}: ${points(cap.earned)} were earned, ${points(cap.over)} too much.`;
}

function whose({ name, person }, { known }) {
  if (name === "person")
    return `one person (${plain(known.find((each) => each.person === person)?.role ?? "no role")}, ${shortPerson(person)})`;
  if (name === "anonymous") return "anonymous visitors";
  if (name === "third_party") return "third-party signals";
  return `all of ${plain(name.replace(/^account\./, ""))}`;
}

function rolledUp({ score, people, accounts, coarsened }) {
  const told = `${points(score)} points, ${several(people, "active person", "active people")}`;
  return el("p", {}, `With the accounts below it (${accounts.join(", ")}): ${told}${coarsened ? ", approximately" : ""}.`);
}
