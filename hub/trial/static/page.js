// Small things all panes use: words, elements, time, calls.

const texts = JSON.parse(document.getElementById("texts").textContent);
export const language = document.documentElement.lang;

export function say(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export const knows = (key) => key in texts;

// Everything people wrote goes in as text, never as HTML.
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

export const byId = (id) => document.getElementById(id);

export function ago(iso) {
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
  if (seconds < 3) return say("time.now");
  if (seconds < 60) return say("time.seconds", { n: Math.floor(seconds) });
  if (seconds < 3600) return say("time.minutes", { n: Math.floor(seconds / 60) });
  if (seconds < 86400) return say("time.hours", { n: Math.floor(seconds / 3600) });
  return say("time.days", { n: Math.floor(seconds / 86400) });
}

export function time(iso) {
  const full = new Date(iso).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });
  return make("time", { datetime: iso, title: full }, ago(iso));
}

export function refreshTimes() {
  for (const node of document.querySelectorAll("time")) node.textContent = ago(node.dateTime);
}

export function avatar(name, own = false) {
  const letters = name.split(/\s+/).map((part) => [...part][0] ?? "").slice(0, 2).join("").toUpperCase();
  let hue = 0;
  for (const sign of name) hue = (hue * 31 + sign.codePointAt(0)) % 6;
  return make("span", { class: `avatar ${own ? "own" : `tint-${hue}`}`, "aria-hidden": "true" }, letters || "?");
}

// Replaces only what changed, so that what a reader has marked, opened or focused stays as it is.
export function show(parent, items, key, signature, build) {
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const sign = signature(item);
    let node = known.get(name);
    known.delete(name);
    if (!node || node.dataset.sign !== sign) {
      const fresh = build(item, node);
      fresh.dataset.key = name;
      fresh.dataset.sign = sign;
      if (node) {
        if (place === node) place = fresh;
        node.replaceWith(fresh);
      } else {
        fresh.classList.add("fresh");
        // Else it would come in again each time its pane is shown.
        fresh.addEventListener("animationend", () => fresh.classList.remove("fresh"), { once: true });
      }
      node = fresh;
    }
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of known.values()) node.remove();
}

let standing = [];
let passing = "";
let timer = 0;

export function trouble(lines) {
  standing = lines;
  const box = byId("trouble");
  const text = [...standing, passing].filter(Boolean).join(" · ");
  box.hidden = text === "";
  if (box.textContent !== text) box.textContent = text;
}

// A word about what somebody just did; it must outlive the next look of the page.
export function notice(text) {
  passing = text;
  trouble(standing);
  clearTimeout(timer);
  timer = setTimeout(() => { passing = ""; trouble(standing); }, 10000);
}

let look = () => {};
export const whenDone = (callback) => { look = callback; };

export async function act(verb, body) {
  let reason;
  try {
    const answer = await fetch(`/trial/api/${verb}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) {
      look();
      return told;
    }
    reason = told.error ?? answer.statusText;
  } catch {
    reason = say("page.offline");
  }
  notice(say("page.error", { reason }));
  return null;
}
