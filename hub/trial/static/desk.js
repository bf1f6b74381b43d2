// The right pane: the helpdesk, where a person answers.

import { act, avatar, byId, make, notice, say, show, time } from "./page.js";

let chosen = "";
let seen = [];
let drafts = new Set();
let tickets = new Map(); // by record
let silenced = false;
let statusShown = "";
let stick = true; // the newest comment stays in sight until the agent scrolls up

export function start() {
  byId("kinds").addEventListener("change", tellKind);
  tellKind();
  byId("record").addEventListener("scroll", () => { stick = nearEnd(byId("record")); });
  byId("answer-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const kind = new FormData(event.target).get("kind");
    const body = { record: chosen, text: byId("answer-text").value, public: kind !== "note", automatic: kind === "automatic" };
    stick = true;
    if (await act("answer", body)) byId("answer-text").value = "";
  });
  byId("status").addEventListener("change", (event) => act("update", { record: chosen, status: event.target.value }));
  byId("release").addEventListener("click", async () => {
    const record = chosen;
    const told = await act("update", { record, tag: "sch-send" });
    if (told?.waits === false) notice(say("desk.release.nothing"));
    else if (told) setTimeout(() => { if (drafts.has(record)) notice(say("desk.release.waits", { number: record })); }, 8000);
  });
}

function tellKind() {
  const kind = document.querySelector("#kinds input:checked").value;
  const ticket = tickets.get(chosen);
  const mode = silenced && ticket?.mode === "live" ? "halted" : ticket?.mode ?? "live";
  const from = ticket ? say("desk.from", { connection: ticket.connection, mode: say(`mode.${ticket.mode}`) }) : "";
  if (byId("from").textContent !== from) byId("from").textContent = from;
  const text = say(`desk.kind.${kind}.about${kind === "public" && mode !== "live" ? `.${mode}` : ""}`);
  if (byId("kind-about").textContent !== text) byId("kind-about").textContent = text;
}

export function showRecords(records, hub) {
  seen = records;
  drafts = new Set(hub.tickets.filter((ticket) => ticket.draft).map((ticket) => ticket.record));
  tickets = new Map([...hub.tickets].reverse().map((ticket) => [ticket.record, ticket]));
  silenced = hub.silenced;
  paint();
}

function paint() {
  const records = seen;
  if (records.length === 0) return;
  if (!records.some((record) => record.id === chosen)) chosen = records[0].id;
  tellKind();
  const signature = (record) => JSON.stringify([record.status, record.comments.length, record.subject, record.id === chosen]);
  show(byId("records"), records, (record) => record.id, signature, buildRow);
  const record = records.find((one) => one.id === chosen);
  byId("record").querySelector(".empty")?.remove();
  byId("answer-form").hidden = false;
  byId("release").hidden = !drafts.has(record.id);
  // Not while the agent is choosing: the list would jump under the hand.
  if (document.activeElement !== byId("status") || statusShown !== record.status) byId("status").value = record.status;
  statusShown = record.status;
  const wasStuck = stick;
  const items = [{ id: `head-${record.id}`, head: record }, ...record.comments];
  show(byId("record"), items, (item) => `${record.id}-${item.id}`, (item) => JSON.stringify(item), (item) => item.head ? buildHead(item.head) : buildComment(record, item));
  if (wasStuck) byId("record").scrollTop = byId("record").scrollHeight;
}

const nearEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 60;

function choose(id) {
  chosen = id;
  stick = true;
  byId("record").replaceChildren();
  paint();
  byId("answer-text").focus({ preventScroll: true });
}

function buildRow(record, old) {
  const node = make("button", { type: "button", class: "record-row", "aria-pressed": String(record.id === chosen), onclick: () => choose(record.id) },
    make("span", { class: "number" }, `#${record.id}`), make("span", { class: "subject" }, record.subject),
    make("span", { class: `pill ${record.status}` }, say(`status.${record.status}`)));
  if (old && document.activeElement === old) requestAnimationFrame(() => node.focus());
  return node;
}

function buildHead(record) {
  const facts = [record.group, record.priority && record.priority !== "normal" ? say(`chip.${record.priority}`) : "", ...record.tags];
  return make("div", { class: "record-head" },
    make("h3", {}, `#${record.id} ${record.subject}`),
    make("div", { class: "chips" }, ...facts.filter(Boolean).map((fact) => make("span", { class: "chip" }, fact))));
}

const ROLES = { "end-user": "customer", agent: "agent", admin: "hub", system: "system" };

function buildComment(record, comment) {
  const role = ROLES[comment.role] ?? "agent";
  const [text, below] = comment.text.split(/\n+────────\n+/);
  const note = !comment.public && role === "agent" &&
    make("button", { type: "button", class: "link", onclick: () => act("make-public", { record: record.id, comment: comment.id }) }, say("desk.make_public"));
  return make("div", { class: `comment ${role} ${comment.public ? "public" : "internal"}`, "data-comment": comment.id },
    avatar(comment.author, role === "hub"),
    make("div", { class: "post-body" },
      make("div", { class: "post-head" }, make("strong", {}, comment.author), make("span", { class: "badge" }, `${say(`desk.${role}`)} · ${say(comment.public ? "desk.public" : "desk.internal")}`), time(comment.at)),
      make("p", { class: "words" }, ...linked(text)),
      below ? make("details", {}, make("summary", {}, say("desk.small_print")), make("p", { class: "words" }, ...linked(below))) : "",
      note || ""));
}

function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, place) =>
    place % 2 ? make("a", { href: part, target: "_blank", rel: "noreferrer" }, part) : part);
}
