// One account: how it stands and why, what is missing, who the people are.

import { read } from "../api.js";
import { changeList } from "../changes.js";
import { el } from "../dom.js";
import { layers, trendChart } from "../trend_chart.js";
import { scoreSection } from "../account/score.js";
import { standingSection } from "../account/standing.js";
import { peopleSection } from "../account/people.js";
import { fitSection, intentSection } from "../account/fit.js";
import { actions } from "../account/actions.js";

const DAYS = 90;

export const title = ({ explanation }) => explanation.name ?? explanation.account;

export async function load({ item }) {
  const path = `/api/v1/accounts/${encodeURIComponent(item)}`;
  const [explanation, trend, timeline] = await Promise.all([read(path), read(`${path}/trend`, { days: DAYS }), read(`${path}/timeline`)]);
  return { explanation, trend, timeline };
}

export function render({ explanation, trend, timeline }, _route, { overview, me }) {
  const { days, exact_from } = trend;
  return el(
    "article",
    { class: "account" },
    heading(explanation),
    explanation.coarsened &&
      el(
        "p",
        { class: "note" },
        "It has more people or topics than are kept one by one: the rest is counted together, so people and topics are approximate.",
      ),
    el(
      "section",
      { "aria-labelledby": "over-time" },
      el("h2", { id: "over-time" }, "Score over time"),
      el("p", { class: "quiet" }, "As today's rules count it. Point at a day, or move the slider, to see what pushed it."),
      trendChart(days, timeline.changes),
      days.length > 0 &&
        days[0].day < exact_from &&
        el("p", { class: "quiet" }, `Before ${exact_from} the score was at least this: older signals are no longer kept.`),
    ),
    el(
      "div",
      { class: "side-by-side" },
      explanation.standings.map((standing) => standingSection(standing, overview.ladders, explanation)),
    ),
    el("div", { class: "side-by-side" }, scoreSection(explanation, layers(days)), peopleSection(explanation)),
    el("div", { class: "side-by-side" }, fitSection(explanation), intentSection(explanation)),
    el(
      "section",
      {},
      el("h2", {}, "What happened"),
      timeline.changes.length ? changeList(timeline.changes, { isOfOne: true }) : el("p", {}, "No tier change so far."),
    ),
    me.writes && actions(explanation, overview),
  );
}

function heading({ account, name, crm_id, owner, region, segments, cluster, sentence }) {
  const facts = [
    name !== null && ["Domain", account],
    ["Owner", owner ?? "nobody"],
    region !== null && ["Region", region],
    crm_id !== null && ["CRM id", crm_id],
    segments.length > 0 && ["Segments", segments.join(", ")],
    cluster !== null && ["Cluster", cluster],
  ].filter(Boolean);
  return [
    el("h1", { tabindex: "-1" }, name ?? account),
    el(
      "dl",
      { class: "facts" },
      facts.map(([term, text]) => el("div", {}, el("dt", {}, term), el("dd", {}, text))),
    ),
    el("p", { class: "gist" }, sentence),
  ];
}
