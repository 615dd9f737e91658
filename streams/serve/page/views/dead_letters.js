// What could not be used, why, and where it lies.

import { read } from "../api.js";
import { el, folded, table } from "../dom.js";
import { grouped, minuteOf, plain, several } from "../words.js";

const LIMIT = 100;

export const title = () => "Dead letters";

export function load({ query }) {
  return read("/api/v1/dead-letters", { ...Object.fromEntries(query), limit: LIMIT });
}

export function render({ letters, reasons }, { query }, { me }) {
  const reason = query.get("reason");
  return el(
    "div",
    {},
    el("h1", { tabindex: "-1" }, "Dead letters"),
    el(
      "p",
      {},
      "Events that could not be used. Each is kept as it came in; once the cause is mended, ",
      el("code", {}, "mqa dead-letters retry"),
      " sends them again.",
    ),
    el(
      "p",
      {},
      Object.entries(reasons).map(([name, count]) => [only("reason", name), ` ${grouped(count)}  `]),
    ),
    chosen(query),
    letters.length > 0 &&
      !me.scopes.includes("people") &&
      el("p", { class: "quiet" }, "What is wrong with each, and what it holds, is told to tokens with the scope ", el("code", {}, "people"), "."),
    letters.length === 0 ? el("p", {}, reason === null ? "There is none." : "There is none of these.") : list(letters),
  );
}

function chosen(query) {
  if (query.size === 0) return null;
  return el(
    "p",
    {},
    `Only ${[...query].map(([name, value]) => `${name} ${plain(value)}`).join(", ")}. `,
    el("a", { href: "#/dead-letters", id: "all-letters" }, "Show all"),
  );
}

function only(field, value) {
  return el("a", { href: `#/dead-letters?${new URLSearchParams({ [field]: value })}` }, plain(value));
}

function list(letters) {
  const rows = [...letters].sort((one, other) => other.received_at.localeCompare(one.received_at)); // the API has them as they died
  const columns = [
    { head: "Received", cell: ({ received_at }) => el("time", {}, minuteOf(received_at)) },
    { head: "Reason", cell: ({ reason, retried }) => [only("reason", reason), retried && el("small", { class: "badge" }, "sent again")] },
    letters.some(({ detail }) => detail !== null) && { head: "What is wrong", isLong: true, cell: ({ detail }) => detail },
    {
      head: "Came in on",
      cell: ({ source }) => [
        only("source", source.topic),
        el("small", {}, `partition ${source.partition}, offset ${grouped(source.offset)}`),
      ],
    },
    {
      head: "Letter",
      isLong: true,
      cell: ({ place, original, no_retry }) => [
        el("code", {}, place),
        no_retry && el("small", {}, `cannot be sent again: ${no_retry}`),
        original !== null && folded(`letter-${place}`, "original", el("pre", { tabindex: "0" }, original)),
      ],
    },
  ].filter(Boolean);
  return table(`The newest ${several(letters.length, "dead letter")}`, columns, rows, { id: "letters", isWide: true });
}
