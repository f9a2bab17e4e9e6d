"""Which addresses may be links, and the host that a browser goes to when it follows one.

Python and a browser read odd addresses differently (``http://a\\@b/``, ``http://2130706433/``,
``http:///b``), so only those are links that both read alike; the others stay the text they were.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata

SCHEME = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_WEB = re.compile(r"https?://(?:[^/?#\\]*@)?([^/?#\\@]+)(?:[/?#].*)?", re.IGNORECASE | re.DOTALL)
_MAIL = re.compile(r"mailto:[^@?#,;/\\]+@([^@?#,;/\\]+)(?:\?(.*))?", re.IGNORECASE | re.DOTALL)
_PLACE = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NO_LETTER = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Sm", "Zl", "Zp", "Zs"})
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_MORE_READERS = re.compile(r"(?:^|&)(?:to|cc|bcc)=", re.IGNORECASE)


def is_link(href: str) -> bool:
    """Whether an address, as the Markdown parser normalised it, leads where it says."""
    return _place(href) is not None


def host_of(href: str) -> str:
    """Where a link leads: the host of an address, the domain of a mailbox, with a port if it has
    one. A host in other letters than ASCII's is shown in them and as the browser asks for it."""
    place = _place(href) or ""
    name = _in_letters(place)
    return place if name == place else f"{name} · {place}"


def _place(href: str) -> str | None:
    found = _WEB.fullmatch(href) or _mailbox(href)
    parts = _PLACE.fullmatch(found[1]) if found else None
    if parts is None or int(parts[2] or 0) > 65_535:
        return None
    host = parts[1].lower()
    if not (_is_address(host) or _is_name(host)):
        return None
    return f"{host}:{int(parts[2])}" if parts[2] else host


def _mailbox(href: str) -> re.Match[str] | None:
    """A mail address to one reader: others, named behind the question mark, would not be seen."""
    found = _MAIL.fullmatch(href)
    return None if found is None or _MORE_READERS.search(found[2] or "") else found


def _is_address(host: str) -> bool:
    """An IP address as a browser writes it, not in octal, in one number or with parts left out."""
    try:
        if host.startswith("["):
            return f"[{ipaddress.IPv6Address(host[1:-1])}]" == host
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


def _is_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    numeric = _NUMBER.fullmatch(labels[-1])  # a browser takes such a host for an IP address
    return not numeric and len(host) <= 253 and all(map(_is_label, labels))


def _is_label(label: str) -> bool:
    if not _LABEL.fullmatch(label):
        return False
    letters = _letters(label)
    return letters is not None and not any(unicodedata.category(c) in _NO_LETTER for c in letters)


def _letters(label: str) -> str | None:
    """What a label's Punycode stands for; None if no browser would write it so."""
    if not label.startswith("xn--"):
        return label
    try:
        letters = label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return None
    return letters if unicodedata.normalize("NFKC", letters).lower() == letters else None


def _in_letters(place: str) -> str:
    host, colon, port = place.partition(":") if place[:1] != "[" else (place, "", "")
    return ".".join(_letters(label) or label for label in host.split(".")) + colon + port
