// A list of accounts: filters in the address, so that it can be shared, and a table.

import { Problem, read } from "../api.js";
import { addressOf, step } from "../changes.js";
import { el, table } from "../dom.js";
import { dayOf, fitOf, grouped, plain, points, several } from "../words.js";

const LIMIT = 50;
const ORDERS = { score: "highest score", changed: "newest tier change" };

export const title = () => "Accounts";

/** A page may come short although more match: go on until it is full. */
export async function load({ query }) {
  const asked = Object.fromEntries(query);
  if (asked.min_score) asked.min_score = thousandths("min_score", asked.min_score);
  let { accounts, next } = await read("/api/v1/accounts", { ...asked, limit: LIMIT });
  for (let turn = 0; next !== null && accounts.length < LIMIT && turn < 5; turn++) {
    const more = await read("/api/v1/accounts", { ...asked, limit: LIMIT - accounts.length, after: next });
    accounts = [...accounts, ...more.accounts];
    next = more.next;
  }
  return { accounts: accounts.map(({ profile, last_change }) => ({ ...profile, last_change })), next };
}

function thousandths(name, said) {
  const points = Number(said);
  if (!Number.isFinite(points)) throw new Problem(400, `${name} = ${said}: must be a number of points, such as 12.5`);
  return Math.round(points * 1000);
}

export function frame({ query }, { overview }) {
  return [el("h1", { tabindex: "-1" }, "Accounts"), filters(query, overview)];
}

export function render({ accounts, next }, { query }, { overview }) {
  const isLater = query.has("after");
  const count = several(accounts.length, "account");
  const caption = isLater ? `${count} further down the list` : next !== null ? `The first ${count}` : count;
  return el(
    "div",
    {},
    accounts.length === 0 && el("p", {}, "No account matches all of these."),
    accounts.length > 0 && table(caption, columns(overview, accounts), accounts, { id: "accounts", isWide: true }),
    el(
      "p",
      { class: "pages" },
      isLater && el("a", { href: addressWith(query, { after: null }) }, "First page"),
      next !== null && el("a", { href: addressWith(query, { after: next }), id: "next" }, `Next ${LIMIT}`),
    ),
  );
}

function columns({ ladders }, accounts) {
  return [
    {
      head: "Account",
      cell: (of) => [
        el("a", { href: addressOf(of.account) }, of.name ?? of.account),
        of.name !== null && el("small", {}, of.account),
        of.suppressed && el("small", {}, "suppressed: stays out"),
      ],
    },
    ...ladders.map(({ ladder }) => ({
      head: sentenceCase(ladder),
      cell: (of) => [el("span", { class: "rung" }, plain(of.rungs[ladder])), of.pinned.includes(ladder) && el("small", {}, "pinned")],
    })),
    { head: "Score", number: true, cell: (of) => points(of.score) },
    { head: "People", number: true, cell: (of) => grouped(of.people) },
    { head: "Fit", cell: (of) => fitOf(of) },
    accounts.some(({ surges }) => surges.length > 0) && { head: "Surges", cell: (of) => of.surges.map(plain).join(", ") },
    {
      head: "Last change",
      isLong: true,
      cell: (of) => of.last_change && [el("time", {}, dayOf(of.last_change.effective_at)), " ", step(of.last_change)],
    },
    { head: "Owner", cell: (of) => of.owner },
  ].filter(Boolean);
}

function filters(query, { ladders, segments, owners }) {
  const selects = [
    ...ladders.map(({ ladder, rungs }) =>
      select(ladder, sentenceCase(ladder), [["", "any"], ...rungs.map(({ rung }) => [rung, plain(rung)])], query),
    ),
    Object.keys(segments).length > 0 &&
      select(
        "segment",
        "Segment",
        [
          ["", "any"],
          ...Object.keys(segments)
            .sort()
            .map((name) => [name, plain(name)]),
        ],
        query,
      ),
    Object.keys(owners).length > 0 &&
      select(
        "owner",
        "Owner",
        [
          [ANY, "any"],
          ...Object.keys(owners)
            .sort()
            .map((name) => [name, name || "nobody"]),
        ],
        query,
        ANY,
      ),
    select("sort", "Order", Object.entries(ORDERS), query, "score"),
  ];
  const form = el(
    "form",
    { class: "filters", role: "search", "aria-label": "Which accounts" },
    labelled(
      "text",
      "Name, domain or CRM id",
      el("input", { id: "text", name: "text", type: "search", value: query.get("text") ?? "", maxlength: "256" }),
    ),
    labelled(
      "min_score",
      "Points at least",
      el("input", {
        id: "min_score",
        name: "min_score",
        type: "number",
        min: "0",
        step: "any",
        inputmode: "decimal",
        value: query.get("min_score") ?? "",
      }),
    ),
    selects,
    el("a", { href: "#/accounts", class: "clear" }, "Clear"),
  );
  const go = () => {
    location.hash = addressOfForm(form);
  };
  form.addEventListener("change", go);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go();
  });
  return form;
}

const ANY = "\u0000any"; // an owner's name may be empty, which asks for accounts without one

function addressOfForm(form) {
  const said = [...new FormData(form)].filter(
    ([name, value]) => (name === "owner" ? value !== ANY : value !== "") && !(name === "sort" && value === "score"),
  );
  return addressWith(new URLSearchParams(said), {});
}

function addressWith(query, changed) {
  const said = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changed)) value === null ? said.delete(name) : said.set(name, value);
  return said.size ? `#/accounts?${said}` : "#/accounts";
}

function select(name, label, options, query, none = "") {
  const chosen = query.get(name) ?? none;
  const known = options.some(([value]) => value === chosen) ? options : [...options, [chosen, chosen]];
  return labelled(
    name,
    label,
    el(
      "select",
      { id: name, name },
      known.map(([value, text]) => el("option", { value, selected: value === chosen }, text)),
    ),
  );
}

function labelled(id, label, field) {
  return el("div", {}, el("label", { for: id }, label), field);
}

function sentenceCase(name) {
  const words = plain(name);
  return words[0].toUpperCase() + words.slice(1);
}
