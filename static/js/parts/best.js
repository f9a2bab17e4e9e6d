// Which answer is the best, by what the parts before one say so far; and the parts that are about
// that answer. Where none is first yet their fields are off, since nothing is asked.

const positionOf = (control) => control.name.slice(control.name.lastIndexOf("-") + 1);

// The answer with the highest sum, where it has no equal; null while there is none.
const alone = (sums) => {
  const highest = Math.max(...sums.values());
  const first = [...sums].filter(([, sum]) => sum === highest);
  return first.length === 1 ? first[0][0] : null;
};
const chosen = (part) => part.querySelector("input[data-best]:checked")?.dataset.best ?? null;
const ranked = (part) => {
  const placed = [...part.querySelectorAll("select[data-position]")].filter((one) => Number(one.value));
  return alone(new Map(placed.map((one) => [one.dataset.position, -Number(one.value)])));
};
const rated = (part) => {
  const by = part.querySelector("[data-prefers]")?.dataset.prefers;
  const radios = by ? [...part.querySelectorAll("input[type=radio]")] : [];
  const counts = radios.filter((one) => by === "mean" || one.name.split("-")[1] === by);
  const checked = counts.filter((one) => one.checked);
  if (checked.length < new Set(counts.map((one) => one.name)).size) return null;
  const sums = new Map();
  for (const one of checked) {
    const position = positionOf(one);
    sums.set(position, (sums.get(position) || 0) + Number(one.value));
  }
  return alone(sums);
};

// The position of the answer that the parts before this one put first, as the server reads it: by
// the first of them that puts one above all others. Null while there is none.
export const bestBefore = (part) => {
  for (const one of part.form.querySelectorAll("fieldset.part")) {
    if (one === part) return null;
    const best = chosen(one) ?? ranked(one) ?? rated(one);
    if (best !== null) return best;
  }
  return null;
};

const show = (part, position, letters) => {
  part.classList.toggle("unasked", position === null);
  for (const control of part.elements) control.disabled = position === null;
  const line = part.querySelector("[data-best-letter]");
  if (line) line.textContent = position === null ? line.dataset.none : letters[position];
};

// ``texts`` holds the answers in the order of their letters.
export const follow = (form, texts) => {
  const isAbout = (part) => part.querySelector("[data-over='best']");
  const parts = [...form.querySelectorAll("fieldset.part")].filter(isAbout);
  if (!parts.length) return;
  const letters = [...texts.querySelectorAll(".side .letter")].map((one) => one.textContent);
  const update = () => parts.forEach((part) => show(part, bestBefore(part), letters));
  form.addEventListener("input", update);
  update();
};
