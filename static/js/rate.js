// One press, one answer, the next card. The server's pages work without this file; with it an
// answer survives a lost network, a restarted server and a closed tab, and the keyboard is enough.
//
//   outbox    answers kept in localStorage, each with its idempotency key, until acknowledged
//   place     puts the server's fragment where the old card was
//   choose    a press on the judgement bar
//   keys      matched by physical key (KeyboardEvent.code), whatever the layout prints

const root = document.getElementById("rate");
const saved = document.getElementById("saved");
const spoken = document.getElementById("spoken");
const OUTBOX = `concord:outbox:${root.dataset.rater}`;
const IDLE_MS = 30_000;
const TRY_MS = 20_000;
const RENEW_MS = 180_000;

let card = null; // the card on the page, null while there is nothing to rate
let busy = false; // an answer is on its way: further presses are a double click
let seen = new Set();
let activeMs = 0;
let lastTick = performance.now();
let lastSign = performance.now();
let retryTimer = null;
let retry = null; // sends again what is on its way
let view = "rendered";

/* ---- the outbox ---- */

const outbox = () => {
  try {
    return JSON.parse(localStorage.getItem(OUTBOX)) || [];
  } catch {
    return [];
  }
};
const keep = (entries) => {
  try {
    localStorage.setItem(OUTBOX, JSON.stringify(entries));
  } catch {
    // Storage is full or forbidden: the answer is still sent, only not kept across a reload.
  }
};
const remember = (entry) => {
  const entries = outbox();
  const place = entries.findIndex((e) => e.key === entry.key);
  keep(place < 0 ? [...entries, entry] : entries.with(place, entry));
};
const forget = (entry) => keep(outbox().filter((e) => e.key !== entry.key));

// crypto.randomUUID exists on https and localhost alone; getRandomValues everywhere.
const newKey = () => {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
};

const tell = (state) => {
  saved.textContent = saved.dataset[state];
  saved.className = `chip needs-js ${{ saved: "good", saving: "run", offline: "warn", signedOut: "bad" }[state] || ""}`;
};

const post = async (url, fields) => {
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  return fetch(url, {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { "HX-Request": "true", "X-CSRFToken": token },
    credentials: "same-origin",
    redirect: "error",
    signal: AbortSignal.timeout(TRY_MS),
  });
};

// Sends one kept answer until the server has said what became of it.
const deliver = async (entry) => {
  clearTimeout(retryTimer);
  retry = () => deliver(entry);
  tell("saving");
  let response;
  try {
    response = await post(entry.url, entry.fields);
  } catch {
    return later(entry);
  }
  if (response.status === 401) return signIn();
  if (response.status === 403) return stale(entry);
  if (response.status >= 500 || response.status === 429) return later(entry);
  forget(entry);
  busy = false;
  if (response.status === 404) return location.reload();
  place(await response.text());
  tell(response.ok ? "saved" : "ready");
};

const later = (entry) => {
  tell("offline");
  const tries = (entry.tries = (entry.tries || 0) + 1);
  retryTimer = setTimeout(retry, Math.min(15_000, 500 * 2 ** Math.min(tries, 5)));
};
const retryNow = () => busy && retry?.();

// Signed out, or in again as somebody else: the answer stays kept under this rater's name.
const signIn = () => {
  tell("signedOut");
  location.assign(`${root.dataset.signIn}?next=${encodeURIComponent(root.dataset.here)}`);
};
// The form's token is of an older session: one reload gives a new one, and the answer follows.
const stale = (entry) => {
  if (entry.reloaded) return tell("signedOut");
  remember({ ...entry, reloaded: true });
  location.reload();
};

/* ---- cards ---- */

const place = (html) => {
  const fragment = document.createElement("template");
  // Our own page's markup, sanitised on the server; inside a template nothing runs or loads.
  fragment.innerHTML = html;
  for (const fresh of [...fragment.content.children]) {
    const old = fresh.id && document.getElementById(fresh.id);
    if (!old) continue;
    old.replaceWith(fresh);
    htmx.process(fresh);
  }
  scrollTo({ top: 0, behavior: "instant" });
  arrive();
  document.getElementById("content").focus({ preventScroll: true });
  const note = document.getElementById("note").textContent;
  spoken.textContent = card ? note || "Next comparison." : note || "Nothing left for now.";
};

