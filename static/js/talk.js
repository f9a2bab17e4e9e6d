// A talk with live models. Without this file every form is sent by the browser; with it nothing
// typed is lost to a bad network: what a form says is sent again with its key, which makes a
// repeated request the same one, and kept (talk/drafts.js) until the server has acknowledged it.

import * as guidelines from "./guidelines.js";
import { keysOf } from "./keys.js";
import { parse } from "./markup.js";
import * as best from "./parts/best.js";
import * as diff from "./rate/diff.js";
import * as drafts from "./talk/drafts.js";

const spoken = document.getElementById("spoken");
const saved = document.getElementById("saved");
const talk = () => document.getElementById("talk");
let stage = talk().dataset.stage;
const message = () => document.getElementById("message");
const RETRY_MS = 2000;
const MOST_REFUSED = 5; // answers of a server in trouble; a missing network is waited for

/* ---- sending ---- */

const tell = (state) => (saved.textContent = saved.dataset[state]);
let busy = false;

const send = async (url, fields) => {
  tell("saving");
  try {
    return await fetch(url, {
      method: "POST",
      body: fields,
      headers: { "HX-Request": "true" },
      redirect: "manual",
    });
  } catch {
    return null; // no network: the caller tries again
  }
};

const submit = async (form, button) => {
  if (busy) return;
  if (form.id === "judge" && (isVeiled() || unread.size)) return nudge();
  const fields = new FormData(form, button);
  const draft = drafts.placeOf(form);
  if (form.id === "judge") {
    fields.set("active_ms", String(Math.round(activeMs)));
    fields.set("layout", layout());
    drafts.send(form.action, fields, draft);
  }
  deliver(form.action, fields, draft);
};

// Until the server has settled it; what it stored is no draft any more.
const deliver = async (url, fields, draft) => {
  busy = true;
  let response = await send(url, fields);
  for (let refused = 0; !response || response.status >= 500; ) {
    if (response && ++refused >= MOST_REFUSED) return giveUp();
    tell(response ? "failing" : "offline");
    await new Promise((done) => setTimeout(done, RETRY_MS));
    response = await send(url, fields);
  }
  busy = false;
  if (response.status === 401) return signIn();
  if (response.status === 403) drafts.sendOnceMore();
  else drafts.forgetSent();
  if (response.status === 403 || response.status === 404) return location.reload();
  if (response.ok) drafts.forget(draft);
  if (response.ok && fields.has("active_ms")) activeMs = 0;
  place(await response.text());
  tell("saved");
};

