"""Plots as geometry: figures in, SVG attributes out, so that the strict content policy holds and
a plot needs no script. The templates in templates/charts draw them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from annotate import numerals

WIDTH, HEIGHT = 640, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 18, 16, 28
NAMES, STEP = 150, 22  # room for the names beside spans, and from one span to the next
POINTS = 400  # a line of more is thinned: a screen has no room for them

Point = tuple[float, float]
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """One metric of one run, drawn small."""

    name: str
    path: str
    last: float
    y_ticks: list[Tick]
    x_end: str
    points: int


@dataclass(frozen=True)
class Bar:
    x: float
    width: float
    low: tuple[float, float]  # y and height of the first part
    high: tuple[float, float]  # y and height of the part stacked on it
    label: str
    title: str

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True)
class Bars:
    bars: list[Bar]
    y_ticks: list[Tick]


@dataclass(frozen=True)
class Estimate:
    """A share with its interval; None where it was not measured."""

    label: str
    share: float | None
    low: float | None = None
    high: float | None = None
    proxy: float | None = None
    people: float | None = None


@dataclass(frozen=True)
class Trend:
    band: str
    line: str
    proxy: str
    points: list[dict[str, float | str]]
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    even: float | None  # where one half lies


@dataclass(frozen=True)
class Span:
    """A figure of one thing with its interval; None where there is none."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Spans:
    """Figures with their intervals, one above the other."""

    rows: list[dict[str, float | str]]
    x_ticks: list[Tick]
    even: float | None
    height: int


def line(name: str, points: Sequence[Point], width: int = 320, height: int = 110) -> Line | None:
    """A metric over steps; None without two finite points."""
    clean = [(x, y) for x, y in points if math.isfinite(y)]
    if len(clean) < 2:
        return None
    thin = clean[:: max(1, len(clean) // POINTS)]
    ys = [y for _, y in thin]
    y_scale, ticks = _axis(min(ys), max(ys), 8, height - 18, 2)
    x_low, x_high = thin[0][0], thin[-1][0]
    step = (width - 46) / (x_high - x_low or 1)
    path = _path([(40 + (x - x_low) * step, y_scale(y)) for x, y in thin])
    return Line(name, path, clean[-1][1], ticks, numerals.whole(clean[-1][0]), len(clean))


def bars(rows: Sequence[tuple[str, int, int]]) -> Bars:
    """Stacked counts: (label, first, second) for each bar, left to right."""
    top = max((a + b for _, a, b in rows), default=0) or 1
    scale, ticks = _axis(0, top, TOP, HEIGHT - BOTTOM, 3)
    floor = scale(0)
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(rows))
    wide = min(52.0, slot * 0.68)
    every = -(-len(rows) // 8)
    made = []
    for index, (label, first, second) in enumerate(rows):
        y1, y2 = scale(first), scale(first + second)
        x = LEFT + index * slot + (slot - wide) / 2
        shown = label if (len(rows) - 1 - index) % every == 0 else ""
        title = f"{label}: {numerals.whole(first)}"
        title += f" + {numerals.whole(second)}" if second else ""
        made.append(
            Bar(_r(x), _r(wide), (_r(y1), _r(floor - y1)), (_r(y2), _r(y1 - y2)), shown, title)
        )
    return Bars(made, ticks)


def trend(rows: Sequence[Estimate]) -> Trend | None:
    """Shares over iterations with a band for the interval; None while nothing is measured."""
    seen = [v for r in rows for v in (r.share, r.low, r.high, r.proxy, r.people) if v is not None]
    if not any(row.share is not None for row in rows):
        return None
    scale, ticks = _axis(min([*seen, 0.45]), min(1.0, max(seen)), TOP, HEIGHT - BOTTOM, 4, "%")
    slot = (WIDTH - LEFT - RIGHT - 60) / max(1, len(rows) - 1)
    xs = [LEFT + 24 + index * slot for index in range(len(rows))]
    placed = list(zip(xs, rows, strict=True))
    main = [(x, r.share) for x, r in placed if r.share is not None]
    spans = [(x, r.low, r.high) for x, r in placed if r.low is not None and r.high is not None]
    return Trend(
        band=_band([(x, scale(low), scale(high)) for x, low, high in spans]),
        line=_path([(x, scale(share)) for x, share in main]),
        proxy=_path([(x, scale(r.proxy)) for x, r in placed if r.proxy is not None]),
        points=[_point(x, row, scale) for x, row in placed],
        y_ticks=ticks,
        x_ticks=[Tick(_r(x), row.label) for x, row in placed],
        even=_r(scale(0.5)),
    )


def spans(rows: Sequence[Span], *, even: float, unit: str = "") -> Spans | None:
    """Figures on one scale, which holds ``even``, what leans to neither side; None where nothing
    was measured. Intervals are cut where they would squeeze all others: at thrice the figures'
    own range."""
    shown = [row for row in rows if row.value is not None]
    values = [row.value for row in shown if row.value is not None]
    if not values:
        return None
    reach = max(3 * max(abs(value - even) for value in values), 0.15)
    ends = [end for row in shown for end in (row.low, row.high) if end is not None]
    inside = [min(max(end, even - reach), even + reach) for end in ends]
    scale, ticks = _axis(
        min([*values, *inside, even]), max([*values, *inside, even]), WIDTH - RIGHT, NAMES, 5, unit
    )
    left, right = NAMES, WIDTH - RIGHT
    found: list[dict[str, float | str]] = []
    for place, row in enumerate(shown):
        one: dict[str, float | str] = {"y": TOP + place * STEP, "label": row.label[:18]}
        if row.value is not None:
            one["x"] = _r(scale(row.value))
        if row.low is not None and row.high is not None:
            one["low"] = _r(min(max(scale(row.low), left), right))
            one["high"] = _r(min(max(scale(row.high), left), right))
        found.append(one)
    return Spans(found, ticks, _r(scale(even)), TOP + len(shown) * STEP + BOTTOM)


def _point(x: float, row: Estimate, scale: Scale) -> dict[str, float | str]:
    point: dict[str, float | str] = {"x": _r(x), "title": row.label}
    values = {"y": row.share, "proxy": row.proxy, "people": row.people}
    values |= {"low": row.low, "high": row.high}
    for name, value in values.items():
        if value is not None:
            point[name] = _r(scale(value))
    return point


def _axis(
    low: float, high: float, top: float, bottom: float, wanted: int, unit: str = ""
) -> tuple[Scale, list[Tick]]:
    """A scale from values to y, and ticks at round values that enclose them."""
    step = _round_step((high - low) / wanted or abs(high) or 1)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)

    def scale(value: float) -> float:
        return bottom - (value / step - first) / (last - first) * (bottom - top)

    ticks = [
        Tick(_r(scale(n * step)), _label(n * step, step, unit)) for n in range(first, last + 1)
    ]
    return scale, ticks


def _round_step(raw: float) -> float:
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)


def _label(value: float, step: float, unit: str) -> str:
    if unit == "%":
        return numerals.percent(value)
    return numerals.localised(f"{round(value, 12):,.10g}")


def _path(points: Sequence[Point]) -> str:
    return "M" + " L".join(f"{_r(x)} {_r(y)}" for x, y in points) if len(points) > 1 else ""


def _band(points: Sequence[tuple[float, float, float]]) -> str:
    if len(points) < 2:
        return ""
    there = [(x, high) for x, _, high in points]
    back = [(x, low) for x, low, _ in reversed(points)]
    return _path([*there, *back]) + " Z"


def _r(value: float) -> float:
    return round(value, 1)
