// Questions of several parts: which part the keys go to, what is filled, what is missing, and
// drafts of everything typed or chosen, until the answer is acknowledged.
//
// A part is <fieldset class="part" data-part="KEY" data-type="TYPE" [data-required]>. What can be
// pressed carries data-codes. A type with a behaviour of its own has a module in parts/, with
// attach(fieldset, card) => ({filled(), key(event), [isOffered]}); isOffered: it may be left as it
// is, and the keys go there all the same.

import * as best from "../parts/best.js";
import * as demonstration from "../parts/demonstration.js";
import * as flags from "../parts/flags.js";
import * as ranking from "../parts/ranking.js";
import * as rewrite from "../parts/rewrite.js";
import * as card from "./card.js";

const root = document.getElementById("rate");
const TYPED = "textarea, input[type=text], input[type=search], input[type=number]";
const MODULES = { demonstration, flags, ranking, rewrite };

let form = null;
let parts = []; // fieldsets in the order they stand
let behaviours = new Map(); // what a part's own module says, by fieldset
let last = null; // the part that was active, for when all are filled
let visited = new Set(); // parts that have been active

/* ---- what is filled ---- */

// The controls of a part by name: the radios of one question are one group.
const groupsOf = (part) => {
  const groups = new Map();
  for (const control of part.elements) {
    if (!control.name || control.disabled || control.type === "hidden") continue;
    groups.set(control.name, [...(groups.get(control.name) || []), control]);
  }
  return [...groups.values()];
};
const least = (control) => Math.max(1, Number(control.dataset.min) || 0);
const length = (control) => [...control.value.trim()].length;
const isOptional = ([control]) => control.type === "checkbox" || "optional" in control.dataset;
const isGroupFilled = (group) => {
  const [control] = group;
  if (["radio", "checkbox"].includes(control.type)) return group.some((one) => one.checked);
  return control.matches(TYPED) ? length(control) >= least(control) : control.value !== "";
};
// Begun and too short, which no part may be.
const isTooShort = ([control]) =>
  control.matches(TYPED) && length(control) > 0 && length(control) < least(control);
const openGroup = (part) => groupsOf(part).find((group) => !isOptional(group) && !isGroupFilled(group));
const isRequired = (part) => "required" in part.dataset;
const isFilled = (part) => behaviours.get(part)?.filled() ?? !openGroup(part);
const lacks = (part) => (isRequired(part) ? !isFilled(part) : groupsOf(part).some(isTooShort));

const titleOf = (part) => part.querySelector("legend")?.textContent.trim() || part.dataset.part;

// One sentence that names what is missing, with the focus in the first of it; "" when all is there.
export const missing = () => {
  const left = parts.filter(lacks);
  if (!left.length) return "";
  enter(left[0]);
  const short = groupsOf(left[0]).find(isTooShort);
  if (short) return root.dataset.sayShort.replace("{n}", least(short[0]));
  const said = root.dataset.sayMissing.replace("{parts}", left.map(titleOf).join(", "));
  return said.replace(/([.?!…])\.$/, "$1"); // a title may bring a mark of its own
};

/* ---- the active part ---- */

const active = () => {
  const focused = parts.find((part) => part.contains(document.activeElement));
  return focused || parts.find((part) => isRequired(part) && !isFilled(part)) || last || parts[0];
};
const mark = () => {
  last = active();
  visited.add(last);
  for (const part of parts) part.classList.toggle("active", part === last);
};
// The text of the row in hand is brought into sight, where the form is pinned over the texts.
const beside = ({ target }) => {
  const letter = target.closest("[data-row], [data-letter]")?.dataset.letter;
  const isPinned = getComputedStyle(form.closest(".judge")).position === "sticky";
  if (!letter || !isPinned) return;
  const sides = [...form.closest("#card").querySelectorAll(".pair > .side")];
  const side = sides.find((one) => one.querySelector(".letter").textContent === letter);
  side?.scrollIntoView({ block: "nearest", behavior: "instant" });
};
const PLACES = "[tabindex='0'], [data-codes], input, textarea, select";
const enter = (part) => {
  const group = behaviours.has(part) ? null : openGroup(part);
  const places = [...part.querySelectorAll(PLACES)].filter((one) => !one.disabled && one.checkVisibility());
  (group || places)[0]?.focus({ preventScroll: true });
  part.scrollIntoView({ block: "nearest", behavior: "instant" });
  mark();
};
const isOffered = (part) => Boolean(behaviours.get(part)?.isOffered && isRequired(part));
const isAhead = (part) => isOffered(part) && !visited.has(part) && [...part.elements].some((one) => !one.disabled);
// After a key: what is still open in this part, else the next part that is, else the button.
const goOn = (part) => {
  if (!isFilled(part)) return enter(part);
  const after = parts.slice(parts.indexOf(part) + 1);
  const next = after.find((one) => lacks(one) || isAhead(one)) || parts.find(lacks);
  if (next) return enter(next);
  document.getElementById("submit-answer")?.focus({ preventScroll: true });
  mark();
};

/* ---- keys ---- */

// The control that a key means: in the group that has the focus, else in the first open one.
const meant = (part, code) => {
  const found = [...part.querySelectorAll("[data-codes]")].filter(
    (one) => !one.disabled && one.dataset.codes.split(" ").includes(code),
  );
  const focused = found.find((one) => one.name && one.name === document.activeElement?.name);
  const groups = groupsOf(part);
  const open = found.find((one) => !isGroupFilled(groups.find((group) => group.includes(one)) || [one]));
  return focused || open || found[0];
};

