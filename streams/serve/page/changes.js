// Tier changes as people read them, one line each.

import { el, spoken } from "./dom.js";
import { dayOf, plain, why } from "./words.js";

/** A list of tier changes as they were sent. `isOfOne`: all are of one account, whose name goes without saying. */
export function changeList(changes, { isOfOne = false } = {}) {
  return el(
    "ol",
    { class: "changes" },
    changes.map((change) => line(change, isOfOne)),
  );
}

function line(change, isOfOne) {
  const account = isOfOne ? null : el("a", { href: addressOf(change.account) }, change.account);
  return el(
    "li",
    {},
    el("time", { datetime: change.effective_at }, dayOf(change.effective_at)),
    el(
      "div",
      {},
      account,
      account && " ",
      step(change),
      change.qualified && el("strong", { class: "badge" }, "new MQA"),
      el("p", {}, why(change)),
    ),
  );
}

/** From where to where, with its direction. */
export function step({ from, to, direction }) {
  const rose = direction === "promotion";
  return el(
    "span",
    { class: "step" },
    el("span", { class: rose ? "up" : "down" }, el("span", { "aria-hidden": "true" }, rose ? "▲" : "▼"), spoken(rose ? "rose" : "fell")),
    ` ${plain(from)} → `,
    el("b", {}, plain(to)),
  );
}

/** The address of an account on this page. */
export function addressOf(account) {
  return `#/accounts/${encodeURIComponent(account)}`;
}
