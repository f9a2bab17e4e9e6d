// The last ten answers, each to be taken back. Answers that are still on their way come first: the
// list is drawn by the server, which must know them.

import { parse } from "../markup.js";
import * as outbox from "./outbox.js";

const root = document.getElementById("rate");

const write = (list, key) => {
  const line = document.createElement("p");
  line.className = "muted";
  line.textContent = root.dataset[key];
  list.replaceChildren(line);
};

export const fill = async (panel) => {
  const list = panel.querySelector("#recent");
  write(list, "sayLoading");
  await outbox.pump();
  if (outbox.entries().length) return write(list, "sayUnsent");
  const response = await outbox.get(root.dataset.recent).catch(() => null);
  if (response?.status === 401) return outbox.signIn();
  if (!response?.ok) return write(list, "sayUnsent");
  const fresh = parse(await response.text()).querySelector("#recent");
  list.replaceWith(fresh);
  fresh.querySelector("button")?.focus();
};
