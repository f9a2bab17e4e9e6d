// The cards in this browser: the one on the page, two ahead of it under their own leases, and those
// just done, to be taken back. A press paints the next card from here, never from the network.

import * as guidelines from "../guidelines.js";
import { parse } from "../markup.js";
import * as card from "./card.js";
import * as outbox from "./outbox.js";

const root = document.getElementById("rate");
const AHEAD = 2;
const KEPT = 10; // done cards that can be painted again at once
const POLL_MS = 5_000;
const RENEW_MS = 180_000;
const AWAY_MS = 600_000;

let current = null; // the element on the page, null while none is
let held = []; // elements that are painted next
const past = new Map(); // elements that were answered or skipped, by assignment
let done = []; // assignments as they were done, the newest last: what Backspace takes back
let stage = "card"; // or "loading", "back", "waiting", "full", "paused", "away"
let greeting = ""; // said with the first card after somebody was away
let more = true; // false once the server had nothing ahead, until something changes
let lesson = null; // what this rater is told about an answer, until the card on the page is done
let wording = ""; // what is asked and told now, as the server said last: "QUESTION/GUIDELINES"
let seen = ""; // the same of the last card that was on the page
let freeing = null; // leases on their way back: nothing is asked for before they are there
let paintedAt = -Infinity; // the first card follows no press

const idOf = (element) => element?.dataset.assignment || "";
const inHand = () => [current, ...held].filter(Boolean);
const have = () => inHand().map(idOf).join(",");
const isOfNow = (one) => one.dataset.wording === wording;
const hold = (elements) => {
  held = elements.filter(isOfNow);
  root.dataset.held = held.length;
};
// A card that was done, as it was filled in.
const kept = (assignment) => [past.get(assignment)].find((one) => one && isOfNow(one));
const isParked = () => stage === "paused" || stage === "away";
export const element = () => current;
export const id = () => idOf(current);
export const paintedFor = () => performance.now() - paintedAt;

/* ---- painting ---- */

const paint = (fresh, sentence) => {
  const said = [news(fresh), sentence || greeting].filter(Boolean).join(" ");
  greeting = "";
  current = idOf(fresh) ? fresh : null;
  stage = current ? "card" : "waiting";
  paintedAt = performance.now();
  card.place(fresh);
  card.say(said);
  const told = fresh.querySelector("#told-title")?.textContent; // what was expected, or how a test went
  if (!said) card.speak(current ? root.dataset.sayNext : told || root.dataset.sayNothing);
};

const paintHeld = (sentence) => {
  const [first, ...rest] = held;
  hold(rest);
  paint(first, sentence);
};

const paintLesson = () => {
  const fresh = lesson;
  lesson = null;
  paint(fresh, "");
};

// A stage of the page itself, for the time without a card.
const enter = (name) => {
  current = null;
  stage = name;
  card.place(document.getElementById(`stage-${name}`).content.cloneNode(true).firstElementChild);
  card.speak(document.querySelector("#card h2").textContent);
  document.querySelector("#card button")?.focus({ preventScroll: true });
};

/* ---- what the server sends ---- */

// The card or the stage of a fragment, and the sentence that came with it.
const read = (html) => {
  const fragment = parse(html);
  const fresh = fragment.querySelector("#card");
  const tally = fragment.querySelector("#tally");
  if (tally) document.getElementById("tally").replaceWith(tally);
  const line = fresh?.querySelector("#note");
  const said = line?.textContent || "";
  if (line) line.textContent = "";
  line?.classList.add("sr");
  heed(fresh?.dataset.wording);
  if (tally?.querySelector("[data-answers]")) guidelines.forget(); // new ones stand under them
  learn(fresh);
  return { fresh, said };
};

// A lead may revise the question and the guidelines at any time: what lies here and asks as before is
// fetched anew, its draft with it. The card on the page is answered as it asks, which its form says.
const heed = (now) => {
  if (!now || now === wording) return;
  wording = now;
  more = true;
  hold(held);
  guidelines.forget();
};

