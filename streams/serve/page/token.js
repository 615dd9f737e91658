// Where a token is asked for.

import { token } from "./api.js";
import { el } from "./dom.js";

/** A form for a token; `problem` says why. `go`: called once there is one. */
export function tokenForm(problem, go) {
  const field = el("input", { id: "token", type: "password", autocomplete: "off", required: true, spellcheck: "false" });
  const submit = (event) => {
    event.preventDefault();
    token.keep(field.value.trim());
    go();
  };
  const had = token.get() !== null;
  return el(
    "form",
    { class: "token", on: { submit } },
    el("h1", { tabindex: "-1" }, "A token is needed"),
    el("p", {}, had ? `The token that this tab has does not do: ${problem.message}` : problem.message),
    el("p", {}, "Whoever runs mqa makes one by ", el("code", {}, "mqa serve token"), ". It stays in this tab, and goes with it."),
    el("label", { for: "token" }, "Token"),
    field,
    el("button", {}, "Go on"),
  );
}
