// The words that differ between two texts: the longest common subsequence of words of the raw
// texts, with what is the same at both ends set aside first.

const MOST_CELLS = 4_000_000; // of the table: about 40 ms and 8 MB
const MOST_CHARACTERS = 400_000; // of a text: every mark is an element of the page

const common = (left, right) => {
  const width = right.length + 1;
  const table = new Uint16Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      table[i * width + j] =
        left[i] === right[j]
          ? table[(i + 1) * width + j + 1] + 1
          : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const kept = [new Set(), new Set()];
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    if (left[i] === right[j]) {
      kept[0].add(i++);
      kept[1].add(j++);
    } else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) i++;
    else j++;
  }
  return kept;
};

// How many words are the same from the start (way 1) or the end (way -1).
const sameEnd = (left, right, way, most) => {
  const at = (words, n) => words[way === 1 ? n : words.length - 1 - n];
  let n = 0;
  while (n < most && at(left, n) === at(right, n)) n++;
  return n;
};

// Runs of [text, differs] for each side, or null where the texts differ in too much.
export const runs = (left, right) => {
  if (Math.max(left.length, right.length) > MOST_CHARACTERS) return null;
  const words = [left, right].map((text) => text.match(/\s+|[^\s]+/g) || []);
  const shorter = Math.min(words[0].length, words[1].length);
  const head = sameEnd(words[0], words[1], 1, shorter);
  const tail = sameEnd(words[0], words[1], -1, shorter - head);
  const middle = words.map((list) => list.slice(head, list.length - tail));
  if ((middle[0].length + 1) * (middle[1].length + 1) > MOST_CELLS) return null;
  const kept = common(...middle);
  return words.map((list, side) => {
    const differs = (index) => {
      const place = index - head;
      const isMiddle = place >= 0 && place < middle[side].length;
      return isMiddle && !kept[side].has(place) && list[index].trim() !== "";
    };
    return join(list, differs);
  });
};

// Neighbours of one kind are one run: fewer elements to lay out.
const join = (words, differs) => {
  const found = [];
  words.forEach((word, index) => {
    const is = differs(index);
    if (!is && found.length && !found.at(-1)[1]) found.at(-1)[0] += word;
    else found.push([word, is]);
  });
  return found;
};

const node = ([text, differs]) => {
  if (!differs) return document.createTextNode(text);
  const mark = document.createElement("mark");
  mark.className = "only";
  mark.textContent = text;
  return mark;
};

// Fills the card's two difference texts, once. Where there is too much a line says so, above the
// raw texts as they are.
export const fill = (card) => {
  const boxes = [...card.querySelectorAll('[data-shown="diff"]')];
  if (boxes[0].childNodes.length) return;
  const texts = [...card.querySelectorAll('.side [data-shown="raw"]')].map((box) => box.textContent);
  const found = runs(...texts);
  boxes.forEach((box, side) => {
    if (found) return box.replaceChildren(...found[side].map(node));
    const line = document.createElement("p");
    line.className = "note";
    line.textContent = document.querySelector("[data-say-too-long]").dataset.sayTooLong;
    box.replaceChildren(line, document.createTextNode(texts[side]));
  });
};
