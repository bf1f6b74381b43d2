// Times in the reader's own zone, and a page that keeps itself fresh. Everything works without it.
const clock = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const shown = clock.format(new Date(time.dateTime));
    if (time.classList.contains("ago")) time.title = shown;
    else time.textContent = shown;
  }
}

async function refresh() {
  const old = document.querySelector("[data-refresh]");
  if (!old || document.hidden || old.contains(document.activeElement) || old.querySelector("details[open]")) return;
  const answer = await fetch(location.href).catch(() => null);
  if (!answer || !answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-refresh]");
  if (fresh) {
    old.replaceWith(fresh);
    localise(fresh);
  }
}

// What is there to be copied gets a button; without it a click selects all of it.
for (const block of navigator.clipboard ? document.querySelectorAll("[data-copy]") : []) {
  const text = block.textContent;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = block.dataset.copy;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = block.dataset.copied;
  });
  block.after(button);
}

localise(document);
setInterval(refresh, 5000);
