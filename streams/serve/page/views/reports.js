// What-if reports: a list, and one of them in a frame that may do nothing.

import { read } from "../api.js";
import { el, table } from "../dom.js";
import { grouped, minuteOf } from "../words.js";

export const isStill = true; // each answer has new addresses, and what somebody reads is not to be loaded anew

export const title = (_answer, { query }) => query.get("name") ?? "Reports";

export function load() {
  return read("/api/v1/reports");
}

export function render({ reports }, { query }) {
  const open = reports.find(({ name }) => name === query.get("name"));
  return el(
    "div",
    {},
    el("h1", { tabindex: "-1" }, "Reports"),
    reports.length === 0 && el("p", {}, "There is none. ", el("code", {}, "mqa serve --reports FOLDER"), " shows those of a folder."),
    reports.length > 0 && table("What other rules would have done", columns, reports),
    open &&
      el(
        "section",
        {},
        el("h2", {}, open.name),
        el("iframe", { sandbox: true, src: open.href, title: `Report ${open.name}`, referrerpolicy: "no-referrer" }),
      ),
  );
}

const columns = [
  { head: "Report", cell: ({ name }) => el("a", { href: `#/reports?${new URLSearchParams({ name })}` }, name) },
  { head: "Written", cell: ({ changed_at }) => minuteOf(changed_at) },
  { head: "Size", number: true, cell: ({ bytes }) => `${grouped(Math.ceil(bytes / 1000))} kB` },
];
