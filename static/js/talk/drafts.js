// Drafts of a talk: what somebody types or ticks in a form with data-draft, kept in this browser
// under its place in the talk until the server has it; and the judgement that is on its way, with its
// key. Both survive a closed tab.

const PREFIX = "concord-talk/";
const DAYS = 30;
const TICKED = ["radio", "checkbox"];

const nameAt = (place) => `${PREFIX}${document.getElementById("talk").dataset.talk}/${place}`;
const nameOf = (form) => nameAt(form.dataset.draft);
const controlsOf = (form) =>
  [...form.elements].filter((one) => one.name && !["hidden", "submit"].includes(one.type) && !one.matches("fieldset"));
const isSaid = (control) => (TICKED.includes(control.type) ? control.checked : control.value !== "");

// What the page itself brought is no draft of anybody's.
const isOwn = (control) =>
  TICKED.includes(control.type) ? control.checked !== control.defaultChecked : control.value !== control.defaultValue;

const read = (name) => {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null; // forbidden, or nothing that this page wrote
  }
};
const drop = (name) => {
  try {
    localStorage.removeItem(name);
  } catch {
    // Where storage is forbidden there is no draft.
  }
};

export const keep = (form) => {
  const controls = controlsOf(form);
  if (!controls.some(isOwn)) return drop(nameOf(form));
  const fields = controls.filter(isSaid).map((one) => [one.name, one.value]);
  try {
    localStorage.setItem(nameOf(form), JSON.stringify({ at: Date.now(), fields }));
  } catch {
    // A browser that keeps nothing loses a draft with its tab, and nothing else.
  }
};

export const restore = (form) => {
  const fields = read(nameOf(form))?.fields;
  if (!Array.isArray(fields)) return;
  for (const control of controlsOf(form)) {
    const said = fields.filter(([name]) => name === control.name).map(([, value]) => value);
    if (TICKED.includes(control.type)) control.checked = said.includes(control.value);
    else control.value = said[0] ?? "";
  }
};

// What was typed in a form that the page has no more; none where it has it.
export const unsaid = (place, field) => {
  if (document.querySelector(`#talk form[data-draft="${place}"]`)) return "";
  const fields = read(nameAt(place))?.fields;
  return (Array.isArray(fields) && fields.find(([name]) => name === field)?.[1]) || "";
};
export const throwAway = (place) => drop(nameAt(place));

// The place of a form's draft, to be forgotten when the server has stored what stood there, by
// when the form is another one.
export const placeOf = (form) => ("draft" in form.dataset ? nameOf(form) : "");
export const forget = (place) => place && drop(place);

// A judgement that was given and not acknowledged: sent again when the page is opened, with its key,
// which makes it the same one. The token is the page's own.
const SENT = "sent";
const keepSent = (entry) => {
  try {
    localStorage.setItem(nameAt(SENT), JSON.stringify({ ...entry, at: Date.now() }));
  } catch {
    // A browser that keeps nothing sends it as long as the page is open.
  }
};
export const send = (url, fields, draft) => {
  const said = [...fields].filter(([name]) => name !== "csrfmiddlewaretoken");
  keepSent({ url, fields: said, draft });
};
export const sent = () => {
  const entry = read(nameAt(SENT));
  return Array.isArray(entry?.fields) ? entry : null;
};
export const forgetSent = () => drop(nameAt(SENT));
// The page's token was of an older session: one reload gives a new one, and the judgement follows.
export const sendOnceMore = () => {
  const entry = sent();
  if (entry?.again) return forgetSent();
  if (entry) keepSent({ ...entry, again: true });
};

// Drafts of talks that nobody went on with.
const sweep = () => {
  const oldest = Date.now() - DAYS * 24 * 3600 * 1000;
  for (const name of Object.keys(localStorage)) {
    if (name.startsWith(PREFIX) && !(read(name)?.at > oldest)) drop(name);
  }
};
try {
  sweep();
} catch {
  // Where storage is forbidden there is nothing to sweep.
}
