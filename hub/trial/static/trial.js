// Asks once a second how things stand (an unchanged answer is a 304) and shows it in three panes.

import * as desk from "./desk.js";
import * as journeys from "./journeys.js";
import * as network from "./network.js";
import { byId, refreshTimes, say, trouble, whenDone } from "./page.js";

const EVERY = 1000;
const PANES = ["social", "hub", "helpdesk"];
let etag = "";
let timer = 0;
let asking = false;

async function look() {
  clearTimeout(timer);
  if (!asking) {
    asking = true;
    try {
      const answer = await fetch("/trial/api/scene", { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
      if (answer.status === 200) {
        etag = answer.headers.get("ETag") ?? "";
        paint(await answer.json());
      } else if (answer.status !== 304) throw new Error(String(answer.status));
      else refreshTimes();
    } catch {
      etag = "";
      trouble([say("page.offline")]);
    }
    asking = false;
  }
  timer = setTimeout(look, document.hidden ? EVERY * 5 : EVERY);
}

function paint(scene) {
  network.showPosts(scene.posts);
  network.tellOthers(scene.hub.others);
  journeys.showHub(scene.hub);
  desk.showRecords(scene.records, scene.hub);
  trouble([...scene.trouble, ...scene.hub.alarms, ...(scene.hub.silenced ? [say("hub.silenced")] : [])]);
  news(scene);
  refreshTimes();
}

// On a telephone one pane is seen at a time: a dot says where something happened.
const counts = {};
function news(scene) {
  const now = { social: scene.posts.length, hub: scene.hub.tickets.map((ticket) => ticket.events.length).join(), helpdesk: scene.records.map((record) => record.comments.length).join() };
  for (const pane of PANES) {
    if (pane in counts && counts[pane] !== now[pane] && !byId(pane).classList.contains("chosen")) byId(`tab-${pane}`).classList.add("news");
    counts[pane] = now[pane];
  }
}

function choose(pane, focus = false) {
  for (const name of PANES) {
    const tab = byId(`tab-${name}`);
    byId(name).classList.toggle("chosen", name === pane);
    tab.setAttribute("aria-selected", String(name === pane));
    tab.tabIndex = name === pane ? 0 : -1;
  }
  byId(`tab-${pane}`).classList.remove("news");
  if (focus) byId(`tab-${pane}`).focus();
}

for (const pane of PANES) {
  byId(`tab-${pane}`).addEventListener("click", () => choose(pane));
  byId(`tab-${pane}`).addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) choose(PANES[(PANES.indexOf(pane) + step + PANES.length) % PANES.length], true);
  });
}
for (const module of [network, journeys, desk]) module.start();
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
whenDone(look);
look();
