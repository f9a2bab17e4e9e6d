"""What the page of label quality says of each figure and each rater: the newest count as rows.

A report holds figures and the ids of people; words and names are put to them here, as they are
when the page is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from annotate import charts, numerals
from labeling.models import User
from labeling.rater_figures import SIGNS, SPEEDING_SECONDS
from models_runtime.phrases import phrase
from models_runtime.records import STRENGTHS

# Each coefficient's name, and what it says; in the order in which they are shown.
COEFFICIENTS = {
    "percent": (
        phrase("Percent agreement"),
        phrase("Of two raters of the same item, how often both say the same."),
    ),
    "alpha_outcome": (
        phrase("Krippendorff's α, which is better"),
        phrase("Agreement beyond chance on which is better, or a tie; 1 is perfect, 0 is chance."),
    ),
    "alpha": (
        phrase("Krippendorff's α"),
        phrase("The same with the strength: near misses count less than far ones."),
    ),
    "kappa": (
        phrase("Fleiss' κ"),
        phrase("Agreement beyond what the shares of the answers would give by chance."),
    ),
    "cohen": (
        phrase("Cohen's κ"),
        phrase("Of every two raters who met, each with shares of their own; the mean over pairs."),
    ),
    "cohen_weighted": (
        phrase("Cohen's κ, quadratic weights"),
        phrase("The same with the distance between two answers."),
    ),
    "scott": (
        phrase("Scott's π"),
        phrase("Of every two raters who met, with shares in common; the mean over pairs."),
    ),
    "ac_outcome": (
        phrase("Gwet's AC1, which is better"),
        phrase("Like κ, and steady where nearly all answers are alike."),
    ),
    "ac": (
        phrase("Gwet's AC2, quadratic weights"),
        phrase("The same with the distance between two answers."),
    ),
    "w": (
        phrase("Kendall's W"),
        phrase("How far all who ranked a card go together, ties and all; the mean over cards."),
    ),
    "tau": (
        phrase("Kendall's τ-b"),
        phrase("Of every two who ranked a card: pairs in the same order less pairs in the other."),
    ),
}
ALPHAS = {
    "nominal": phrase("Krippendorff's α, nominal"),
    "ordinal": phrase("Krippendorff's α, ordinal"),
    "interval": phrase("Krippendorff's α, interval"),
}
LEVELS = {
    "nominal": phrase("Answers are the same or not."),
    "interval": phrase("Beyond chance: points count by how far apart they are, squared."),
}
PAIRWISE_PERCENT = (
    phrase("Percent agreement, pair by pair"),
    phrase("Of each pair that two raters ordered or tied, how often both say the same."),
)
GWET_NOMINAL = (
    phrase("Gwet's AC1"),
    phrase("Like κ, and steady where nearly all answers are alike."),
)
FEW_RATERS = phrase("fewer than three raters")
NO_SPREAD = phrase("nothing to draw anew")
NOT_OF_RATERS = phrase("a card's figure is of all its raters")
MOST_DRAWN = 24  # raters in a plot, those with most labels

Row = dict[str, Any]
SORTED: dict[str, Callable[[Row], Any]] = {
    "rater": lambda row: row["name"].lower(),
    "labels": lambda row: row["labels"],
    "agrees": lambda row: row["agrees"]["value"],
    "gold": lambda row: (row.get("gold") or {}).get("value"),
    "again": lambda row: row.get("again", {}).get("same", {}).get("value"),
    "competence": lambda row: row["competence"],
    "right": lambda row: (row.get("accuracy") or {}).get("value"),
    "drift": lambda row: (row.get("drift") or {}).get("value"),
    "first": lambda row: row["side"]["share"]["value"],
    "longer": lambda row: (row.get("length") or {}).get("value"),
    "ties": lambda row: row["ties"],
    "skips": lambda row: (row.get("skipped") or {}).get("value"),
    "seconds": lambda row: row["seconds"],
    "idle": lambda row: (row.get("idle") or {}).get("value"),
    "signs": lambda row: len(row["signs"]),
}


def measure(one: Row) -> Row:
    """A measure with its figures as rows, each with its title, what it says, and why there is no
    interval where there is none."""
    rows = [
        {"title": title, "says": says, **found, **_without(name, found)}
        for name in COEFFICIENTS
        if (found := one["figures"].get(name))
        for title, says in [_titles(name, one)]
    ]
    return {**one, "rows": rows}


def _titles(name: str, one: Row) -> tuple[str, str]:
    title, says = COEFFICIENTS[name]
    if name == "alpha":
        return ALPHAS.get(one["level"], title), LEVELS.get(one["level"], says)
    if name == "percent" and one["kind"] == "ranking":
        return PAIRWISE_PERCENT
    if name == "ac" and one["level"] == "nominal":
        return GWET_NOMINAL
    return title, says


def _without(name: str, found: Row) -> Row:
    if found["value"] is None:
        return {}
    alike = NOT_OF_RATERS if name == "w" else FEW_RATERS
    return {
        "no_low": "" if found["low"] is not None else NO_SPREAD,
        "no_alike": "" if found.get("alike") else alike,
    }


def raters(rows: list[Row]) -> list[Row]:
    """With names as they are now, and with what each sign is made of."""
    found = User.objects.filter(pk__in=[row["rater"] for row in rows])
    names = {
        pk: (name, public) for pk, name, public in found.values_list("pk", "username", "public_id")
    }
    return [
        {
            **row,
            "name": names.get(row["rater"], ("–", None))[0],
            "public_id": names.get(row["rater"], ("–", None))[1],
            "told": [
                {"title": SIGNS[sign], "evidence": _evidence(sign, row)}
                for sign in row["signs"]
                if sign in SIGNS
            ],
            "used": [
                {"name": name, "share": row["strengths"][name] / total}
                for total in [sum(row.get("strengths", {}).values())]
                for name in STRENGTHS
                if row.get("strengths", {}).get(name)
            ],
        }
        for row in rows
    ]


def ordered(rows: list[Row], by: str) -> list[Row]:
    """By a column of SORTED, upwards; downwards with a minus before it. Who has no figure there
    comes last either way."""
    key = SORTED.get(by.removeprefix("-"))
    if key is None:
        return rows
    known = [row for row in rows if key(row) is not None]
    rest = [row for row in rows if key(row) is None]
    return [*sorted(known, key=key, reverse=by.startswith("-")), *rest]


def columns(by: str) -> dict[str, Row]:
    """Of each column: what a press on its head sorts by next, and how it is sorted now."""
    now = by.removeprefix("-")
    return {
        name: {
            "next": name if by == f"-{name}" or (name == "rater" and by != name) else f"-{name}",
            "sorted": ("descending" if by.startswith("-") else "ascending") if name == now else "",
        }
        for name in SORTED
    }


def sides(rows: list[Row]) -> charts.Spans | None:
    """Of the raters with most labels, how often each chose the text shown first."""
    shares = [(row["name"], row["side"]["share"]) for row in _busiest(rows)]
    return charts.spans(
        [charts.Span(name, one["value"], one["low"], one["high"]) for name, one in shares],
        even=0.5,
        unit="%",
    )


def lengths(rows: list[Row]) -> charts.Spans | None:
    """Of the same, what a doubling of a text's length does to their log odds of preferring it."""
    found = [(row["name"], row.get("length") or {}) for row in _busiest(rows)]
    return charts.spans(
        [
            charts.Span(name, one.get("value"), one.get("low"), one.get("high"))
            for name, one in found
        ],
        even=0.0,
    )


