"use strict";
// Keeps a page as new as the server's: when something changed, the page is asked for again and its <main> is put in
// place of the old one. Without JavaScript the page asks again by itself every few seconds.

const PAUSE = 500; // ms between two looks, so that a burst of changes is one
const POLL = 5000; // ms, while the server has no room for another live page, or is away

const sign = document.getElementById("live");
let asked = false, looking = false;

async function look() {
  asked = true;
  if (looking) return;
  looking = true;
  while (asked) {
    asked = false;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      asked = false;
      setTimeout(look, POLL); // the server is away; what changed is not told of again
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  looking = false;
}

function replace(page) {
  const old = document.querySelector("main"), fresh = page.querySelector("main");
  if (old.innerHTML === fresh.innerHTML) return;
  for (const open of old.querySelectorAll("details[open]")) fresh.querySelector("#" + open.id)?.setAttribute("open", "");
  const log = old.querySelector("#log");
  const place = log && log.scrollTop + log.clientHeight < log.scrollHeight - 20 ? log.scrollTop : Infinity;
  old.replaceWith(fresh);
  const next = fresh.querySelector("#log");
  if (next) next.scrollTop = Math.min(place, next.scrollHeight);
  document.title = page.title;
}

function listen() {
  const source = new EventSource("/events?since=" + document.body.dataset.change);
  source.onopen = () => { sign.textContent = "live"; };
  source.addEventListener("change", look);
  source.onerror = () => {
    sign.textContent = "not live";
    if (source.readyState === EventSource.CLOSED) setTimeout(() => { look(); listen(); }, POLL);
  };
}

const log = document.getElementById("log");
if (log) log.scrollTop = log.scrollHeight;
listen();