// Who answers a card in two seconds reads the question once: where it is another now, it is said.
const news = (fresh) => {
  if (!idOf(fresh)) return "";
  const [askedBefore, toldBefore] = seen.split("/");
  seen = fresh.dataset.wording;
  const [asked, told] = seen.split("/");
  if (asked !== askedBefore) return root.dataset.sayAsked;
  return told === toldBefore ? "" : root.dataset.sayTold;
};

// What the server says was done last holds as long as nothing newer is on its way.
const learn = (fresh) => {
  const last = fresh?.querySelector("#undo [name=last]")?.value;
  if (last && !outbox.entries().length && done.at(-1) !== last) done.push(last);
};

// Keeps a card that came, where it is new and wanted. Whoever pauses wants none.
const take = (fresh, sentence = "") => {
  if (fresh?.dataset.told) tell(fresh, sentence);
  else if (fresh && idOf(fresh)) receive(kept(idOf(fresh)) || fresh, sentence);
  else if (fresh) nothing(fresh, sentence);
};

const receive = (fresh, sentence) => {
  const known = inHand().some((one) => idOf(one) === idOf(fresh)) || outbox.isClosed(idOf(fresh));
  more = !known;
  if (!known && isParked()) return release([fresh]);
  past.delete(idOf(fresh));
  if (!known && ["loading", "waiting"].includes(stage)) return paint(fresh, sentence);
  if (!known && held.length < AHEAD) hold([...held, fresh]);
  if (sentence && current) card.say(sentence);
};

// What was expected of an answer comes before the next card, and never takes one off the page.
// While somebody is away it waits on the server.
const tell = (fresh, sentence) => {
  const onPage = document.getElementById("card").dataset.told;
  if (onPage === fresh.dataset.told || isParked()) return;
  if (stage === "loading" || stage === "waiting") paint(fresh, sentence);
  else lesson = fresh;
};

const nothing = (fresh, sentence) => {
  more = false;
  const shown = stage === "waiting" && document.getElementById("content").textContent;
  const same = shown === fresh.querySelector("#content").textContent;
  if ((stage === "loading" || stage === "waiting") && !same) return paint(fresh, sentence);
  if (sentence && current) card.say(sentence);
};

// What the server said to an answer, a skip or an undo. A card that is painted already keeps its
// place: only what went wrong is worth a line.
const settled = (entry, response, html) => {
  root.dispatchEvent(new CustomEvent("settled", { detail: { entry, ok: response.ok } }));
  if (entry.here !== root.dataset.here) return;
  if (response.status === 404) return location.reload();
  const { fresh, said } = read(html);
  more = true;
  if (entry.kind === "undo") return reopened(entry, fresh, said);
  if (response.status === 400) done = done.filter((one) => one !== entry.card);
  take(fresh, response.ok ? "" : said);
};

const reopened = (entry, fresh, said) => {
  const isOpen = !entry.card || idOf(fresh) === entry.card;
  if (isOpen && current) return renewAll();
  if (stage === "back") stage = "loading";
  hold(held.filter((one) => ![entry.card, isOpen && idOf(fresh)].includes(idOf(one))));
  // It could not be taken back: it is not shown as if it were open.
  if (id() === entry.card) enter("loading");
  if (!isOpen && stage === "loading" && held.length) paintHeld(said);
  take(fresh, said);
};

/* ---- one after the other ---- */

// What is to be fetched now, if anything. A page without a card asks for the whole story.
const wanted = () => {
  if (isParked() || stage === "waiting" || outbox.isFull()) return "";
  if (!current) return root.dataset.here;
  return more && held.length < AHEAD ? `${root.dataset.ahead}?have=${have()}` : "";
};

