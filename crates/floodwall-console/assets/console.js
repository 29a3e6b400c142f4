// Keeps the figures of the console page current. The page is complete without it: every text comes
// from the server, under the key its place in the page carries.
"use strict";

const one = (selector) => document.querySelector(selector);
const places = (name) =>
  new Map(Array.from(document.querySelectorAll(`[data-${name}]`), (place) => [place.dataset[name], place]));

const figures = places("figure");
const states = places("state");
const connection = one("#connection");
const lost = one("#lost");
const announcements = one("#announcements");

// Without a new snapshot for this long the figures are called old: one is due every second.
const SILENCE_MAX_MS = 5000;
let silence;
let newest = "";
let minute = document.body.dataset.minute;
let incidents = document.body.dataset.incidents;

function announce(text) {
  announcements.textContent = text;
}

function showLost() {
  clearTimeout(silence);
  if (!lost.hidden) return;
  const since = newest === "" ? "the time this page was loaded" : newest;
  lost.textContent = `Connection lost: the figures are from ${since}. Trying to connect again.`;
  lost.hidden = false;
  connection.textContent = "They are no longer updated.";
  announce(lost.textContent);
}

function showLive() {
  clearTimeout(silence);
  silence = setTimeout(showLost, SILENCE_MAX_MS);
  if (!lost.hidden) {
    lost.hidden = true;
    announce("Connected again: the figures are current.");
  }
  if (connection.textContent !== "They are updated every second.") {
    connection.textContent = "They are updated every second.";
  }
}

function showFigures(snapshot) {
  for (const [key, text] of Object.entries(snapshot.figures)) {
    const place = figures.get(key);
    if (place && place.textContent !== text) place.textContent = text;
  }
}

// Only a change of an origin's health, of whether anything is asked of visitors, or of an incident is
// read out; figures change silently.
function showStates(snapshot) {
  const changes = [];
  for (const [key, state] of Object.entries(snapshot.states)) {
    const place = states.get(key);
    if (!place || place.dataset.health === state.health) continue;
    place.dataset.health = state.health;
    place.querySelector("use").setAttribute("href", `#shape-${state.health}`);
    if (state.announcement !== "") changes.push(state.announcement);
  }
  if (changes.length > 0) announce(changes.join(" "));
}

// Past minutes and incidents are drawn by the server: take them from a fresh copy of this page.
async function renewMinutes() {
  const answer = await fetch("/", { cache: "no-store" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const place of document.querySelectorAll("[data-minutes]")) {
    const renewed = fresh.querySelector(`[data-minutes="${CSS.escape(place.dataset.minutes)}"]`);
    if (renewed) place.replaceChildren(...renewed.childNodes);
  }
}

function show(event) {
  const snapshot = JSON.parse(event.data);
  if (snapshot.layout !== document.body.dataset.layout) {
    // Other sites, origins or another version: this page has no places for them.
    location.reload();
    return;
  }
  newest = snapshot.time_of_day;
  showLive();
  showFigures(snapshot);
  showStates(snapshot);
  if (String(snapshot.minute_unix_seconds) !== minute) {
    minute = String(snapshot.minute_unix_seconds);
    renewMinutes().catch(() => {});
  }
  if (snapshot.incidents !== incidents) {
    incidents = snapshot.incidents;
    announce(snapshot.figures["happening.summary"]);
    renewMinutes().catch(() => {});
  }
}

const source = new EventSource("/events");
source.addEventListener("snapshot", show);
source.addEventListener("error", () => {
  showLost();
  // A refusal (503) closes the stream for good; the reload link remains.
  if (source.readyState === EventSource.CLOSED) {
    lost.textContent = `No live updates: the server refused the stream. The figures are from ${newest || "the time this page was loaded"}.`;
  }
});
