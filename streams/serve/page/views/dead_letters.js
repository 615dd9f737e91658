// What could not be used, why, and where it lies.

import { read } from "../api.js";
import { el, folded, table } from "../dom.js";
import { grouped, minuteOf, plain, several } from "../words.js";

const LIMIT = 100;

export const title = () => "Dead letters";

export function load({ query }) {
  return read("/api/v1/dead-letters", { ...Object.fromEntries(query), limit: LIMIT });
}

export function render({ letters, reasons }, { query }) {
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
  const columns = [
    { head: "Received", cell: ({ received_at }) => el("time", {}, minuteOf(received_at)) },
    { head: "Reason", cell: ({ reason, retried }) => [only("reason", reason), retried && el("small", { class: "badge" }, "sent again")] },
    {
      head: "What is wrong",
      isLong: true,
      cell: ({ detail, no_retry }) => [
        detail ?? el("span", { class: "quiet" }, "told to tokens with the scope people"),
        no_retry && el("small", {}, `cannot be sent again: ${no_retry}`),
      ],
    },
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
      cell: ({ place, original }) => [
        el("code", {}, place),
        original !== null && folded(`letter-${place}`, "original", el("pre", { tabindex: "0" }, original)),
      ],
    },
  ];
  return table(`The newest ${several(letters.length, "dead letter")}`, columns, letters, { id: "letters", isWide: true });
}