// True when the key was the form's.
export const key = (event) => {
  if (!form?.isConnected) return false;
  if (event.code === "Enter" || event.code === "NumpadEnter") {
    if (event.target.closest("button, a, summary")) return false;
    if (isOffered(active()) && parts.some(lacks)) goOn(active());
    else form.requestSubmit();
    return true;
  }
  const part = active();
  const wasFilled = isFilled(part);
  if (behaviours.get(part)?.key(event)) {
    if (!wasFilled && isFilled(part)) goOn(part);
    return true;
  }
  const control = part && meant(part, event.code);
  if (!control) return false;
  control.focus({ preventScroll: true });
  control.click();
  if (control.type !== "checkbox") goOn(part);
  return true;
};

// In a text field every key is text, but the two that leave it.
export const write = (event) => {
  if (!form?.isConnected) return;
  const isEnter = event.code === "Enter" || event.code === "NumpadEnter";
  if (isEnter && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  else if (event.code === "Escape") document.getElementById("content").focus({ preventScroll: true });
  else return;
  event.preventDefault();
};

/* ---- drafts ---- */

const DRAFT = `concord:draft:${root.dataset.rater}:`;
const DRAFT_DAYS = 30;
const WAIT_MS = 300;
let timer = null;

const nameOf = (assignment) => DRAFT + assignment;
const filledIn = () => {
  const own = new Set(parts.flatMap((part) => [...part.elements].map((control) => control.name)));
  return [...new FormData(form)].filter(([name, value]) => own.has(name) && value !== "");
};
const save = () => {
  clearTimeout(timer);
  timer = null;
  if (!form) return;
  const name = nameOf(form.closest("#card").dataset.assignment);
  if (!filledIn().length) return forget(name);
  try {
    localStorage.setItem(name, JSON.stringify({ at: Date.now(), fields: filledIn() }));
  } catch {
    card.say(root.dataset.sayNoDrafts);
  }
};
const stored = (name) => {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null; // forbidden, or nothing that this page wrote
  }
};
const forget = (name) => {
  try {
    localStorage.removeItem(name);
  } catch {
    // Where storage is forbidden there is no draft.
  }
};
const restore = (assignment) => {
  const fields = stored(nameOf(assignment))?.fields || [];
  for (const [name, value] of fields) {
    const group = parts.flatMap((part) => [...part.elements]).filter((control) => control.name === name);
    const ticked = group.find((control) => ["radio", "checkbox"].includes(control.type) && control.value === value);
    const typed = group[0] && !["radio", "checkbox"].includes(group[0].type) ? group[0] : null;
    if (ticked ? !ticked.checked : typed && typed.value !== value) takeOver({ target: group[0] });
    if (ticked) ticked.checked = true;
    else if (typed) typed.value = value;
  }
};
const drafts = () => {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(DRAFT));
  } catch {
    return [];
  }
};
// Drafts of cards that never came back.
const sweep = () => {
  const oldest = Date.now() - DRAFT_DAYS * 24 * 3600 * 1000;
  for (const name of drafts()) if (!(stored(name)?.at > oldest)) forget(name);
};

/* ---- a card comes ---- */

// "12 of at least 40 characters", while it is less.
const count = (control) => {
  const counter = control.parentElement.querySelector(`[data-counts="${CSS.escape(control.name)}"]`);
  if (!counter) return;
  const text = root.dataset.sayCount.replace("{n}", length(control)).replace("{least}", least(control));
  counter.textContent = length(control) < least(control) ? text : "";
};
const addCounter = (control) => {
  const counter = document.createElement("span");
  counter.className = "small muted num";
  counter.dataset.counts = control.name;
  control.after(counter);
  count(control);
};

// What its rater has changed is suggested no more.
const takeOver = ({ target }) => target.closest("fieldset.part")?.querySelector("[data-suggested]")?.remove();

const changed = (event) => {
  mark();
  takeOver(event);
  if (event.target.dataset?.min) count(event.target);
  clearTimeout(timer);
  timer = setTimeout(save, WAIT_MS);
};

export const attach = (element) => {
  flush(); // of the card before
  form = element.querySelector("#judge");
  parts = [...form.querySelectorAll("fieldset.part")];
  behaviours = new Map();
  last = null;
  visited = new Set();
  const isNew = !form.dataset.attached;
  if (isNew) begin(element);
  for (const part of parts) {
    const own = MODULES[part.dataset.type];
    if (own) behaviours.set(part, part.behaviour || own.attach(part, element));
    part.behaviour = behaviours.get(part);
  }
  if (isNew) best.follow(form, element.querySelector(".pair"));
  mark();
};

// Once a card: a card that is taken back comes with what was filled in.
const begin = (element) => {
  form.dataset.attached = "yes";
  form.noValidate = true; // what is missing is said in a sentence, by missing()
  restore(element.dataset.assignment);
  for (const control of form.querySelectorAll("[data-min]")) addCounter(control);
  form.addEventListener("input", changed);
  form.addEventListener("focusin", mark);
  form.addEventListener("focusin", beside);
};

root.addEventListener("settled", ({ detail: { entry, ok } }) => {
  if (entry.kind === "answer" && ok) forget(nameOf(entry.card));
});
const flush = () => timer && save();
addEventListener("pagehide", flush);
document.addEventListener("visibilitychange", flush);
sweep();