def _busiest(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: -row["labels"])[:MOST_DRAWN]


def _evidence(sign: str, row: Row) -> str:
    """The figures behind a sign, in one sentence."""
    if sign == "side":
        share, p = row["side"]["share"], row["side"]["p"]
        return _(
            "The text shown first in %(share)s of %(n)s choices (95 %%: %(low)s – %(high)s, exact "
            "p = %(p)s); up to %(run)s in a row for one side."
        ) % {
            "share": numerals.percent(share["value"], 1),
            "n": numerals.whole(share["n"]),
            "low": numerals.percent(share["low"], 1),
            "high": numerals.percent(share["high"], 1),
            "p": numerals.localised(f"{p:.2g}"),
            "run": numerals.whole(row.get("run", 0)),
        }
    if sign == "speeding":
        return _("A median of %(seconds)s s over %(n)s cards; a sign is below %(limit)s s.") % {
            "seconds": numerals.fixed(row["seconds"], 1),
            "n": numerals.whole(int(row.get("timed") or row["labels"])),
            "limit": numerals.fixed(SPEEDING_SECONDS, 0),
        }
    if sign == "others":
        return _("Agrees with others in %(mine)s of %(n)s cards; the others do in %(rest)s.") % {
            "mine": numerals.percent(row["agrees"]["value"]),
            "n": numerals.whole(row["agrees"]["n"]),
            "rest": _share(row.get("rest")),
        }
    if sign == "guessing":
        return _(
            "Competence %(competence)s over %(n)s cards, 0 being chance; right in %(right)s, and "
            "up to %(run)s choices in a row for one side."
        ) % {
            "competence": numerals.fixed(row["competence"], 2),
            "n": numerals.whole(row["agrees"]["n"]),
            "right": _share(row["accuracy"]["value"]),
            "run": numerals.whole(row.get("run", 0)),
        }
    return _(
        "The log odds of being right change by %(drift)s a week (95 %%: %(low)s to %(high)s)."
    ) % {
        "drift": numerals.fixed(row["drift"]["value"], 2),
        "low": numerals.fixed(row["drift"]["low"], 2),
        "high": numerals.fixed(row["drift"]["high"], 2),
    }


def _share(value: float | None) -> str:
    return "–" if value is None else numerals.percent(value)
