// The left pane: what customers write, and the company's answers under it.

import { act, avatar, byId, make, say, show, time } from "./page.js";

const open = { reply: "", edit: "", text: "" };
let seen = [];

export function start() {
  const names = say("example.names").split("|");
  const examples = say("example.texts").split("|");
  let next = Math.floor(Math.random() * examples.length);
  byId("author").value = names[0];
  byId("example").addEventListener("click", async () => {
    const author = names[next % names.length];
    byId("author").value = author;
    await act("post", { author, text: examples[next++ % examples.length] });
  });
  byId("post-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = { author: byId("author").value, text: byId("post-text").value, private: byId("private").checked };
    if (await act("post", body)) {
      byId("post-text").value = "";
      byId("private").checked = false;
    }
  });
}

// What is said through real connections stands on their own networks.
export function tellOthers(names) {
  byId("others").hidden = names.length === 0;
  const text = say("social.others", { names: names.join(", ") });
  if (byId("others").textContent !== text) byId("others").textContent = text;
}

export function showPosts(posts) {
  seen = posts;
  const customers = [...new Set(posts.filter((post) => !post.own).map((post) => post.author))];
  show(byId("customers"), customers, String, String, (name) => make("option", { value: name }));
  const threads = grouped(posts);
  if (threads.length === 0) return;
  byId("threads").querySelector(".empty")?.remove();
  const signature = (thread) =>
    JSON.stringify([thread, thread.some((post) => post.id === open.reply || post.id === open.edit) && { ...open, text: "" }]);
  show(byId("threads"), threads, (thread) => thread[0].id, signature, buildThread);
}

// Oldest post first inside a thread; the thread somebody spoke in last comes first.
function grouped(posts) {
  const byPost = new Map(posts.map((post) => [post.id, post]));
  const threads = new Map();
  for (const post of [...posts].reverse()) {
    let root = post;
    while (byPost.has(root.reply_to)) root = byPost.get(root.reply_to);
    if (!threads.has(root.id)) threads.set(root.id, []);
    threads.get(root.id).push(post);
  }
  const last = (thread) => Math.max(...thread.map((post) => Date.parse(post.at)));
  return [...threads.values()].sort((one, other) => last(other) - last(one));
}

function buildThread(thread, old) {
  const writing = old?.querySelector("textarea");
  const caret = writing && document.activeElement === writing ? writing.selectionStart : null;
  if (writing) open.text = writing.value;
  const node = make("article", { class: "thread" }, ...thread.map((post, place) => buildPost(post, place > 0)));
  const now = node.querySelector("textarea");
  if (now && (caret !== null || !writing)) {
    requestAnimationFrame(() => {
      now.focus();
      if (caret !== null) now.setSelectionRange(caret, caret);
    });
  }
  return node;
}

function buildPost(post, nested) {
  const badge = post.privacy === "direct" && make("span", { class: "badge" }, say("social.is_private"));
  const head = make("div", { class: "post-head" },
    make("strong", {}, post.own ? say("social.company") : post.author), badge || "", time(post.at));
  const body = open.edit === post.id
    ? writer(post, say("social.save"), (text) => act("edit", { author: post.author, post: post.id, text }))
    : make("p", { class: "words" }, ...words(post.text));
  const reply = open.reply === post.id &&
    writer(post, say("social.reply"), (text) =>
      act("post", { author: speaker(post), text, reply_to: post.id, private: post.privacy === "direct" }));
  return make("div", { class: `post${post.own ? " own" : ""}${nested ? " nested" : ""}`, "data-post": post.id },
    avatar(post.own ? say("social.company") : post.author, post.own),
    make("div", { class: "post-body" }, head, body, actions(post), reply || ""));
}

// Whoever the company answered replies; a customer goes on in his own post.
function speaker(post) {
  if (!post.own) return post.author;
  return seen.find((other) => other.id === post.reply_to)?.author ?? byId("author").value;
}

function words(text) {
  const [, mentions, rest] = text.match(/^((?:@\S+\s+)*)([\s\S]*)$/);
  return mentions ? [make("span", { class: "mention" }, mentions), rest] : [rest];
}

function actions(post) {
  const link = (label, done) => make("button", { type: "button", class: "link", onclick: done }, label);
  const list = [link(say("social.reply"), () => write("reply", post, ""))];
  if (!post.own) {
    list.push(link(say("social.edit"), () => write("edit", post, post.text.replace(/^(@\S+\s+)+/, ""))));
    list.push(link(say("social.delete"), () => {
      if (confirm(say("social.delete_sure"))) act("delete", { author: post.author, post: post.id });
    }));
  }
  if (/^https?:\/\//.test(post.permalink)) {
    list.push(make("a", { href: post.permalink, target: "_blank", rel: "noreferrer", title: say("social.open") }, "↗",
      make("span", { class: "hidden" }, say("social.open"))));
  }
  return make("div", { class: "actions" }, ...list);
}

function write(what, post, text) {
  Object.assign(open, { reply: "", edit: "", text, [what]: post.id });
  document.querySelector(".writer")?.remove();
  showPosts(seen);
}

function writer(post, label, send) {
  const name = open.edit ? say("social.edit_text", { name: post.author }) : say("social.reply_text", { name: speaker(post) });
  const area = make("textarea", { rows: 2, required: true, maxlength: 5000, "aria-label": name, placeholder: open.edit ? "" : name });
  area.value = open.text;
  const close = () => { Object.assign(open, { reply: "", edit: "", text: "" }); area.remove(); showPosts(seen); };
  return make("form", { class: "writer", onsubmit: async (event) => {
    event.preventDefault();
    if (await send(area.value)) close();
  }, onkeydown: (event) => { if (event.key === "Escape") close(); } },
  area, make("div", { class: "row" }, make("button", { type: "button", class: "link", onclick: close }, say("social.cancel")),
    make("button", { class: "primary small" }, label)));
}
