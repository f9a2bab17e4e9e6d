"""What the three instruments have in common that talk with live models.

One part of the form says what kind of talk it is; the others judge. A type of talk has ``LIVE``,
its name, and ``replies(part)``, how many models or samples answer each message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labeling.questions import Option, Parts, Said, Shown, load
from models_runtime.phrases import phrase

MOST_TURNS = 50
TURNS = Option("turns", "whole", phrase("Most turns"), low=1, high=MOST_TURNS, default=8)
MINUTES = Option(  # of a red team's session: no other talk has a clock
    "minutes",
    "whole",
    phrase("Minutes"),
    phrase("0: as long as it takes."),
    default=15,
    low=0,
    high=240,
)
MODELS = Option(
    "models",
    "lines",
    phrase("Models"),
    phrase(
        "Names of checkpoints or endpoints, one a line. Empty: the campaign's policy; in an "
        "arena, which needs two, every policy that the campaign has had or that was trained from "
        "one."
    ),
)


@dataclass(frozen=True)
class Live:
    """The talk that a question asks for.

    ``replies``: answers to each message. ``each``: whether the pair is judged at every turn, and
    the better one goes on; an arena is judged once, as a whole.
    """

    key: str
    kind: str  # conversation | arena | red_team
    part: dict[str, Any]
    replies: int

    @property
    def each(self) -> bool:
        return self.kind != "arena" and self.replies == 2

    @property
    def turns(self) -> int:
        return int(self.part.get("turns") or TURNS.default)

    @property
    def minutes(self) -> int:
        """0: as long as it takes."""
        default = MINUTES.default if self.kind == "red_team" else 0
        return int(self.part.get("minutes", default))


def of(parts: Parts) -> Live | None:
    """The talk that the form asks for; None when it is a card."""
    for key, part in parts.items():
        module = load(part["type"])
        if hasattr(module, "LIVE"):
            return Live(key, module.LIVE, part, module.replies(part))
    return None


def check(part: dict[str, Any]) -> None:
    """Raises ValueError for turns or models that cannot be."""
    whole(part, TURNS)
    lines(part, "models")


def whole(part: dict[str, Any], option: Option) -> int:
    value = part.get(option.name, option.default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(phrase("%(title)s must be a whole number.", title=option.title))
    if not option.low <= value <= option.high:
        raise ValueError(
            phrase(
                "%(title)s must be from %(low)s to %(high)s.",
                title=option.title,
                low=option.low,
                high=option.high,
            )
        )
    return value


def lines(part: dict[str, Any], name: str) -> list[str]:
    value = part.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ValueError(phrase("%(name)s must be a list of texts.", name=name))
    return value


def never_asked(part: dict[str, Any], shown: Shown) -> bool:
    """A part that says how to talk asks nothing of its own."""
    return False


def a_pair(part: dict[str, Any]) -> int:
    """How many replies each message gets."""
    return 2


def no_controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    return {}


def no_preferences(part: dict[str, Any], stored: dict[str, Any], trains_on: str) -> Said:
    return [], []
