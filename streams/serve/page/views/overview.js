// All accounts on their ladders, what moved, and the latest tier changes.

import { read } from "../api.js";
import { el, folded, spoken, table } from "../dom.js";
import { changeList } from "../changes.js";
import { grouped, listed, plain, several } from "../words.js";

const LATEST = 12; // with what tells them the whole view stays under 50 kB
const SPANS = [7, 30]; // days
const MOST_OWNERS = 8;

export const title = () => "Overview";

/** The newest first. */
export async function load() {
  const { changes } = await read("/api/v1/tier-changes", { last: LATEST, limit: LATEST });
  return changes.reverse();
}

export function render(changes, _route, { overview }) {
  return el(
    "div",
    { class: "overview" },
    el("h1", { tabindex: "-1" }, `${several(overview.accounts, "account")}`),
    el(
      "div",
      { class: "side-by-side" },
      overview.ladders.map((ladder) => board(ladder, overview.moves)),
    ),
    el(
      "div",
      { class: "side-by-side uneven" },
      el(
        "section",
        { "aria-labelledby": "latest" },
        el("h2", { id: "latest" }, "Latest tier changes"),
        changes.length ? changeList(changes) : el("p", {}, "None so far."),
      ),
      el("div", {}, shares("By segment", "segment", overview.segments), shares("By owner", "owner", overview.owners)),
    ),
  );
}

/** One ladder, its highest rung on top: who stands there, who came there lately. */
function board({ ladder, rungs }, moves) {
  const most = Math.max(1, ...rungs.map((rung) => rung.accounts));
  const columns = [
    { head: plain(ladder), cell: ({ rung }) => el("a", { href: `#/accounts?${new URLSearchParams({ [ladder]: rung })}` }, plain(rung)) },
    { head: "accounts", cell: ({ accounts }) => [el("span", {}, grouped(accounts)), bar(accounts / most)] },
    ...SPANS.map((days) => ({ head: `${days} days`, number: true, cell: ({ rung }) => moved(moves[days], ladder, rung) })),
  ];
  const legend = el("span", { class: "legend" }, `▲ rose to it, ▼ fell from it, in the last ${listed(SPANS)} days`);
  const caption = [`Accounts by ${plain(ladder)}`, legend];
  return el("section", { class: "board" }, table(caption, columns, [...rungs].reverse()));
}

function bar(share) {
  const inner = el("span", { class: "bar", "aria-hidden": "true" });
  inner.style.setProperty("--share", share);
  return inner;
}

function moved(moves, ladder, rung) {
  const sum = (chosen) => moves.filter((move) => move.ladder === ladder && chosen(move)).reduce((total, move) => total + move.changes, 0);
  const risen = sum((move) => move.direction === "promotion" && move.to === rung);
  const fallen = sum((move) => move.direction === "demotion" && move.from === rung);
  if (risen + fallen === 0) return el("span", { class: "quiet" }, "–", spoken("no moves"));
  return [
    risen > 0 && el("span", { class: "up" }, el("span", { "aria-hidden": "true" }, "▲"), spoken("rose to it: "), grouped(risen)),
    risen > 0 && fallen > 0 && " ",
    fallen > 0 && el("span", { class: "down" }, el("span", { "aria-hidden": "true" }, "▼"), spoken("fell from it: "), grouped(fallen)),
  ];
}

function shares(heading, field, counts) {
  const sorted = Object.entries(counts).sort(([, one], [, other]) => other - one);
  if (sorted.length === 0) return null;
  const line = ([name, count]) =>
    el(
      "li",
      {},
      el("a", { href: `#/accounts?${new URLSearchParams({ [field]: name })}` }, name === "" ? "nobody" : plain(name)),
      el("span", { class: "number" }, grouped(count)),
    );
  const rest = sorted.slice(MOST_OWNERS);
  return el(
    "section",
    { class: "shares" },
    el("h2", {}, heading),
    el("ul", {}, sorted.slice(0, MOST_OWNERS).map(line)),
    rest.length > 0 && folded(`more-${field}`, `${grouped(rest.length)} more`, el("ul", {}, rest.map(line))),
  );
}
