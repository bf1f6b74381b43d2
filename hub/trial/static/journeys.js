// The middle pane: how far each request is, and what the hub did, in human words.

import { act, byId, knows, make, say, show, time } from "./page.js";

const STEPS = ["received", "sorted", "ticket", "answered", "published"];
// What the flow writes into the timeline in English, as its words begin.
const REASONS = [
  ["written by an automatism", "reason.automatic"],
  ["written by the role", "reason.role"],
  ["older than", "reason.older"],
  ["an internal note", "reason.note"],
  ["observe mode", "reason.observe"],
  ["fuse:", "reason.fuse"],
  ["unknown outcome:", "reason.unknown"],
];
// Too small for a line of their own: the steps above already show them.
const QUIET = new Set(["assigned", "answer_composed", "record_changed", "field_taken", "fields_collected"]);

export function start() {
  byId("modes").addEventListener("change", (event) => {
    tellMode(event.target.value);
    act("mode", { mode: event.target.value });
  });
}

function tellMode(mode) {
  byId("mode-about").textContent = say(`mode.${mode}.about`);
}

export function showHub(hub) {
  const chosen = document.querySelector(`#modes input[value="${hub.mode}"]`);
  if (chosen && !byId("modes").contains(document.activeElement)) chosen.checked = true;
  tellMode(document.querySelector("#modes input:checked")?.value ?? hub.mode);
  byId("count").textContent = hub.count;
  byId("waiting").textContent = hub.waiting;
  byId("parked").textContent = hub.parked;
  byId("lag").textContent = hub.lag === null ? "–" : `${hub.lag.toFixed(1)} s`;
  if (hub.tickets.length === 0) return;
  byId("journeys").querySelector(".empty")?.remove();
  const last = (ticket) => Date.parse(ticket.events.at(-1)?.at ?? 0);
  const tickets = [...hub.tickets].sort((one, other) => last(other) - last(one)).slice(0, 8);
  show(byId("journeys"), tickets, (ticket) => ticket.code, JSON.stringify, build);
}

function build(ticket) {
  const chips = [ticket.kind !== "other" && chip(ticket.kind), ticket.category && make("span", { class: "chip" }, named("category", ticket.category)),
    ticket.priority !== "normal" && chip(ticket.priority), ticket.team && make("span", { class: "chip" }, say("chip.team", { team: named("team", ticket.team) }))];
  const lines = ticket.events.filter((event) => !QUIET.has(event.kind)).slice(-5).reverse();
  return make("article", { class: "journey" },
    make("div", { class: "journey-head" },
      make("a", { href: `/console/tickets/${encodeURIComponent(ticket.code)}`, title: say("hub.ticket_link", { code: ticket.code }) }, ticket.code),
      make("strong", {}, ticket.author), ticket.lag === null ? "" : make("span", { class: "lag", title: say("hub.lag") }, `${ticket.lag.toFixed(1)} s`)),
    make("div", { class: "chips" }, ...chips.filter(Boolean), make("span", { class: "chip" }, ticket.connection)),
    steps(ticket),
    make("ul", { class: "lines" }, ...lines.map((event) => make("li", { class: event.kind }, make("span", {}, tell(event)), time(event.at)))));
}

const named = (group, name) => (knows(`${group}.${name}`) ? say(`${group}.${name}`) : name);
const chip = (name) => make("span", { class: `chip ${name}` }, named("chip", name));

function steps(ticket) {
  const done = new Set(ticket.done);
  return make("ol", { class: "journey-steps", "aria-label": say("journey.label") }, ...STEPS.map((name) => {
    if (name !== "published" || ticket.answer === "sending" || !ticket.answer) return make("li", { class: done.has(name) ? "done" : "open" }, say(`journey.${name}`));
    if (ticket.answer === "published") return make("li", { class: "done" }, say(ticket.private ? "journey.private" : "journey.published"));
    return make("li", { class: "held", "aria-current": "step" }, say(`journey.${ticket.answer}`));
  }));
}

function tell(event) {
  const values = { actor: event.actor, ...event.data, parts: event.data.parts?.join?.(" ") ?? "" };
  const why = REASONS.find(([start]) => values.reason?.startsWith(start));
  if (why) values.reason = say(why[1]);
  if (values.team) values.team = named("team", values.team);
  const split = event.kind === "answer_published" && event.data.parts > 1 ? (event.data.part === event.data.parts ? ".parts" : ".part") : "";
  if (split) [values.parts, values.part] = [event.data.parts, event.data.part];
  const key = `event.${event.kind}${event.private ? ".private" : ""}${split}`;
  return knows(key) ? say(key, values) : event.kind.replaceAll("_", " ");
}
