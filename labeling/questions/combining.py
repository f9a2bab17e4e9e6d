"""Which parts go together on one card: what no single part can see."""

from __future__ import annotations

from labeling import questions
from labeling.questions import Parts, live, load
from models_runtime.phrases import phrase

# How many completions a type needs on a card: the fewest and the most.
NEEDS = {
    "pairwise": (2, 2),
    "safety_bin": (2, 2),
    "thumbs": (1, 1),
    "ranking": (2, 9),
    "rewrite": (1, 9),
}
OF_THE_BEST = {"safety_bin"}  # types that always speak of what an earlier part put first


def check(parts: Parts, completions: int) -> None:
    """Raises ValueError, one sentence, unless the parts can be asked together on a card of so
    many completions. In a talk with a model the replies take the completions' place."""
    questions.check_parts(parts)
    talks = [key for key, part in parts.items() if hasattr(load(part["type"]), "LIVE")]
    if len(talks) > 1:
        raise ValueError(phrase("A campaign asks for one kind of talk with a model."))
    talk = live.of(parts)
    _check_sizes(parts, talk.replies if talk else completions)
    if talk:
        _check_talk(parts, talk)
    _check_order(parts)


def speaks_of_best(part: dict[str, object]) -> bool:
    """Whether the part is about the completion that an earlier one puts first."""
    return "best" in (part.get("of"), part.get("over")) or part["type"] in OF_THE_BEST


def name_of(key: str, part: dict[str, object]) -> str:
    """What a lead knows a part by: its title, else its type."""
    return str(part.get("title") or str(part["type"]).replace("_", " "))


def _check_talk(parts: Parts, talk: live.Live) -> None:
    """A pair is judged by the other parts; a session is rated by its own, which is asked alone."""
    others = {key: part for key, part in parts.items() if key != talk.key}
    if talk.kind != "red_team":
        if not others:
            raise ValueError(phrase("Add a part that judges the two replies of the talk."))
        return
    for key, part in others.items():
        if talk.replies == 1:
            raise ValueError(
                phrase(
                    "The part “%(key)s” is never asked in a session of one reply a turn: take it "
                    "out, or have two replies.",
                    key=name_of(key, part),
                )
            )
        if part.get("required", True):
            raise ValueError(
                phrase(
                    "The part “%(key)s” is asked at a turn, and not when the session is rated: "
                    "let it be left out.",
                    key=name_of(key, part),
                )
            )


def _check_sizes(parts: Parts, completions: int) -> None:
    for key, part in parts.items():
        fewest, most = NEEDS.get(part["type"], (0, 9))
        if part.get("of") in ("each", "one") or part.get("over") == "each":
            fewest = max(fewest, 1)
        if not fewest <= completions <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise ValueError(
                phrase(
                    "The part “%(key)s” needs cards of %(wanted)s answers, and these have "
                    "%(completions)s.",
                    key=name_of(key, part),
                    wanted=wanted,
                    completions=completions,
                )
            )


def _check_order(parts: Parts) -> None:
    """What speaks of the best comes after a part that says which that is."""
    named = False
    for key, part in parts.items():
        if speaks_of_best(part) and part["type"] != "rewrite" and not named:
            raise ValueError(
                phrase(
                    "The part “%(key)s” is about the answer put first: place a part that "
                    "compares before it.",
                    key=name_of(key, part),
                )
            )
        named = named or hasattr(load(part["type"]), "best")
