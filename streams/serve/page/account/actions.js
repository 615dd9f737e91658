// What people may decide of an account by hand. Each goes through a dialog that says what it does, and shows what became of it.

import { write } from "../api.js";
import { el } from "../dom.js";
import { plain, shortPerson } from "../words.js";

/** Buttons for those who may. */
export function actions(explanation, { ladders, suppress }) {
  const known = explanation.people.known.map(({ person }) => person);
  const all = [
    pinning(ladders),
    ...unpinning(explanation),
    explanation.suppressed !== null ? letting : suppress.length > 0 && suppressing(suppress),
    disposing,
    known.length > 0 && retracting(known, explanation.contacts),
  ].filter(Boolean);
  const button = (action, number) =>
    el("button", { type: "button", id: `action-${number}`, on: { click: () => ask(action, explanation.account) } }, `${action.name} …`);
  return el("section", { class: "actions" }, el("h2", {}, "Decide by hand"), el("p", {}, all.map(button)));
}

function pinning(ladders) {
  const rungs = ladders.flatMap(({ ladder, rungs: names }) =>
    names.map(({ rung }) => [`${ladder}/${rung}`, `${plain(ladder)}: ${plain(rung)}`]),
  );
  return {
    name: "Pin",
    says: "It stands on this rung, whatever the numbers say, until the day you name or until the pin is taken off.",
    fields: [choice("rung", "Rung", rungs), dated("until", "Until, that day included (may be empty)"), reason],
    path: "pin",
    body: ({ rung, ...said }) => ({ ladder: rung.split("/")[0], rung: rung.slice(rung.indexOf("/") + 1), ...said }),
  };
}

function unpinning({ standings }) {
  const pinned = standings.filter(({ pin }) => pin !== null);
  return pinned.map(({ ladder }) => ({
    name: `Take the pin off ${plain(ladder)}`,
    says: "The numbers decide again where it stands.",
    fields: [],
    method: "DELETE",
    path: `pin/${ladder}`,
  }));
}

const reason = (id) => ({ name: "reason", label: "Reason (may be empty)", field: el("input", { id, name: "reason", maxlength: "4096" }) });

function suppressing(relationships) {
  return {
    name: "Suppress",
    says: "It falls to the bottom of every ladder and stays there until its relationship is told anew.",
    fields: [
      choice(
        "relationship",
        "Because its relationship is",
        relationships.map((name) => [name, plain(name)]),
      ),
    ],
    path: "suppression",
  };
}

const letting = {
  name: "Suppress no more",
  says: "Nothing is said of its relationship any more: the numbers decide again where it stands.",
  fields: [],
  method: "DELETE",
  path: "suppression",
};

const disposing = {
  name: "Tell what sales says",
  says: "What sales said of the account counts from now on.",
  fields: [
    choice("status", "Sales has", [
      ["accepted", "accepted it"],
      ["rejected", "rejected it"],
      ["recycled", "sent it back to marketing"],
    ]),
    reason,
  ],
  path: "disposition",
};

function retracting(known, contacts) {
  const people = known.map((person) => [person, contacts?.[person]?.name ?? contacts?.[person]?.email ?? shortPerson(person)]);
  return {
    name: "Take a person's signals out",
    says: "Everything that this person did so far no longer counts for the account. This cannot be undone.",
    fields: [choice("person", "Person", people), reason],
    path: "retraction",
  };
}

function choice(name, label, options) {
  return (id) => ({
    name,
    label,
    field: el(
      "select",
      { id, name, required: true },
      [["", "choose …"], ...options].map(([value, text]) => el("option", { value }, text)),
    ),
  });
}

function dated(name, label) {
  return (id) => ({ name, label, field: el("input", { id, name, type: "date" }) });
}

/** Ask in a dialog, send, and say what became of it. Sent twice by one dialog, it is one update. */
function ask({ name, says, fields, method = "POST", path, body = (said) => said }, account) {
  const key = [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16).padStart(2, "0")).join("");
  const answer = el("p", { role: "status" });
  const send = el("button", { class: "main" }, name);
  const close = el("button", { type: "button", on: { click: () => dialog.close() } }, "Cancel");
  const rows = fields
    .map((make, number) => make(`said-${number}`))
    .map(({ label, field }) => [el("label", { for: field.id }, label), field]);
  const submit = async (event) => {
    event.preventDefault();
    const said = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value !== ""));
    send.disabled = true;
    try {
      const { id } = await write(
        method,
        `/api/v1/accounts/${encodeURIComponent(account)}/${path}`,
        method === "DELETE" ? null : body(said),
        key,
      );
      answer.textContent = `Sent as ${id}. It shows here once a worker has taken it, which is a matter of seconds.`;
      close.textContent = "Close";
    } catch (problem) {
      answer.textContent = `Not sent: ${problem.message}`;
      send.disabled = false;
    }
  };
  const dialog = el(
    "dialog",
    { "aria-labelledby": "asked", on: { close: () => dialog.remove() } },
    el(
      "form",
      { on: { submit } },
      el("h2", { id: "asked" }, `${name}: ${account}`),
      el("p", {}, says),
      rows,
      answer,
      el("p", { class: "buttons" }, send, close),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}
