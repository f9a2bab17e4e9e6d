// The guidelines beside a card or a talk: in a panel, fetched when they are first opened, so that
// nobody leaves what they are at.

import { parse } from "./markup.js";

const panel = document.getElementById("guidelines");
const text = document.getElementById("guidelines-text");

// ``fetchText`` brings the HTML of an address, or null when it has to be asked for again.
export const toggle = async (fetchText) => {
  if (panel.open) return panel.close(); // the browser gives the focus back
  panel.showModal();
  if (text.dataset.filled) return;
  const html = await fetchText(text.dataset.from);
  if (html === null) return;
  text.replaceChildren(parse(html));
  text.dataset.filled = "yes";
};

// They may have been revised: fetched anew when they are opened next.
export const forget = () => delete text.dataset.filled;