// A new card is on the page: the clock starts, the bar sleeps until both texts could be read.
const arrive = () => {
  const element = document.getElementById("card");
  card = element.dataset.assignment ? element : null;
  busy = false;
  activeMs = 0;
  lastTick = lastSign = performance.now();
  seen = new Set();
  if (!card) return;
  show(view === "diff" ? "rendered" : view);
  watchEnds();
};

let observer = null;
const watchEnds = () => {
  observer?.disconnect();
  const marks = [...card.querySelectorAll(".end-mark")];
  const judge = card.querySelector(".judge");
  const pinned = getComputedStyle(judge).position === "sticky" ? judge.offsetHeight : 0;
  const hint = document.getElementById("asleep-hint");
  const wake = () => {
    const asleep = seen.size < marks.length;
    judge.classList.toggle("asleep", asleep);
    hint.hidden = !asleep;
  };
  // At once, so that a fast rater's next press is not lost; then as the page is scrolled.
  const line = innerHeight - pinned + 2;
  for (const mark of marks) if (mark.getBoundingClientRect().top <= line) seen.add(mark);
  wake();
  observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.add(entry.target);
        observer.unobserve(entry.target);
      }
      wake();
    },
    { rootMargin: `0px 0px ${-pinned + 2}px 0px` },
  );
  for (const mark of marks) if (!seen.has(mark)) observer.observe(mark);
};
const awake = () => !card.querySelector(".judge").classList.contains("asleep");

/* ---- time spent: visible, focused, and no more than half a minute since the last sign ---- */

const tick = () => {
  const now = performance.now();
  const working = document.visibilityState === "visible" && document.hasFocus();
  if (working && now - lastSign < IDLE_MS) activeMs += now - lastTick;
  lastTick = now;
};
setInterval(tick, 250);

// Somebody is reading: the card stays theirs. A lost try matters not, the next one comes.
const renew = () => {
  const read = document.visibilityState === "visible" && performance.now() - lastSign < RENEW_MS;
  if (card && read) post(card.dataset.renew, {}).catch(() => {});
};
setInterval(renew, RENEW_MS);
for (const sign of ["keydown", "pointermove", "pointerdown", "wheel", "touchstart", "scroll"]) {
  addEventListener(sign, () => (lastSign = performance.now()), { passive: true, capture: true });
}

const layout = () => {
  const stacked = matchMedia("(max-width: 760px)").matches;
  const size = innerWidth < 480 ? "xs" : innerWidth < 761 ? "s" : innerWidth < 1200 ? "m" : "l";
  return `${stacked ? "stacked" : "side_by_side"}/${size}`;
};

/* ---- what a rater does ---- */

const choose = (button) => {
  if (busy || !card) return;
  if (!awake()) return nudge();
  busy = true;
  tick();
  button.classList.add("chosen");
  const entry = {
    key: newKey(),
    here: root.dataset.here,
    url: button.form.action,
    fields: {
      [button.name]: button.value,
      asked: button.form.elements.asked.value,
      active_ms: String(Math.round(activeMs)),
      layout: layout(),
    },
  };
  entry.fields.idempotency_key = entry.key;
  remember(entry);
  deliver(entry);
};

// Not everything was on the screen yet: show the next stretch instead of taking a blind answer.
const nudge = () => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  scrollBy({ top: innerHeight * 0.6, behavior: calm ? "instant" : "smooth" });
  spoken.textContent = document.getElementById("asleep-hint").textContent;
};

// Skip and undo are safe to repeat, so a lost network only asks for another press.
const act = async (url, fields) => {
  if (busy) return;
  busy = true;
  tell("saving");
  let response;
  try {
    response = await post(url, fields);
  } catch {
    busy = false;
    return tell("offline");
  }
  busy = false;
  if (response.status === 401) return signIn();
  if (response.status === 403 || response.status === 404) return location.reload();
  if (response.status >= 500) return tell("offline");
  place(await response.text());
  tell("saved");
};

