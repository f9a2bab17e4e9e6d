"""Numbers and moments as the reader's language writes them: 12,345.6 or 12.345,6."""

from __future__ import annotations

import datetime as dt

from django.utils import dateformat, timezone
from django.utils.formats import get_format
from django.utils.translation import pgettext


def localised(figure: str) -> str:
    """A figure as Python formats it, with the language's marks for thousands and decimals and a
    true minus."""
    marks = {",": get_format("THOUSAND_SEPARATOR"), ".": get_format("DECIMAL_SEPARATOR")}
    return figure.translate(str.maketrans({**marks, "-": "−"}))


def whole(number: float) -> str:
    return localised(f"{number:,.0f}")


def fixed(number: float, digits: int) -> str:
    """With that many decimals, and no minus before a zero."""
    text = f"{number:.{digits}f}"
    return localised(text if float(text) else text.removeprefix("-"))


def percent(share: float, digits: int = 0) -> str:
    return f"{fixed(100 * share, digits)} %"


def moment(when: dt.datetime) -> str:
    """3 Oct 2026, 09:25 UTC."""
    form = pgettext("a moment, in the letters of Django's date format", "j M Y, H:i")
    return f"{dateformat.format(when.astimezone(dt.UTC), form)} UTC"


def day(when: dt.datetime) -> str:
    form = pgettext("a day of this year, in the letters of Django's date format", "j M")
    return dateformat.format(timezone.localtime(when, dt.UTC), form)
