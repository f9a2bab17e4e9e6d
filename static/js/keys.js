// A rater's own keys, as the page brings them in data-keys: {on, modifier, commands: {NAME: code}}.
// Keys are matched by where they are (KeyboardEvent.code), whatever the layout prints on them.

const MODIFIERS = { none: [], alt: ["alt"], ctrl_shift: ["ctrl", "shift"] };

export const keysOf = (holder) => {
  const { on, modifier, commands } = JSON.parse(holder.dataset.keys);
  const held = MODIFIERS[modifier];
  // Shift alone never matters: on some keyboards the digits need it.
  const names = held.includes("shift") ? ["alt", "ctrl", "meta", "shift"] : ["alt", "ctrl", "meta"];
  // "?" is a shifted key on most keyboards, and another one on each.
  const isQuestionMark = (event) => commands.help === "Slash" && event.key === "?";
  return {
    // Whether what has to be held is held, and nothing else.
    allowed: (event) => on && names.every((name) => event[`${name}Key`] === held.includes(name)),
    // The command that lies on the key.
    command: (event) =>
      isQuestionMark(event) ? "help" : Object.keys(commands).find((name) => commands[name] === event.code),
  };
};
