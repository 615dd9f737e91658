// Which view is shown, and that it stays true: read anew every few seconds while somebody looks.

import { Problem, read, readiness, token } from "./api.js";
import { el, keeping } from "./dom.js";
import { rememberScroll, restoreScroll } from "./scroll.js";
import { showStatus, showTrouble } from "./status.js";

const PAUSE = 15_000; // ms
const VIEWS = {
  "": "overview",
  accounts: "accounts",
  account: "account",
  "dead-letters": "dead_letters",
  reports: "reports",
  token: "token",
};

const content = document.getElementById("content");
let turn = 0; // which reading is the newest: an older one that answers late is dropped
let shown = { place: null, hash: null, said: null };

/** "#/accounts/acme.com?sort=score" -> {name: "account", item: "acme.com", query, place: what is before "?"}. */
function routeOf(hash) {
  const [place, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [first, ...rest] = place.split("/");
  const item = rest.length ? decoded(rest.join("/")) : null;
  return { name: first === "accounts" && item ? "account" : first, item, query: new URLSearchParams(query), place };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Show what the address asks for; `isGentle`: it is shown already, and only what changed is to change. */
async function show({ isGentle = false } = {}) {
  const own = ++turn;
  const { hash } = location;
  const route = routeOf(hash);
  const health = readiness().catch(() => null);
  try {
    if (!Object.hasOwn(VIEWS, route.name)) throw new Problem(404, "There is no such view here.");
    const view = await import(`./views/${VIEWS[route.name]}.js`);
    const [overview, me, answer] = await Promise.all([read("/api/v1/overview"), read("/api/v1/me"), view.load(route)]);
    if (own !== turn) return;
    showTrouble(null);
    showStatus(overview, await health, me);
    place({ view, route, around: { overview, me }, answer, hash, isGentle });
  } catch (problem) {
    if (own !== turn) return;
    if (!(problem instanceof Problem)) throw problem;
    await fail(problem, { isGentle, hash, route });
  }
}

function place({ view, route, around, answer, hash, isGentle }) {
  const said = JSON.stringify([around, answer]);
  if (isGentle && (said === shown.said || view.isStill)) {
    shown.at = new Date();
    return;
  }
  const live = () => view.render(answer, route, around);
  keeping(content, () => {
    const kept = isGentle ? document.getElementById("live") : null;
    if (kept) kept.replaceChildren(live());
    else content.replaceChildren(...(view.frame?.(route, around) ?? []), el("div", { id: "live" }, live()));
  });
  document.title = `${view.title(answer, route)} · mqa`;
  arrive(route, hash, said);
}

async function fail(problem, { isGentle, hash, route }) {
  const isOut = problem.status === 0 || problem.status >= 500 || problem.status === 429;
  if (problem.status === 401 || problem.status === 403) {
    const { tokenForm } = await import("./token.js");
    const why =
      token.get() === null ? "What is shown here is for people who have a token." : `The token of this tab does not do: ${problem.message}`;
    content.replaceChildren(tokenForm(why, show));
    showTrouble(null);
  } else if (isOut && isGentle && shown.said !== null) {
    showTrouble(problem, shown.at);
    return; // what stood there is still the best there is
  } else if (isOut) {
    showTrouble(problem, null);
    content.replaceChildren(el("h1", { tabindex: "-1" }, "Nothing to show yet"), el("p", {}, "This page tries again by itself."));
  } else {
    showTrouble(null);
    content.replaceChildren(
      el("h1", { tabindex: "-1" }, problem.status === 404 ? "Not found" : "This cannot be shown"),
      el("p", {}, problem.message),
      el("p", {}, el("a", { href: "#/accounts" }, "All accounts")),
    );
  }
  arrive(route, hash, null);
}

function arrive(route, hash, said) {
  const isElsewhere = shown.place !== null && shown.place !== route.place;
  const isMoved = shown.hash !== hash;
  shown = { place: route.place, hash, said, at: new Date() };
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.hash.replace(/^#\/?/, "") === route.place.split("/")[0];
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (isElsewhere) content.querySelector("h1")?.focus({ preventScroll: true });
  if (isMoved) restoreScroll();
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which view this is
  content.focus();
});
addEventListener("hashchange", () => show());
document.addEventListener("visibilitychange", () => document.hidden || show({ isGentle: true }));
setInterval(() => document.hidden || show({ isGentle: true }), PAUSE);
rememberScroll();
show();
