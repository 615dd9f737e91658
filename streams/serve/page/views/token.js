// Whose token this tab has, and a place for another.

import { token } from "../api.js";
import { el } from "../dom.js";
import { tokenForm } from "../token.js";

export const title = () => "Token";

export async function load() {
  return null;
}

export function render(_answer, _route, { me }) {
  const go = () => location.assign("#/");
  const forget = () => {
    token.drop();
    go();
  };
  if (me.name === null)
    return tokenForm("This page shows what everybody here may see. A token may show who people are, and allow decisions by hand.", go);
  return el(
    "div",
    {},
    el("h1", { tabindex: "-1" }, "Token"),
    el("p", {}, `This tab has the token of ${me.name}, which may: ${me.scopes.join(", ")}.`),
    el("button", { type: "button", on: { click: forget } }, "Forget it"),
  );
}
