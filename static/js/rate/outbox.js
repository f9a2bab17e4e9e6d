// Everything a rater said that the server has not acknowledged: answers, skips and what was taken
// back, kept in localStorage, each with its idempotency key, and sent one after the other in the
// order it was said. The chip in the bar tells the truth about all of it, whichever tab said it.

const root = document.getElementById("rate");
const chip = document.getElementById("saved");
const NAME = `concord:outbox:${root.dataset.rater}:`;
const TRY_MS = 20_000;
const ORPHANED_MS = 60_000;
export const MOST = 20; // unsent: more would be a day's work at the mercy of one browser

/* ---- what is kept ---- */

let tab = ""; // this page's name among the rater's tabs
let found = []; // keys of what was kept already when the page came
let handler = null; // what the deck does with replies, and when nothing is left to send

// Each entry lies under a name of its own: tabs that write at the same time lose nothing.
const memory = new Map(); // where storage is full or forbidden: kept as long as the page is
const read = (name) => {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
};
const names = () => {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(NAME));
  } catch {
    return [];
  }
};
export const entries = () =>
  [...names().map(read), ...memory.values()].filter(Boolean).sort((one, two) => one.at - two.at);
const keep = (entry) => {
  try {
    localStorage.setItem(NAME + entry.key, JSON.stringify(entry));
  } catch {
    memory.set(entry.key, entry);
  }
  tell();
};
export const drop = (entry) => {
  memory.delete(entry.key);
  for (const name of names()) if (name === NAME + entry.key) localStorage.removeItem(name);
  tell();
};
export const push = (entry) => {
  const at = Math.max(Date.now(), (entries().at(-1)?.at || 0) + 1); // in order, whatever the clock does
  keep({ ...entry, tab, at });
  queueMicrotask(pump); // the next card is painted before the answer leaves
};

// What this page sends: its own, what an earlier visit left, and what another tab has not sent for
// a minute, since that tab may be closed. A reply belongs to the page where the key was pressed.
const mine = () =>
  entries().filter(
    (entry) => entry.tab === tab || found.includes(entry.key) || Date.now() - entry.at > ORPHANED_MS,
  );
export const isFull = () => entries().length > MOST;

// The last thing said about a card here that is still on its way.
export const lastOf = (card) => entries().findLast((entry) => entry.card === card);
// Answered or skipped, whether or not the server knows yet: not to be shown again.
export const isClosed = (card) => {
  const last = lastOf(card);
  return last ? last.kind !== "undo" : closedElsewhere.has(card);
};
// What other tabs said, as they said it: by the time it is heard here, it may be sent and gone.
const closedElsewhere = new Set();
const hear = (written) => {
  const entry = written && JSON.parse(written);
  if (entry?.kind === "undo") closedElsewhere.delete(entry.card);
  else if (entry?.card) closedElsewhere.add(entry.card);
};

// crypto.randomUUID exists on https and localhost alone; getRandomValues everywhere.
export const newKey = () => {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
};

/* ---- what the chip says ---- */

let trouble = ""; // "offline", "failing" or "signedOut", until something goes through
let acknowledged = false;

const TONES = { saved: "good", saving: "run", offline: "warn", failing: "warn", signedOut: "bad" };
const tell = () => {
  const count = entries().length;
  const state = trouble || (count ? "saving" : acknowledged ? "saved" : "ready");
  const many = count === 0 ? "None" : count === 1 ? "" : "Many";
  const text = chip.dataset[state + many] ?? chip.dataset[state];
  chip.textContent = text.replace("{n}", count);
  chip.className = `chip needs-js ${TONES[state] || ""}`;
};
export const offline = (is) => {
  trouble = is ? "offline" : "";
  tell();
};

/* ---- talking to the server ---- */

const HEADERS = { "HX-Request": "true" };
export const token = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
const ask = (url, options) =>
  fetch(url, {
    credentials: "same-origin",
    redirect: "error",
    signal: AbortSignal.timeout(TRY_MS),
    ...options,
  });
export const get = (url) => ask(url, { headers: HEADERS });
export const post = (url, fields) =>
  ask(url, {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { ...HEADERS, "X-CSRFToken": token() },
  });

// Signed out, or in again as somebody else: what was said stays kept under this rater's name.
export const signIn = () => {
  trouble = "signedOut";
  tell();
  location.assign(`${root.dataset.signIn}?next=${encodeURIComponent(root.dataset.here)}`);
  return false;
};
// The form's token is of an older session: one reload gives a new one, and the answer follows.
const stale = (entry) => {
  if (entry.reloaded) {
    trouble = "signedOut";
    tell();
    return false;
  }
  keep({ ...entry, reloaded: true });
  location.reload();
  return false;
};

/* ---- sending ---- */

let running = null;
let timer = null;
let failures = 0;

const later = (response) => {
  trouble = response ? "failing" : "offline";
  tell();
  failures += 1;
  clearTimeout(timer);
  timer = setTimeout(pump, Math.min(15_000, 500 * 2 ** Math.min(failures, 5)));
  return false;
};
// Nobody answers, or somebody who says that it is not the time.
const isLost = (response) => !response || response.status >= 500 || [408, 429].includes(response.status);

// Two tabs send one after the other. Where locks are missing the keys do: sent twice is stored once.
const alone = (work) => (navigator.locks ? navigator.locks.request(NAME, work) : work());

// Sends the oldest entry: true when the server has settled it, false when sending has to wait,
// null when there is nothing to send.
const sendFirst = async () => {
  const entry = mine()[0];
  if (!entry) return null;
  const tried = { ...entry, tries: (entry.tries || 0) + 1 };
  keep(tried); // before it leaves: from here on the server may have it
  const fields = [...new URLSearchParams(entry.fields), ["have", handler.have(entry)]];
  const response = await post(entry.url, fields).catch(() => null);
  if (isLost(response)) return later(response);
  if (response.status === 401) return signIn();
  if (response.status === 403) return stale(tried);
  const text = await response.text().catch(() => "");
  failures = 0;
  trouble = "";
  acknowledged = response.ok;
  drop(entry);
  handler.settled(entry, response, text);
  return true;
};

// Asks for something that nobody said, such as the next card. Null when it has to be asked again.
export const fetchText = async (url) => {
  const response = await get(url).catch(() => null);
  const text = isLost(response) ? null : await response.text().catch(() => null);
  if (text === null) later(response);
  else if (response.status === 401) signIn();
  else if (!response.ok) location.reload(); // the campaign is gone: the page says what is there
  else {
    failures = 0;
    offline(false);
    return text;
  }
  return null;
};

const run = async () => {
  clearTimeout(timer);
  for (let going = true; going; ) {
    going = await alone(sendFirst);
    if (going === null) going = (await handler.refill()) || mine().length > 0;
  }
};
// Sends what is kept, in order; then lets the deck fetch what it lacks. Safe to call at any time:
// whoever calls while it runs gets the end of the same run.
export const pump = () => (running ||= run().finally(() => (running = null)));

export const start = (deck) => {
  handler = deck;
  tab = newKey();
  found = entries().map((entry) => entry.key);
  tell();
  setInterval(() => mine().length && pump(), ORPHANED_MS);
  addEventListener("online", pump);
  addEventListener("storage", (event) => {
    if (!event.key?.startsWith(NAME)) return;
    hear(event.newValue);
    tell();
    handler.elsewhere();
    pump();
  });
  return pump();
};