const refill = async () => {
  await freeing;
  const url = wanted();
  if (!url) return false;
  if (!current && held.length) return paintHeld("") ?? true;
  if (stage === "full") enter("loading");
  if (stage === "back") stage = "loading"; // another tab heard the reply
  const html = await outbox.fetchText(url);
  if (html === null) return false;
  if (html) take(read(html).fresh);
  else more = false;
  return Boolean(html);
};

// The card on the page is done with: the next one, at once.
export const next = () => {
  past.set(id(), current);
  if (past.size > KEPT) past.delete(past.keys().next().value);
  done.push(id());
  if (outbox.isFull()) enter("full");
  else if (lesson) paintLesson();
  else if (held.length) paintHeld("");
  else enter("loading");
};

// Taking back: the card itself where it is still here, else the server is asked for it.
export const lastDone = () => done.at(-1) || "";
export const reopen = (assignment, { isSent }) => {
  const again = kept(assignment);
  done = done.filter((one) => one !== assignment);
  past.delete(assignment);
  hold(inHand().slice(0, AHEAD));
  if (again) return paint(again, root.dataset.sayTakenBack);
  enter("loading");
  if (isSent) stage = "back";
};

// Another tab answered: what it answered is not asked here again.
const elsewhere = () => {
  hold(held.filter((one) => !outbox.isClosed(idOf(one))));
};

/* ---- leases: renewed while somebody works, given back when nobody does ---- */

let lastSign = Date.now();
const idleFor = () => Date.now() - lastSign;
const isHere = (ms) => document.visibilityState === "visible" && idleFor() < ms;

// A long read is the time in which most is revised.
const renewed = ({ headers }) => {
  heed(headers.get("X-Wording"));
  outbox.pump();
};
const renewAll = () => {
  for (const one of inHand()) outbox.post(one.dataset.renew, {}).then(renewed, () => {});
};
setInterval(() => isHere(RENEW_MS) && renewAll(), RENEW_MS);

// By beacon, which outlives the page. A lost one matters not: the lease ends by itself.
const release = (elements) => {
  const form = new URLSearchParams({ csrfmiddlewaretoken: outbox.token() });
  for (const one of elements) navigator.sendBeacon(one.dataset.release, form);
};
addEventListener("pagehide", () => release(held));

const park = (name) => {
  const sent = inHand().map((one) => outbox.post(one.dataset.release, {}));
  freeing = Promise.allSettled(sent);
  hold([]);
  enter(name);
};
const resume = (sentence) => {
  more = true;
  greeting = sentence;
  enter("loading");
  outbox.pump();
};
export const pause = () => {
  if (isParked()) resume("");
  else if (stage === "card" || stage === "loading") park("paused");
};
const leave = () => current && idleFor() > AWAY_MS && park("away");
setInterval(leave, POLL_MS);

// Somebody is there. After a long sleep the first sign comes before the clock's next look.
export const sign = () => {
  leave();
  lastSign = Date.now();
  card.sign();
  if (stage === "away") resume(root.dataset.sayAway);
};

/* ---- the page begins, and looks again while there is nothing ---- */

const look = async () => {
  if (stage !== "waiting" || !isHere(AWAY_MS)) return;
  const html = await outbox.fetchText(root.dataset.here);
  if (html) take(read(html).fresh);
  if (current) outbox.pump();
};
setInterval(look, POLL_MS);

// The card that the page came with, unless it was answered on an earlier visit.
export const open = () => {
  const first = document.getElementById("card");
  wording = seen = first.dataset.wording;
  learn(first);
  const said = outbox.entries().filter((entry) => entry.here === root.dataset.here);
  done.push(...said.filter((entry) => outbox.isClosed(entry.card)).map((entry) => entry.card));
  current = idOf(first) ? first : null;
  stage = current ? "card" : "waiting";
  if (outbox.isClosed(id())) enter("loading");
  else card.arrive(first);
  return outbox.start({ settled, refill, have, elsewhere });
};
