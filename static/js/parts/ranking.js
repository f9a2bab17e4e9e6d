// A ranking: an answer is in hand, and a digit or a tap gives it its place. The plain selects of
// the form, which work without this, keep what was chosen; the board draws them.
//
//   digits     the place of the answer in hand; the same digit twice is a tie; the next one follows
//   arrows     another answer in hand, in reading order
//   n          set aside: it cannot be ranked
//   Backspace  takes the last place back, until none is left to take

const DIGIT = /^(?:Digit|Numpad)([1-9])$/;
const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
const ASIDE = "unrankable";

export const attach = (part, card) => {
  const board = part.querySelector(".ranking");
  const selects = [...part.querySelectorAll("select[data-position]")];
  const options = [...part.querySelectorAll(".rank-card")];
  const sides = [...card.querySelectorAll(".pair > .side")];
  const places = Number(board.dataset.places);
  const top = Number(board.dataset.top) || null;
  const given = []; // [position, what it had before], in the order they were given
  let hand = 0;

  const valueOf = (position) => selects[position].value;
  const isRanked = (position) => Number(valueOf(position)) > 0;
  const positions = selects.map((_, position) => position);
  const open = () => positions.filter((position) => valueOf(position) === "");
  const filled = () => !open().length || Boolean(top && positions.filter(isRanked).length >= top);

  const set = (position, value) => {
    selects[position].value = value;
    selects[position].dispatchEvent(new Event("input", { bubbles: true }));
    draw();
  };

  const hold = (position) => {
    hand = (position + selects.length) % selects.length;
    draw();
    options[hand].focus({ preventScroll: true });
    // Beside the texts the one in hand is brought into sight; under them nothing moves.
    const isPinned = getComputedStyle(part.closest(".judge")).position === "sticky";
    if (isPinned) sides[hand]?.scrollIntoView({ block: "nearest", behavior: "instant" });
  };

  const place = (value) => {
    if (![...selects[hand].options].some((option) => option.value === value)) return;
    given.push([hand, valueOf(hand)]);
    set(hand, value);
    const next = [...open().filter((position) => position > hand), ...open()][0];
    hold(value === "" ? hand : (next ?? hand));
  };

  // Up is better. One without a place comes in below all others.
  const move = (by) => {
    const last = Math.max(0, ...positions.filter(isRanked).map((position) => Number(valueOf(position))));
    const wanted = isRanked(hand) ? Number(valueOf(hand)) + by : last + 1;
    given.push([hand, valueOf(hand)]);
    set(hand, String(Math.min(places, Math.max(1, wanted))));
  };

  const takeBack = () => {
    const [position, before] = given.pop();
    set(position, before);
    hold(position);
  };

  // B > A = C; D set aside
  const sentence = () => {
    const letters = (value) =>
      positions.filter((position) => valueOf(position) === value).map((p) => selects[p].dataset.letter);
    const tiers = Array.from({ length: places }, (_, tier) => letters(String(tier + 1)).join(" = "));
    const order = tiers.filter(Boolean).join(" > ");
    const aside = letters(ASIDE).join(", ");
    return [order, aside && `${aside} ${line.dataset.aside}`].filter(Boolean).join("; ");
  };

  const line = part.querySelector(".rank-order");
  const draw = () => {
    for (const position of positions) {
      const isInHand = position === hand;
      const value = valueOf(position);
      options[position].tabIndex = isInHand ? 0 : -1;
      options[position].setAttribute("aria-selected", String(isInHand));
      options[position].querySelector(".rank-place").textContent =
        value === ASIDE ? "×" : value || "–";
      sides[position]?.classList.toggle("in-hand", isInHand);
    }
    for (const button of part.querySelectorAll("[aria-pressed]")) {
      button.setAttribute("aria-pressed", String(button.dataset.place === valueOf(hand)));
    }
    const said = sentence() || line.dataset.empty;
    if (line.textContent !== said) line.textContent = said;
  };

  const key = (event) => {
    const digit = DIGIT.exec(event.code)?.[1];
    if (digit && Number(digit) <= places) place(digit);
    else if (event.code in STEPS) hold(hand + STEPS[event.code]);
    else if (event.code === "KeyN") place(ASIDE);
    else if (event.code === "Backspace" && given.length) takeBack();
    else return false;
    return true;
  };

  board.addEventListener("click", (event) => {
    const option = event.target.closest(".rank-card");
    const button = event.target.closest("[data-place], [data-move]");
    if (option) hold(options.indexOf(option));
    else if (button?.dataset.move) move(Number(button.dataset.move));
    else if (button) place(button.dataset.place);
  });
  board.classList.add("live");
  draw();
  return { filled, key };
};
