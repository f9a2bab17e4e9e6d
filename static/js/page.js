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
