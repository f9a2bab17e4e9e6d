"""The keys of a rater's commands: what there is to press, what each may be moved to, and what
somebody chose. A key is where it lies (KeyboardEvent.code), whatever the layout prints on it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from labeling.models import User

# Each command with what it does and where it lies until it is moved.
COMMANDS: dict[str, tuple[Any, str]] = {
    "undo": (_("Take the last answer back"), "Backspace"),
    "skip": (_("Skip, with a reason"), "KeyX"),
    "flag": (_("Flag something wrong and stay"), "KeyF"),
    "ask": (_("Ask about the card and stay"), "KeyQ"),
    "guidelines": (_("Guidelines"), "KeyG"),
    "difference": (_("Words that differ"), "KeyD"),
    "raw": (_("Raw text"), "KeyR"),
    "pause": (_("Pause, and go on"), "KeyP"),
    "drawer": (_("Your last ten answers"), "KeyU"),
    "help": (_("This list"), "Slash"),
}
CARDS_ALONE = {"ask", "pause", "drawer"}
# Where a command may lie. Digits and a, b, n, t, y are the instruments', v lifts a veil.
ALLOWED: dict[str, str] = {
    **{f"Key{letter.upper()}": letter for letter in "cdefghijklmopqrsuwxz"},
    **{"Backspace": "⌫", "Delete": "Del", "Slash": "?", "Comma": ",", "Period": "."},
}
MODIFIERS: dict[str, Any] = {
    "none": _("none: the key alone"),
    "alt": _("Alt"),
    "ctrl_shift": _("Ctrl + Shift"),
}


@dataclass(frozen=True)
class Keys:
    """``on``: whether keys do anything beside what the browser makes of them. ``modifier``: what
    is held with every key, answers too. ``commands``: where each command lies."""

    on: bool
    modifier: str
    commands: dict[str, str]

    @property
    def json(self) -> str:
        return json.dumps(asdict(self))

    @property
    def printed(self) -> dict[str, str]:
        """What stands on the page for each command."""
        return {name: ALLOWED[code] for name, code in self.commands.items()}

    @property
    def listed(self) -> list[tuple[str, Any]]:
        """Printed key and what it does, in the order of the help."""
        return [(self.printed[name], does) for name, (does, _code) in COMMANDS.items()]

    @property
    def listed_in_talks(self) -> list[tuple[str, Any]]:
        """Likewise of a talk, which holds no cards ahead and waits by itself."""
        there = COMMANDS.keys() - CARDS_ALONE
        return [(self.printed[name], COMMANDS[name][0]) for name in COMMANDS if name in there]


def of(user: User) -> Keys:
    """What this person chose; where it is not on the list (any more), what everybody has. Every
    page of theirs reads it, so whatever the column holds, there are keys."""
    chosen = _dict(_dict(user.preferences).get("keys"))
    on, modifier = chosen.get("on", True), _text(chosen.get("modifier"))
    return Keys(
        on if isinstance(on, bool) else True,
        modifier if modifier in MODIFIERS else "none",
        _commands(_dict(chosen.get("commands"))),
    )


def store(user: User, keys: Keys) -> None:
    """Keep what somebody chose, beside their other preferences."""
    user.preferences = {**_dict(user.preferences), "keys": asdict(keys)}
    user.save(update_fields=["preferences"])


def _commands(moved: dict[str, Any]) -> dict[str, str]:
    """Where each command lies: all as they were for everybody, where two would lie on one key.
    Asking came after some had chosen: it takes a key that is free where its own is not."""
    defaults = {name: code for name, (_does, code) in COMMANDS.items()}
    wanted = {name: _text(moved.get(name)) for name in COMMANDS}
    found = {name: code if code in ALLOWED else defaults[name] for name, code in wanted.items()}
    if "ask" not in moved and found["ask"] in moved.values():
        others = {*found.values(), *defaults.values()}
        found["ask"] = next(code for code in ALLOWED if code not in others)
    return found if len(set(found.values())) == len(found) else defaults


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
