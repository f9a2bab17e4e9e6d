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

// What is selected in one of the texts is masked in its field, as if it had been typed.
let field = null;
for (const one of document.querySelectorAll("[data-passage]")) one.addEventListener("select", () => (field = one));
for (const button of document.querySelectorAll("[data-mask]"))
  button.addEventListener("click", () => {
    if (!field || field.selectionStart === field.selectionEnd) return;
    const mask = document.getElementById(button.dataset.mask).value || "[…]";
    field.setRangeText(mask, field.selectionStart, field.selectionEnd, "end");
    field.focus();
  });
