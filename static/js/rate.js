// A rater's page: one press, one answer, the next card. The server's pages work without scripts;
// with them an answer survives a lost network, a restarted server and a closed tab.
//
//   rate/outbox.js   what was said, kept here until the server has acknowledged it
//   rate/deck.js     the cards: on the page, ahead, done; leases, pause, undo
//   rate/card.js     the card on the page: time, view, layout, place
//   rate/forms.js    questions of several parts; parts/ has what one instrument needs of its own
//   rate/drawer.js   the last ten answers
//
// This file turns presses into these. A rater's own keys are read by keys.js.

import * as guidelines from "./guidelines.js";
import { keysOf } from "./keys.js";
import { parse } from "./markup.js";
import * as card from "./rate/card.js";
import * as deck from "./rate/deck.js";
import * as drawer from "./rate/drawer.js";
import * as forms from "./rate/forms.js";
import * as outbox from "./rate/outbox.js";

const root = document.getElementById("rate");
const CLICK_MS = 300; // a second click so soon was meant for the card before
const OURS = ["csrfmiddlewaretoken", "idempotency_key"];

/* ---- what a rater does ---- */

const say = (kind, form, fields) => {
  const entry = { key: outbox.newKey(), kind, card: deck.id(), here: root.dataset.here };
  outbox.push({ ...entry, url: form.action, fields: [...fields, ["idempotency_key", entry.key]] });
};

const answer = (form, button) => {
  const filled = [...new FormData(form, button)].filter(([name]) => !OURS.includes(name));
  for (const step of form.querySelectorAll("button.step")) step.classList.toggle("chosen", step === button);
  say("answer", form, [...filled, ["active_ms", card.takeSpent()], ["layout", card.layout()]]);
  deck.next();
};

const submit = (form, button) => {
  if (!deck.id()) return;
  if (!card.isAwake()) return card.speak(card.nudge());
  const lacks = "instant" in deck.element().dataset ? "" : forms.missing(form);
  if (lacks) return card.say(lacks);
  answer(form, button);
};

const skip = (form, button) => {
  say("skip", form, [[button.name, button.value]]);
  closeMenus(); // a card that is taken back comes as it was left
  deck.next();
};

// What never left this browser is dropped; what may have reached the server is taken back there,
// behind the answer itself.
const takeBack = (assignment = deck.lastDone()) => {
  const sent = outbox.lastOf(assignment);
  const isSent = !sent || sent.tries > 0;
  const key = outbox.newKey();
  const last = deck.lastDone(); // of two presses at once the second changes nothing
  const fields = Object.entries({ assignment, last }).filter(([, value]) => value);
  const url = root.dataset.undo;
  deck.reopen(assignment, { isSent });
  if (!isSent) outbox.drop(sent);
  else outbox.push({ key, kind: "undo", card: assignment, here: root.dataset.here, url, fields });
  if (!isSent) outbox.pump();
};

// The flag changes nothing but its own mark, so it is not worth the outbox: it can be pressed again.
const flag = async (form, button) => {
  const response = await outbox.post(form.action, [[button.name, button.value]]).catch(() => null);
  if (response?.status === 401) return outbox.signIn();
  if (!response?.ok) return card.say(root.dataset.sayNotFlagged);
  const fresh = parse(await response.text()).querySelector("#flag");
  if (!form.isConnected || !fresh) return;
  form.closest("#flag").replaceWith(fresh);
  document.getElementById("content").focus({ preventScroll: true });
};

// A question about the card, likewise: what is filled in stays, and so does what was typed when it
// could not be sent.
const ask = async (form) => {
  const response = await outbox.post(form.action, [...new FormData(form)]).catch(() => null);
  if (response?.status === 401) return outbox.signIn();
  const fresh = response && parse(await response.text()).querySelector("#ask");
  if (!form.isConnected) return;
  if (!fresh) return (form.querySelector("[role=status]").textContent = root.dataset.sayNotAsked);
  form.closest("#ask").replaceWith(fresh);
  if (fresh.open) return fresh.querySelector("textarea").focus();
  card.say(fresh.querySelector("[role=status]").textContent);
  document.getElementById("content").focus({ preventScroll: true });
};

/* ---- panels and menus ---- */

