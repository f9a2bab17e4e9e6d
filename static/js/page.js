// What every page shares: a second press for what loses work, and an honest word when a poll fails.
// <button data-confirm="Press again to ..."> needs two presses within five seconds.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-confirm]");
  if (!button || button.dataset.armed) return;
  event.preventDefault();
  const label = button.textContent;
  button.dataset.armed = "yes";
  button.textContent = button.dataset.confirm;
  setTimeout(() => {
    delete button.dataset.armed;
    button.textContent = label;
  }, 5000);
});

// A form is sent once: the second click of a double click finds the button resting.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || !event.target.matches("form[data-once]")) return;
  if (event.submitter?.formTarget === "_blank") return; // a look at it, in a tab of its own
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A live part that cannot be refreshed says so instead of standing still.
const stale = (show) => {
  for (const mark of document.querySelectorAll("[data-stale]")) mark.hidden = !show;
};
document.addEventListener("htmx:sendError", () => stale(true));
document.addEventListener("htmx:responseError", () => stale(true));
document.addEventListener("htmx:afterOnLoad", (event) => {
  if (event.detail.successful !== false) stale(false);
});

/* ---- live parts: polled, and never pulled from under somebody's hands ---- */

const seen = new Map(); // what a live part last showed, without its changing form tokens
const TOKENS = /name="csrfmiddlewaretoken" value="[^"]*"/g;
const isLive = (element) => element.classList?.contains("live") && element.hasAttribute("hx-get");

document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.detail.elt;
  if (!isLive(part)) return;
  const busy = part.querySelector("[data-armed], details.pop[open], select:focus, input:focus");
  if (busy || document.hidden) event.preventDefault();
});

let held = null; // the focused control of a live part, to find again after the swap
document.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.detail.target;
  if (!isLive(part)) return;
  const text = event.detail.serverResponse.replace(TOKENS, "");
  if (seen.get(part.id) === text) event.detail.shouldSwap = false;
  seen.set(part.id, text);
  const focused = document.activeElement;
  held = part.contains(focused)
    ? { tag: focused.localName, href: focused.getAttribute("href"), action: focused.form?.action, text: focused.textContent }
    : null;
  for (const details of part.querySelectorAll("details[open][id]")) opened.add(details.id);
});
const opened = new Set();
document.addEventListener("htmx:afterSettle", (event) => {
  const part = document.getElementById(event.detail.target?.id || "") || event.detail.elt;
  if (!isLive(part)) return;
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  opened.clear();
  if (!held || part.contains(document.activeElement)) return;
  const same = [...part.querySelectorAll(held.tag)].find(
    (one) =>
      one.getAttribute("href") === held.href &&
      one.form?.action === held.action &&
      one.textContent === held.text,
  );
  same?.focus({ preventScroll: true });
});