// What was judged before the tab was closed, or before somebody signed in again.
const sendAgain = () => {
  const sent = drafts.sent();
  if (!sent) return;
  const fields = new FormData();
  for (const [name, value] of sent.fields) fields.append(name, value);
  fields.set("csrfmiddlewaretoken", JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"]);
  deliver(sent.url, fields, sent.draft);
};

// A flag changes nothing but its own mark: what is filled in beside it stays.
const flag = async (form, button) => {
  const response = await send(form.action, new FormData(form, button));
  tell("ready");
  if (response?.status === 401) return signIn();
  const html = response ? parse(await response.text()) : null;
  const fresh = html?.getElementById("flag");
  if (!response?.ok || !fresh) return say(html?.getElementById("note")?.textContent || spoken.dataset.notFlagged);
  form.closest("#flag").replaceWith(fresh);
  document.getElementById("content").focus({ preventScroll: true });
};

// What was typed stays where it is, and kept: to send it again is for the rater to say.
const giveUp = () => {
  busy = false;
  drafts.forgetSent();
  tell("failing");
  say(spoken.dataset.refused);
};

const say = (sentence) => {
  const note = document.getElementById("note");
  note.textContent = sentence;
  note.classList.remove("sr");
};

const signIn = () => {
  const { signIn: door, here } = talk().dataset;
  location.assign(`${door}?next=${encodeURIComponent(here)}`);
};

/* ---- what comes back ---- */

const place = (html) => {
  const before = talk().dataset.stage;
  const fresh = parse(html).getElementById("talk");
  talk().replaceWith(fresh);
  htmx.process(fresh);
  arrive(before);
};

/* ---- the guidelines: beside the talk, so that what is typed stays where it is ---- */

let told = talk().dataset.told; // the version that the page leads to
const heed = () => {
  if (talk().dataset.told === told) return;
  told = talk().dataset.told;
  guidelines.forget();
  if (!document.getElementById("note").textContent) say(spoken.dataset.told);
};
const fetchText = async (url) => {
  const response = await fetch(url, { headers: { "HX-Request": "true" } }).catch(() => null);
  tell(response ? "ready" : "offline");
  if (response?.status === 401) return signIn() ?? null;
  return response?.ok ? response.text() : null;
};

// What somebody was writing when the last turn was over: to be sent as last words where one message
// more is taken, else to be copied. It is not kept unseen.
const SAYS_NOTHING_MORE = ["rating", "voting", "full", "over"];
const messagePlace = () => `say/${talk().dataset.turn}`;
// First the words, then the rating: both would fill a phone.
const askForLastWords = (asks) => {
  document.getElementById("say").hidden = !asks;
  document.getElementById("judge").hidden = asks;
};
const rateWithout = () => {
  drafts.throwAway(messagePlace());
  askForLastWords(false);
  document.getElementById("content").focus({ preventScroll: true });
};
const showUnsaid = () => {
  const lastWords = talk().querySelector("[data-last-words]");
  if (lastWords) askForLastWords(Boolean(message().value.trim()));
  const text = SAYS_NOTHING_MORE.includes(stage) ? drafts.unsaid(messagePlace(), "text").trim() : "";
  if (!text || talk().querySelector(".kept")) return;
  const kept = document.getElementById("unsaid").content.cloneNode(true);
  kept.querySelector("textarea").value = text;
  document.getElementById("note").after(kept);
};
const throwAway = (button) => {
  drafts.throwAway(messagePlace());
  button.closest(".kept").remove();
  document.getElementById("content").focus({ preventScroll: true });
};

const restore = () => {
  talk().querySelectorAll("form[data-draft]").forEach(drafts.restore);
  showUnsaid();
  const pair = [...talk().querySelectorAll(".pair")].at(-1);
  if (pair && document.getElementById("judge")) best.follow(document.getElementById("judge"), pair);
};
const arrive = (before) => {
  talk().dataset.ready = "yes"; // what a request brings is another element
  stage = talk().dataset.stage;
  restore();
  heed();
  count();
  if (veil()) veil().checked = lifted === talk().dataset.turn;
  show(view === "diff" ? "rendered" : view);
  if (stage === before) return;
  const note = document.getElementById("note").textContent;
  if (before === "waiting") spoken.textContent = spoken.dataset[stage === "failed" ? "failed" : "answered"];
  if (note) spoken.textContent = note;
  watchEnds();
  const again = document.querySelector("#failed button");
  const writes = message() && !message().form.hidden; // what was being written goes on
  const place = writes ? message() : again || document.getElementById("content");
  place?.focus({ preventScroll: true });
  const last = [...document.querySelectorAll("#talk .conversation")].at(-1);
  if (stage !== "rating") last?.scrollIntoView({ block: "start", behavior: "instant" });
};

// htmx asks again while a reply is written; the last of these brings what comes next.
document.addEventListener("htmx:afterSettle", () => talk() && arrive(stage));

/* ---- what is veiled until it is asked for, again at every turn; rendered, raw, difference ---- */

const veil = () => document.getElementById("veil");
const isVeiled = () => veil()?.checked === false;
let lifted = ""; // the turn whose texts were asked for
document.addEventListener("change", (event) => {
  if (event.target === veil()) lifted = veil().checked ? talk().dataset.turn : "";
});

let view = "rendered";
const show = (wanted) => {
  view = wanted;
  for (const text of talk().querySelectorAll("[data-shown]")) {
    const here = view === "diff" && !text.closest(".side") ? "rendered" : view; // what has no neighbour
    text.hidden = text.dataset.shown !== here;
  }
  for (const button of talk().querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
};
const toggle = (wanted) => {
  const next = view === wanted ? "rendered" : wanted;
  if (next === "diff") for (const pair of talk().querySelectorAll(".pair")) diff.fill(pair);
  const blocks = [...talk().querySelectorAll(".turn, .side")];
  const read = blocks.find((one) => one.getBoundingClientRect().bottom > innerHeight / 4);
  const before = read?.getBoundingClientRect().top;
  show(next);
  if (read) scrollBy({ top: read.getBoundingClientRect().top - before, behavior: "instant" });
};

/* ---- a pair is judged once both of its ends could be read ---- */

const unread = new Set();
let observer = null;
const watchEnds = () => {
  observer?.disconnect();
  unread.clear();
  const pair = [...document.querySelectorAll("#talk .pair")].at(-1);
  if (!pair || !document.getElementById("judge")) return;
  const pinned = document.querySelector(".judge").offsetHeight;
  observer = new IntersectionObserver(
    (entries) => {
      entries.filter((one) => one.isIntersecting).forEach((one) => unread.delete(one.target));
      hint();
    },
    { rootMargin: `99999px 0px ${2 - pinned}px 0px` },
  );
  for (const mark of pair.querySelectorAll(".end-mark")) {
    if (mark.getBoundingClientRect().top > innerHeight - pinned + 2) unread.add(mark);
    observer.observe(mark);
  }
  hint();
};
const hint = () => {
  const line = document.getElementById("asleep-hint");
  if (line) line.hidden = !unread.size;
};
// Not everything was on the screen yet: show the next stretch instead of taking a blind answer.
const nudge = () => {
  if (isVeiled()) return (spoken.textContent = veil().closest(".veil").textContent);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  scrollBy({ top: innerHeight * 0.6, behavior: calm ? "instant" : "smooth" });
  spoken.textContent = document.getElementById("asleep-hint").textContent;
};

/* ---- time spent: visible, focused, and no more than half a minute since the last sign ---- */

// Since the last judgement: what is written and read for the next one is work on it, a page that is
// loaded again in between included.
const IDLE_MS = 30_000;
const SPENT = `concord:spent:${talk().dataset.talk}`;
const kept = () => {
  try {
    return Number(sessionStorage.getItem(SPENT)) || 0;
  } catch {
    return 0; // storage is forbidden
  }
};
let activeMs = kept();
addEventListener("pagehide", () => {
  try {
    sessionStorage.setItem(SPENT, String(Math.round(activeMs)));
  } catch {
    // What was spent before a reload is lost with it.
  }
});
let lastTick = performance.now();
let lastSign = lastTick;
const tick = () => {
  const now = performance.now();
  const working = document.visibilityState === "visible" && document.hasFocus();
  if (working && now - lastSign < IDLE_MS) activeMs += now - lastTick;
  lastTick = now;
};
setInterval(tick, 250);
for (const sign of ["keydown", "pointermove", "pointerdown", "wheel", "touchstart", "scroll"]) {
  addEventListener(sign, () => (lastSign = performance.now()), { passive: true, capture: true });
}
const layout = () => {
  const shape = matchMedia("(max-width: 760px)").matches ? "stacked" : "side_by_side";
  const size = innerWidth < 480 ? "xs" : innerWidth < 761 ? "s" : innerWidth < 1200 ? "m" : "l";
  return `${shape}/${size}`;
};

/* ---- the clock of a timed session ---- */

const count = () => {
  const clock = talk()?.querySelector("[data-deadline]");
  if (!clock) return;
  const left = Math.max(0, Number(clock.dataset.deadline) - Math.floor(Date.now() / 1000));
  clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  if (!left && stage === "talking" && !busy) refresh();
};
const refresh = async () => {
  busy = true;
  const response = await fetch(talk().dataset.here, { headers: { "HX-Request": "true" } }).catch(() => null);
  busy = false;
  if (response?.ok) place(await response.text());
};
setInterval(count, 1000);

/* ---- wiring ---- */

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.closest("#talk") || form.method === "dialog" || event.submitter?.matches("[data-leave]")) return;
  event.preventDefault();
  if (form.closest("#flag")) flag(form, event.submitter);
  else submit(form, event.submitter);
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.pop[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const away = event.target.closest("[data-throw-away]");
  if (away) throwAway(away);
  if (event.target.closest("[data-unsaid]")) rateWithout();
  const button = event.target.closest("[data-view]");
  if (button) toggle(button.dataset.view);
  if (event.target.closest("[data-command=help]")) document.getElementById("help").showModal();
  if (!event.target.closest("[data-command=guidelines]")) return;
  event.preventDefault(); // a link for a browser without scripts
  guidelines.toggle(fetchText);
});
document.addEventListener("click", (event) => {
  const starter = event.target.closest("[data-starter]");
  if (!starter || !message()) return;
  message().value = starter.dataset.starter;
  drafts.keep(message().form);
  message().focus();
});
document.addEventListener("input", ({ target }) => {
  if (target.form?.matches("#talk [data-draft]")) drafts.keep(target.form);
});