const openPanel = (id, fill) => {
  const panel = document.getElementById(id);
  if (panel.open) return panel.close(); // the browser gives the focus back
  panel.showModal();
  fill?.(panel);
};
// Of the menus one is open at most: a digit means what stands in the one that is seen.
const closeMenus = (but) => {
  for (const menu of document.querySelectorAll("details.pop[open]")) if (menu !== but) menu.open = false;
};
const openMenu = (id) => {
  const menu = document.getElementById(id);
  if (!menu) return;
  closeMenus(menu);
  menu.open = !menu.open;
  if (menu.open) menu.querySelector("textarea, button").focus();
};
const closeMenu = (menu) => {
  menu.open = false;
  menu.querySelector("summary").focus();
};

const COMMANDS = {
  undo: () => takeBack(),
  skip: () => openMenu("skip"),
  flag: () => openMenu("flag"),
  ask: () => openMenu("ask"),
  guidelines: () => {
    guidelines.toggle(outbox.fetchText);
    document.querySelector("[data-answers]")?.remove(); // they are read now
  },
  difference: () => card.toggle("diff"),
  raw: () => card.toggle("raw"),
  pause: deck.pause,
  drawer: () => openPanel("recent-panel", drawer.fill),
  help: () => openPanel("help"),
};

/* ---- keys ---- */

const keys = keysOf(root);
const OPENS = { guidelines: "guidelines", "recent-panel": "drawer", help: "help" };
const WRITES = "textarea, select, input:not([type=radio], [type=checkbox], [type=hidden])";

const marked = (scope, code) =>
  [...(scope?.querySelectorAll("[data-codes]") || [])].find((one) => one.dataset.codes.split(" ").includes(code));

// What the key means here, as something to do; nothing where the browser should have it.
const meaning = (event) => {
  const panel = document.querySelector("dialog[open]");
  const menu = document.querySelector("details.pop[open]");
  const command = keys.command(event);
  if (panel) return command && OPENS[panel.id] === command ? () => panel.close() : null;
  const button = menu ? marked(menu, event.code) : null;
  if (button) return () => button.click();
  const element = menu ? null : deck.element();
  if (element && "instant" in element.dataset) {
    const step = marked(element.querySelector("#judge"), event.code);
    if (step) return () => submit(step.form, step);
  } else if (element && forms.key(event)) return () => {};
  const veil = command ? null : marked(element?.querySelector(".veil"), event.code);
  return veil ? () => veil.click() : COMMANDS[command];
};

addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const menu = document.querySelector("details.pop[open]");
  if (menu && event.code === "Escape") return closeMenu(menu);
  const question = event.target.closest("#ask form");
  if (question && event.code === "Enter" && (event.ctrlKey || event.metaKey)) return question.requestSubmit();
  if (question && event.target.closest(WRITES)) return;
  if (event.target.closest(WRITES)) return forms.write(event);
  if (event.repeat || !keys.allowed(event)) return;
  const act = meaning(event);
  if (!act) return;
  event.preventDefault();
  act();
});

/* ---- pointers, forms, cards ---- */

document.addEventListener("click", (event) => {
  closeMenus(event.target.closest("details.pop"));
  // The second click of a double click; the keyboard's clicks have no count.
  const isStep = event.target.closest("#judge button.step");
  if (isStep && event.detail && deck.paintedFor() < CLICK_MS) return event.preventDefault();
  const button = event.target.closest("[data-view], [data-layout], [data-command]");
  if (!button) return;
  event.preventDefault();
  if (button.dataset.view) card.toggle(button.dataset.view);
  else if (button.dataset.command) COMMANDS[button.dataset.command]();
  else card.switchLayout(button);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  const act =
    form.id === "judge" ? submit : form.closest("#skip") ? skip : form.closest("#flag") ? flag : form.closest("#ask") ? ask : null;
  const takes = form.action === new URL(root.dataset.undo, location).href;
  if (!act && !takes) return;
  event.preventDefault();
  if (act) return act(form, event.submitter);
  form.closest("dialog")?.close();
  takeBack(form.elements.assignment?.value);
});

root.addEventListener("card", ({ detail: fresh }) => {
  if (fresh && !("instant" in fresh.dataset)) forms.attach(fresh);
});
for (const name of ["keydown", "pointermove", "pointerdown", "wheel", "touchstart", "scroll"]) {
  addEventListener(name, deck.sign, { passive: true, capture: true });
}

deck.open();
root.dataset.ready = "yes";
