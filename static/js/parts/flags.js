// Flags: boxes in a row for each answer. A key ticks its box in the row that has the focus; up and
// down go to another row, Enter to the next part. Nothing ticked is an answer too.

export const attach = (part) => {
  const rows = [...part.querySelectorAll("[data-row]")];
  const rowInHand = () => Math.max(0, rows.findIndex((row) => row.contains(document.activeElement)));
  const boxesOf = (row) => [...row.querySelectorAll("input[type=checkbox]")];

  const key = (event) => {
    const row = rowInHand();
    if (event.code === "ArrowDown" || event.code === "ArrowUp") {
      const next = rows[row + (event.code === "ArrowDown" ? 1 : -1)];
      if (next) boxesOf(next)[0].focus();
      return Boolean(next);
    }
    const box = boxesOf(rows[row]).find((one) => one.dataset.codes.split(" ").includes(event.code));
    if (!box || box.disabled) return false;
    box.focus();
    box.click();
    return true;
  };
  // Never in the way of the next part: the form asks nothing of it.
  return { filled: () => true, key, isOffered: true };
};