const keys = keysOf(spoken);
const WRITES = "textarea, select, input:not([type=radio], [type=checkbox])";
const isPlain = (event) => !event.ctrlKey && !event.metaKey && !event.altKey;

// In the message two keys are more than text: the one that leaves it, the one that sends it.
const write = (event) => {
  if (!isPlain(event)) return;
  if (event.code === "Escape") return document.getElementById("content").focus();
  if (event.key !== "Enter" || event.shiftKey) return;
  event.preventDefault();
  if (message().value.trim()) message().form.requestSubmit();
};
// What the key presses here: a line of the open menu, a step of the question, a command that the
// page has as a button or a menu, or the veil.
const openMenu = () => document.querySelector("details.pop[open]");
const allMarked = (place, event) =>
  [...document.querySelectorAll(`${place} [data-codes]`)].filter(
    (one) => !one.disabled && !one.closest("[hidden]") && one.dataset.codes.split(" ").includes(event.code),
  );
const marked = (place, event) => allMarked(place, event)[0];
// Where several questions have the key: of the one in hand, else of the first that is open.
const group = (radio) => [...radio.form.elements].filter((one) => one.name === radio.name);
const isOpen = (one) => one.type === "radio" && !one.disabled && !group(one).some((radio) => radio.checked);
const step = (event) => {
  const found = allMarked("#judge", event);
  const inHand = found.find((one) => one.name && one.name === document.activeElement.name);
  return inHand || found.find(isOpen) || found[0];
};
// The next question that has to be answered by a key, after one was.
const nextOpen = (form) => [...form.querySelectorAll("fieldset[data-required] input[type=radio]")].find(isOpen);
const pressed = (event) => {
  if (!keys.allowed(event)) return null;
  const name = keys.command(event);
  const command = document.querySelector(`[data-command="${name}"], details#${name}.pop > summary`);
  if (openMenu()) return marked("details.pop[open]", event) || command;
  return step(event) || command || marked(".veil", event);
};
const closeMenu = (menu) => {
  menu.open = false;
  menu.querySelector("summary").focus();
};
addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const panel = document.querySelector("dialog[open]");
  if (panel) return keys.allowed(event) && keys.command(event) === panel.id && panel.close();
  if (event.code === "Escape" && openMenu()) return closeMenu(openMenu());
  if (event.target === message()) return write(event);
  if (event.target.closest(WRITES)) return event.code === "Escape" && document.getElementById("content").focus();
  if (event.repeat) return;
  const form = document.getElementById("judge");
  const sends = event.key === "Enter" && isPlain(event) && form && !form.hidden && !event.target.closest("button, a, summary");
  const control = sends ? null : pressed(event);
  if (!sends && !control) return;
  event.preventDefault();
  if (sends) return form.requestSubmit(document.getElementById("submit-answer"));
  control.click();
  if (control.matches("summary")) openMenu()?.querySelector("button, a").focus();
  const next = control.matches("#judge input[type=radio]") && nextOpen(control.form);
  if (control.matches("input")) (next || control).focus({ preventScroll: true }); // Tab goes on from there
});
addEventListener("pageshow", (event) => event.persisted && location.reload());

restore();
count();
show(view);
watchEnds();
if (stage === "talking") message().focus();
sendAgain();
talk().dataset.ready = "yes";
