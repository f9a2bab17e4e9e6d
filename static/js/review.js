// Keys of a lead's review: whatever says its key in data-codes is pressed by it, but while
// somebody types, and with no modifier held.
const TYPED = "input:not([type=radio]):not([type=checkbox]), textarea, select";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(TYPED)) return;
  const found = [...document.querySelectorAll("main [data-codes]")].find((one) =>
    one.dataset.codes.split(" ").includes(event.code),
  );
  if (!found) return;
  event.preventDefault();
  found.click();
});
