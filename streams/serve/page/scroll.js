// Back leads to the same height of the page, although what stands there is read anew.

const heights = new Map();
let entry = null;

/** Remember from now on how far each address of this tab's history was scrolled. */
export function rememberScroll() {
  history.scrollRestoration = "manual";
  addEventListener("scroll", () => entry === null || heights.set(entry, scrollY), { passive: true });
  addEventListener("hashchange", () => {
    entry = null;
  });
}

/** Scroll to where the reader was when they come back to an address, else to the top. */
export function restoreScroll() {
  const known = history.state?.entry;
  scrollTo({ top: heights.get(known) ?? 0, behavior: "instant" });
  entry = known ?? heights.size + performance.now();
  heights.set(entry, scrollY);
  if (known === undefined) history.replaceState({ entry }, "");
}
