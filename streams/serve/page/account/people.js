// Who earned the points, and how much of the buying committee is known.

import { el, folded, table } from "../dom.js";
import { exact, grouped, plain, several, shortPerson } from "../words.js";

const AT_ONCE = 10;

export function peopleSection({ people, contacts }) {
  const { known } = people;
  return el(
    "section",
    {},
    el("h2", {}, `People: ${several(people.active, "active person", "active people")}`),
    people.committee !== null && committee(people.committee),
    known.length > 0 && peopleTable("Who was seen, or is on a contact list", known.slice(0, AT_ONCE), contacts),
    known.length > AT_ONCE &&
      folded("more-people", `${grouped(known.length - AT_ONCE)} more`, peopleTable("The others", known.slice(AT_ONCE), contacts)),
    known.length === 0 && el("p", {}, "Nobody is known yet."),
    others(people),
    people.active_days > 0 && el("p", { class: "quiet" }, `There was activity on ${several(people.active_days, "day")}.`),
  );
}

function peopleTable(caption, known, contacts = {}) {
  const columns = [
    { head: "Person", cell: (each) => named(each, contacts) },
    {
      head: "Role",
      cell: (each) => [each.role === null ? "unknown" : plain(each.role), notes(each).map((note) => el("small", { class: "badge" }, note))],
    },
    { head: "Points", number: true, cell: (each) => exact(each.points) },
    { head: "Last active", cell: (each) => each.last_active ?? "not lately" },
  ];
  return table(caption, columns, known);
}

function named({ person }, contacts) {
  const contact = contacts?.[person];
  if (contact === undefined) return el("code", { title: person }, shortPerson(person));
  return [contact.name ?? contact.email, contact.name && el("small", {}, contact.email)];
}

function notes({ counts, needed, blocks }) {
  return [needed && "needed", blocks && "may block", !counts && "counts for nothing"].filter(Boolean);
}

function committee({ known, missing, share, blockers }) {
  const roles = (names) => (names.length ? names.map(plain).join(", ") : "none");
  return [
    el("h3", {}, `Buying committee: ${Math.trunc(share / 10)}% known`),
    el(
      "dl",
      { class: "facts" },
      [
        ["Known", known],
        ["Missing", missing],
        ["May block", blockers],
      ].map(([term, names]) => el("div", {}, el("dt", {}, term), el("dd", {}, roles(names)))),
    ),
  ];
}

function others({ anonymous, anonymous_signals, merged, third_party, over_caps_of_kinds }) {
  const lines = [
    anonymous_signals > 0 && [`Anonymous visitors, ${several(anonymous_signals, "signal")}`, anonymous],
    third_party > 0 && ["What third parties report", third_party],
    merged > 0 && ["Others, who are no longer kept one by one", merged],
    over_caps_of_kinds > 0 && ["Held back by caps of kinds", -over_caps_of_kinds],
  ].filter(Boolean);
  return (
    lines.length > 0 &&
    el(
      "ul",
      { class: "sums" },
      lines.map(([text, amount]) => el("li", {}, text, el("span", { class: "number" }, exact(amount)))),
    )
  );
}
