"use strict";
// Keeps a page as new as the server's: when something changed, the page is asked for again and what differs in its <main>
// is changed in place (https://github.com/bigskysoftware/idiomorph), so that focus, selection and scroll stay.
// Without JavaScript the page asks again by itself every few seconds.

const PAUSE = 500; // ms between two looks, so that a burst of changes is one
const POLL = 5000; // ms between two tries, while the server is away
const SILENCE = 15000; // ms without an answer, until a page says that it is not live: longer than any page is told to wait
const TELL = 20000; // ms between two looks at how long ago something was

const sign = document.getElementById("live");
let asked = false, looking = false, source, away;

async function look() {
  asked = true;
  if (looking) return;
  looking = true;
  while (asked) {
    asked = false;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.redirected) return location.reload(); // to the login
      if (!answer.ok) throw new Error(answer.statusText);
      change(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      asked = false;
      setTimeout(look, POLL); // the server is away; what changed is not told of again
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  looking = false;
}

function change(page) {
  const log = document.getElementById("log");
  const follows = !log || log.scrollTop + log.clientHeight >= log.scrollHeight - 20;
  Idiomorph.morph(document.querySelector("main"), page.querySelector("main"), {
    callbacks: { // what is the reader's stays: which <details> are open, what is chosen in a form
      beforeAttributeUpdated: (name) => name !== "open",
      beforeNodeMorphed: (node) => !node.matches?.(".filters"),
    },
  });
  if (follows) showEndOfLog();
  document.title = page.title;
}

function showEndOfLog() {
  const log = document.getElementById("log");
  if (log) log.scrollTop = log.scrollHeight;
}

function tellTimes() { // as webhooks/times.py does
  const units = [["year", 31556952], ["month", 2629746], ["day", 86400], ["hour", 3600], ["minute", 60]];
  for (const time of document.querySelectorAll("time.ago")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const [name, unit] = units.find(([, length]) => Math.abs(seconds) >= length) ?? [];
    const number = Math.floor(Math.abs(seconds) / unit), words = `${number} ${name}${number === 1 ? "" : "s"}`;
    const text = name ? (seconds > 0 ? `${words} ago` : `in ${words}`) : seconds >= 0 ? "just now" : "in a moment";
    if (time.textContent !== text) time.textContent = text;
  }
}

function listen() {
  source?.close();
  clearTimeout(away);
  if (document.hidden) return; // nobody looks
  source = new EventSource("/events?since=" + document.body.dataset.change);
  source.onopen = () => {
    clearTimeout(away);
    away = undefined;
    sign.textContent = "live";
  };
  source.addEventListener("change", (event) => {
    document.body.dataset.change = event.lastEventId;
    look();
  });
  source.onerror = () => { // at each answer's end too: then it asks again by itself
    away ??= setTimeout(() => { sign.textContent = "not live"; }, SILENCE);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => { look(); listen(); }, POLL);
  };
}

document.addEventListener("visibilitychange", listen);
setInterval(tellTimes, TELL);
showEndOfLog();
listen();
