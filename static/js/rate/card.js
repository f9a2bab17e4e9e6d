// What is on the page: putting a card there, whether its texts could be read, the time
// spent on it, how its texts are shown, and that the reader keeps the place.

import * as diff from "./diff.js";

const root = document.getElementById("rate");
const IDLE_MS = 30_000;

let card = null; // null while there is nothing to rate
const spent = new Map(); // active milliseconds of cards in hand, by assignment

/* ---- a card comes and goes ---- */

// Puts a card, or a stage without one, where the old one was; every card starts at its top.
export const place = (fresh) => {
  document.getElementById("card").replaceWith(fresh);
  scrollTo({ top: 0, behavior: "instant" });
  arrive(fresh);
  const first = fresh.querySelector("[data-first]") || document.getElementById("content");
  first.focus({ preventScroll: true });
};

// A sentence above the card, for eyes and for screen readers; none takes the line away.
export const say = (sentence) => {
  const line = document.getElementById("note");
  line.textContent = sentence;
  line.classList.toggle("sr", !sentence);
  if (sentence) speak(sentence);
};
export const speak = (sentence) => (document.getElementById("spoken").textContent = sentence);

export const arrive = (element) => {
  card = element.dataset.assignment ? element : null;
  tick();
  observer?.disconnect();
  root.dispatchEvent(new CustomEvent("card", { detail: card }));
  if (!card) return;
  for (const button of card.querySelectorAll("[data-layout]")) press(button, isStacked());
  show(view === "diff" ? "rendered" : view);
  watchEnds();
};

/* ---- time spent: visible, focused, and no more than half a minute since the last sign ---- */

let lastTick = performance.now();
let lastSign = performance.now();

const tick = () => {
  const now = performance.now();
  const working = document.visibilityState === "visible" && document.hasFocus();
  if (card && working && now - lastSign < IDLE_MS) {
    const id = card.dataset.assignment;
    spent.set(id, (spent.get(id) || 0) + now - lastTick);
  }
  lastTick = now;
};
setInterval(tick, 250);

export const sign = () => (lastSign = performance.now());
// Milliseconds somebody worked on the card. Asked once: an answer to it after an undo counts anew.
export const takeSpent = () => {
  tick();
  const id = card.dataset.assignment;
  const active = Math.round(spent.get(id) || 0);
  spent.delete(id);
  return active;
};

/* ---- the bar sleeps until every text could be read ---- */

const seen = new Map(); // by assignment: which of its texts' ends were on the screen
let observer = null;
let look = () => {}; // at the ends that are on the screen now

const watchEnds = () => {
  const marks = [...card.querySelectorAll(".end-mark")];
  const judge = card.querySelector(".judge");
  const ends = seen.get(card.dataset.assignment) || new Set();
  seen.set(card.dataset.assignment, ends);
  const pinned = getComputedStyle(judge).position === "sticky" ? judge.offsetHeight : 0;
  const wake = () => {
    const unread = ends.size < marks.length;
    judge.classList.toggle("asleep", unread || isVeiled() || Boolean(noteToCome()));
    document.getElementById("asleep-hint").hidden = !unread || Boolean(noteToCome());
  };
  card.querySelector("#veil")?.addEventListener("change", wake);
  card.querySelector("[data-before]")?.addEventListener("input", wake);
  // At once, so that a fast rater's next press is not lost; then as the page is scrolled, of which
  // the observer hears a frame later, and on a busy machine much later.
  const isRead = (mark) =>
    mark.getClientRects().length && mark.getBoundingClientRect().top <= innerHeight - pinned + 2;
  look = () => {
    marks.forEach((mark, place) => isRead(mark) && ends.add(place)); // a folded text is not read
    wake();
  };
  look();
  observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        ends.add(marks.indexOf(entry.target));
        observer.unobserve(entry.target);
      }
      wake();
    },
    { rootMargin: `0px 0px ${-pinned + 2}px 0px` },
  );
  marks.forEach((mark, place) => ends.has(place) || observer.observe(mark));
};
// A note that comes first, while it is empty: the answers stand folded, or what was asked.
const noteToCome = () => card.querySelector("[data-before]:placeholder-shown");
const isVeiled = () => card.querySelector("#veil")?.checked === false;
export const isAwake = () => !card.querySelector(".judge").classList.contains("asleep");

// Not everything was on the screen yet: show the next stretch instead of taking a blind answer.
export const nudge = () => {
  if (isVeiled()) return card.querySelector(".veil span").textContent;
  const note = noteToCome();
  if (note) {
    note.focus();
    return note.placeholder;
  }
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  scrollBy({ top: innerHeight * 0.6, behavior: calm ? "instant" : "smooth" });
  return document.getElementById("asleep-hint").textContent;
};

/* ---- rendered, raw, difference; and the line that was being read ---- */

let view = "rendered";
const press = (button, pressed) => button.setAttribute("aria-pressed", String(pressed));
const shown = (side) => side.querySelector("[data-shown]:not([hidden])");

// What stands under the bar, as a share of its text's height: there the same share is put after
// a change that makes the text longer or shorter. A text whose top is on the screen stays there.
const keepPlace = (change) => {
  const line = document.querySelector(".bar").getBoundingClientRect().bottom;
  const sides = [...card.querySelectorAll(".side")];
  const side = sides.find((one) => one.getBoundingClientRect().bottom > line) || sides[0];
  const share = (box) => Math.max(0, Math.min(1, (line - box.top) / (box.height || 1)));
  const before = shown(side)?.getBoundingClientRect();
  const read = before && share(before);
  change();
  const after = shown(side)?.getBoundingClientRect();
  if (!before || !after) return;
  const moved = after.top + read * after.height - (before.top + read * before.height);
  scrollBy({ top: moved, behavior: "instant" });
  look();
};

const show = (wanted) => {
  view = wanted;
  for (const text of card.querySelectorAll(".side [data-shown]")) text.hidden = text.dataset.shown !== view;
  const asked = view === "raw" ? "raw" : "rendered"; // a prompt has no difference
  for (const text of card.querySelectorAll(".turn [data-shown]")) text.hidden = text.dataset.shown !== asked;
  for (const button of card.querySelectorAll("[data-view]")) press(button, button.dataset.view === view);
};

export const toggle = (wanted) => {
  if (!card?.querySelector(`[data-view="${wanted}"]`)) return;
  const next = view === wanted ? "rendered" : wanted;
  if (next === "diff") diff.fill(card);
  keepPlace(() => show(next));
};

/* ---- side by side or stacked: a matter of this screen, so this browser remembers it ---- */

const LAYOUT = `concord:layout:${root.dataset.rater}`;
const isNarrow = () => matchMedia("(max-width: 760px)").matches;
const isStacked = () => root.classList.contains("stacked");

const remembered = () => {
  try {
    return localStorage.getItem(LAYOUT) === "stacked";
  } catch {
    return false; // storage is forbidden
  }
};
root.classList.toggle("stacked", remembered());

export const switchLayout = (button) => {
  keepPlace(() => press(button, root.classList.toggle("stacked")));
  try {
    localStorage.setItem(LAYOUT, isStacked() ? "stacked" : "side_by_side");
  } catch {
    // Storage is full or forbidden: it holds until the page is closed.
  }
};

// How the texts stood when they were judged, as the label keeps it.
export const layout = () => {
  const size = innerWidth < 480 ? "xs" : innerWidth < 761 ? "s" : innerWidth < 1200 ? "m" : "l";
  return `${isNarrow() || isStacked() ? "stacked" : "side_by_side"}/${size}`;
};
