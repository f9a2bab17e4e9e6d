"""Numbers and moments as the reader's language writes them: 12,345.6 or 12.345,6."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from decimal import ROUND_HALF_UP, Decimal

from django.utils import dateformat, timezone
from django.utils.formats import get_format
from django.utils.translation import pgettext

from labeling.currencies import DECIMALS


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


def money(amount: Decimal, currency: str) -> str:
    """EUR 1,234.50, rounded to the currency's own decimals."""
    unit = Decimal(1).scaleb(-DECIMALS.get(currency, 2))
    return _money(amount.quantize(unit, ROUND_HALF_UP), currency)


def rate(amount: Decimal, currency: str) -> str:
    """The same with all decimals that it has: a label may be paid a tenth of a cent."""
    digits = max(DECIMALS.get(currency, 2), -int(amount.normalize().as_tuple().exponent))
    return _money(amount.quantize(Decimal(1).scaleb(-digits)), currency)


def _money(amount: Decimal, currency: str) -> str:
    form = pgettext("an amount of money", "%(currency)s %(amount)s")
    return form % {"currency": currency, "amount": localised(f"{amount:,f}")}


def moment(when: dt.datetime) -> str:
    """3 Oct 2026, 09:25 UTC."""
    form = pgettext("a moment, in the letters of Django's date format", "j M Y, H:i")
    return f"{dateformat.format(when.astimezone(dt.UTC), form)} UTC"


def at_zone(when: dt.datetime, zone: str) -> str:
    """31 Mar 2027, 18:00 (Europe/Berlin)."""
    form = pgettext("a moment, in the letters of Django's date format", "j M Y, H:i")
    said = dateformat.format(when.astimezone(zoneinfo.ZoneInfo(zone)), form)
    return f"{said} ({zone.replace('_', ' ')})"


def day(when: dt.datetime) -> str:
    form = pgettext("a day of this year, in the letters of Django's date format", "j M")
    return dateformat.format(timezone.localtime(when, dt.UTC), form)