const show = (wanted) => {
  view = wanted;
  if (view === "diff") fillDifference();
  for (const text of card.querySelectorAll("[data-shown]")) text.hidden = text.dataset.shown !== view;
  for (const button of card.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
};
const toggle = (wanted) => card && show(view === wanted ? "rendered" : wanted);

const openGuidelines = () => {
  const panel = document.getElementById("guidelines");
  if (panel.open) return panel.close();
  htmx.trigger("#guidelines-text", "open-guidelines");
  panel.showModal();
};
const openHelp = () => {
  const panel = document.getElementById("help");
  if (panel.open) panel.close();
  else panel.showModal();
};
const openMenu = (id) => {
  const menu = document.getElementById(id);
  if (!menu) return;
  menu.open = !menu.open;
  if (menu.open) menu.querySelector("button").focus();
};

/* ---- words that differ: longest common subsequence of words, on the raw texts ---- */

const MOST_CELLS = 4_000_000;

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

const fillDifference = () => {
  const raw = [...card.querySelectorAll('[data-shown="raw"]')];
  const boxes = [...card.querySelectorAll('[data-shown="diff"]')];
  if (boxes[0].childNodes.length) return;
  const words = raw.map((text) => text.textContent.match(/\s+|[^\s]+/g) || []);
  const small = words[0].length * words[1].length < MOST_CELLS;
  const kept = small ? common(words[0], words[1]) : words.map((list) => new Set(list.keys()));
  boxes.forEach((box, side) => {
    box.replaceChildren(
      ...words[side].map((word, index) => {
        if (kept[side].has(index) || !word.trim()) return document.createTextNode(word);
        const mark = document.createElement("mark");
        mark.className = "only";
        mark.textContent = word;
        return mark;
      }),
    );
  });
};

/* ---- wiring ---- */

root.addEventListener("click", (event) => {
  const step = event.target.closest(".step");
  if (step) {
    event.preventDefault();
    return choose(step);
  }
  const button = event.target.closest("[data-view]");
  if (button) toggle(button.dataset.view);
});
root.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.id === "undo") {
    event.preventDefault();
    act(form.action, {});
  } else if (form.closest("#skip")) {
    event.preventDefault();
    act(form.action, { [event.submitter.name]: event.submitter.value });
  }
});
document.getElementById("open-help").addEventListener("click", openHelp);
document.getElementById("open-guidelines").addEventListener("click", (event) => {
  event.preventDefault();
  openGuidelines();
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.pop[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

const COMMANDS = {
  KeyX: () => openMenu("skip"),
  KeyF: () => openMenu("flag"),
  KeyG: openGuidelines,
  KeyR: () => toggle("raw"),
  KeyD: () => toggle("diff"),
  Backspace: () => act(root.dataset.undo, {}),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, textarea, select")) return;
  if (event.key === "?") return openHelp();
  const panel = document.querySelector("dialog[open]");
  if (panel) {
    if (event.code === "KeyG" && panel.id === "guidelines") panel.close();
    return;
  }
  if (event.repeat) return;
  const menu = document.querySelector("details.pop[open]");
  if (menu && event.code === "Escape") {
    menu.open = false;
    menu.querySelector("summary").focus();
    return;
  }
  const scope = menu || card?.querySelector(".scale");
  const button = [...(scope?.querySelectorAll("[data-codes]") || [])].find((candidate) =>
    candidate.dataset.codes.split(" ").includes(event.code),
  );
  const command = button ? () => button.click() : COMMANDS[event.code];
  if (!command) return;
  event.preventDefault();
  command();
});

// htmx brought something: a flag kept its place, or the page that waits found a card.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.elt.id === "flag") document.getElementById("content").focus({ preventScroll: true });
  if (event.detail.elt.id === "card") arrive();
});
addEventListener("online", retryNow);
// The back button shows a page from memory: what is on it was answered meanwhile.
addEventListener("pageshow", (event) => event.persisted && location.reload());

// Answers of an earlier visit that nobody acknowledged, in the order they were given. All but the
// last of this campaign are sent without touching the card; the last one brings the next card.
const resend = async () => {
  clearTimeout(retryTimer);
  retry = resend;
  const last = outbox().findLast((entry) => entry.here === root.dataset.here);
  busy = Boolean(last);
  for (const entry of outbox().filter((one) => one.key !== last?.key)) {
    let response;
    try {
      response = await post(entry.url, entry.fields);
    } catch {
      return later(last || {});
    }
    if (response.status === 401) return signIn();
    if (response.status === 403 && !entry.reloaded) return stale(entry);
    if (response.status >= 500 || response.status === 429) return later(last || {});
    if (response.status !== 403) forget(entry);
  }
  if (last) deliver(last);
};

arrive();
resend();
root.dataset.ready = "yes";
