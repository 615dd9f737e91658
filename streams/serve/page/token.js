// Where a token is asked for.

import { token } from "./api.js";
import { el } from "./dom.js";

/** A form for a token; `why` says what for. `go`: called once there is one. */
export function tokenForm(why, go) {
  const field = el("input", { id: "token", type: "password", autocomplete: "off", required: true, spellcheck: "false" });
  const submit = (event) => {
    event.preventDefault();
    token.keep(field.value.trim());
    go();
  };
  return el(
    "form",
    { class: "token", on: { submit } },
    el("h1", { tabindex: "-1" }, "Token"),
    el("p", {}, why),
    el("p", {}, "Whoever runs this server makes one by ", el("code", {}, "mqa serve token"), ". It stays in this tab, and goes with it."),
    el("label", { for: "token" }, "Token"),
    field,
    el("button", {}, "Go on"),
  );
}
