// Who the account is, and what it is interested in.

import { el, folded, spoken, table } from "../dom.js";
import { fitOf, grouped, plain, several, told } from "../words.js";

const MARKS = { met: "✓", "not met": "✗", unknown: "?" };
const AT_ONCE = 8;

export function fitSection({ fit, worth }) {
  return el(
    "section",
    {},
    el("h2", {}, fit === null ? "Fit" : `Fit: ${fitOf({ fit: fit.score, grade: fit.grade })}${fit.score === null ? "" : " of 100"}`),
    fit === null ? el("p", {}, "The rulebook has no criteria of fit.") : criteria(fit),
    worth !== null && el("p", {}, valued(worth)),
  );
}

function criteria({ criteria: all, known }) {
  const columns = [
    { head: "Criterion", cell: ({ name }) => plain(name) },
    { head: "Asks for", cell: ({ asks }) => asks },
    { head: "Has", cell: ({ has }) => told(has) },
    {
      head: "Answer",
      cell: ({ answer }) =>
        el("span", { class: `answer ${answer.replace(" ", "-")}` }, el("span", { "aria-hidden": "true" }, `${MARKS[answer]} `), answer),
    },
    { head: "Weight", number: true, cell: ({ weight }) => grouped(weight) },
  ];
  return [
    table("Fit by criterion", columns, all, { isWide: true }),
    known < 1000 && el("p", { class: "quiet" }, `${Math.trunc(known / 10)}% of the weights are known; the score is of these.`),
  ];
}

function valued({ value, expected_ltv, high, strategic }) {
  const parts = [`Value: ${value}`];
  if (expected_ltv !== null)
    parts.push(`expected lifetime value ${grouped(expected_ltv)}${high === null ? "" : ` (high from ${grouped(high)} on)`}`);
  if (strategic !== null) parts.push(strategic ? "strategic" : "not strategic");
  return `${parts.join(", ")}.`;
}

export function intentSection({ interests }) {
  const columns = [
    { head: "Topic", cell: ({ name, is_need }) => [plain(name), is_need && el("small", {}, "need")] },
    { head: "Interest", cell: interest },
    { head: "Last 3 weeks", number: true, cell: ({ recent }) => grouped(recent) },
    { head: "12 weeks before", number: true, cell: ({ baseline }) => grouped(baseline) },
    { head: "People", number: true, cell: ({ people }) => grouped(people) },
  ];
  const topics = (caption, rows) => table(caption, columns, rows, { isWide: true });
  return el(
    "section",
    {},
    el("h2", {}, "Intent by topic"),
    interests.length === 0 && el("p", {}, "No signal had a topic."),
    interests.length > 0 && topics("Signals by topic", interests.slice(0, AT_ONCE)),
    interests.length > AT_ONCE &&
      folded("more-topics", several(interests.length - AT_ONCE, "more topic"), topics("Other topics", interests.slice(AT_ONCE))),
  );
}

function interest({ score, surges, unknown, surging_topics }) {
  const number =
    score !== null
      ? `${score} of 100`
      : surging_topics !== null
        ? `${several(surging_topics.length, "topic surges", "topics surge")}`
        : null;
  return [
    surges && el("strong", { class: "up" }, "▲", spoken(" "), " surges"),
    surges && number && ", ",
    number,
    number === null && el("span", { class: "quiet" }, unknown ?? "unknown"),
  ];
}
