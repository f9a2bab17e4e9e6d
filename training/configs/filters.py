"""Which of the rows that a run might train on it leaves out, by what is known of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from models_runtime.phrases import phrase
from models_runtime.records import STRENGTHS
from training.configs.base import BadOption, build, option

OWNER = "a filter"
ANY = "any"
# Why a row is left out, as results count it.
WEAKER, UNRATED = "weaker than asked", "no strength rated"
DISAGREED, TAGGED, UNTAGGED = "too little agreement", "tag left out", "tag not asked for"
CATEGORY, EARLY, LATE = "category not asked for", "before the first day", "after the last day"
RATER, UNSAID = "rater left out", "not said by the snapshot"


class Filterable(Protocol):
    """What filters read of a record; None where its snapshot does not say."""

    @property
    def category(self) -> str | None: ...
    @property
    def tags(self) -> list[str] | None: ...
    @property
    def labelled_at(self) -> str | None: ...
    @property
    def raters(self) -> list[str] | None: ...


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a run leaves out. A row whose snapshot does not say what a filter asks for is left out
    too, under a reason of its own. ``least_strength`` and ``least_agreement`` are of comparisons:
    demonstrations and ratings of single answers pass them."""

    least_strength: str = option(
        ANY,
        phrase("Weaker preferences are left out, and so are plain choices without a rating."),
        choices=(ANY, *reversed(STRENGTHS)),
    )
    least_agreement: float = option(
        0.0,
        phrase("Share of labels, 0 to 1, that must agree on a comparison."),
        low=0.0,
        high=1.0,
    )
    tags: str = option(
        "", phrase("Only prompts with one of these tags, such as safety; separated by commas.")
    )
    without_tags: str = option(
        "", phrase("No prompt with one of these tags; separated by commas.")
    )
    categories: str = option(
        "", phrase("Only prompts of these groups (categories); separated by commas.")
    )
    since: str = option("", phrase("Only what was labelled on this day or later, as 2026-01-31."))
    until: str = option(
        "", phrase("Only what was labelled on this day or earlier, as 2026-01-31.")
    )
    without_raters: str = option(
        "",
        phrase(
            "Nothing that one of these raters had a vote in: pseudonyms, as exports have them, "
            "separated by commas."
        ),
    )
    duplicates: str = option(
        "keep",
        phrase("The same prompt, chosen and rejected answer again: keep it, or drop it."),
        choices=("keep", "drop"),
    )

    def __post_init__(self) -> None:
        for day in (self.since, self.until):
            _check_day(day)

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Filters:
        """Raises BadOption."""
        return build(cls, data, OWNER)

    def why_not(self, row: Filterable) -> str:
        """The reason why a record of any kind is left out; empty: it is not."""
        return (
            self._by_tags(row.tags)
            or self._by_category(row.category)
            or self._by_day(row.labelled_at)
            or self._by_rater(row.raters)
        )

    def why_not_agreed(self, agreement: float | None) -> str:
        """The reason why a comparison is left out for the share of labels that agree on it."""
        if not self.least_agreement:
            return ""
        if agreement is None:
            return UNSAID
        return DISAGREED if agreement < self.least_agreement - 1e-9 else ""

    def why_not_as_strong(self, strength: str | None) -> str:
        """The reason why a preference of this rated strength is left out."""
        if self.least_strength == ANY:
            return ""
        if strength is None:
            return UNRATED
        ranks: tuple[str, ...] = STRENGTHS  # strongest first
        return WEAKER if ranks.index(strength) > ranks.index(self.least_strength) else ""

    def _by_tags(self, tags: list[str] | None) -> str:
        wanted, unwanted = named(self.tags), named(self.without_tags)
        if not wanted and not unwanted:
            return ""
        if tags is None:
            return UNSAID
        found = _folded(tags)
        if found & unwanted:
            return TAGGED
        return UNTAGGED if wanted and not found & wanted else ""

    def _by_category(self, category: str | None) -> str:
        wanted = named(self.categories)
        if not wanted:
            return ""
        if category is None:
            return UNSAID
        return "" if category.casefold() in wanted else CATEGORY

    def _by_day(self, labelled_at: str | None) -> str:
        if not self.since and not self.until:
            return ""
        if not labelled_at:
            return UNSAID
        day = labelled_at[:10]  # of ISO 8601 in UTC: texts are in the order of their days
        if self.since and day < self.since:
            return EARLY
        return LATE if self.until and day > self.until else ""

    def _by_rater(self, raters: list[str] | None) -> str:
        unwanted = named(self.without_raters)
        if not unwanted:
            return ""
        if raters is None:
            return UNSAID
        return RATER if _folded(raters) & unwanted else ""


def named(text: str) -> set[str]:
    """The names in a text that separates them by commas, whatever their case."""
    return _folded(part.strip() for part in text.split(",") if part.strip())


def _folded(names: Iterable[str]) -> set[str]:
    return {name.casefold() for name in names}


def _check_day(text: str) -> None:
    if not text:
        return
    try:
        found = date.fromisoformat(text).isoformat()
    except ValueError:
        found = ""
    if found != text:
        raise BadOption(phrase("A day is written as 2026-01-31, not %(text)s.", text=repr(text)))
