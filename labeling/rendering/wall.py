"""The second wall: whatever HTML comes, only these elements, attributes and values leave."""

from __future__ import annotations

import re

import nh3

from labeling.rendering import mathml
from labeling.rendering.characters import TITLE
from labeling.rendering.highlighting import CODE_CLASSES
from labeling.rendering.links import SCHEME

CLASSES = frozenset({"ctl", "host", "image", "right", "center", *CODE_CLASSES.values()})
BLOCKS = ["p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "table", "th", "td"]
ATTRIBUTES: dict[str, set[str]] = {
    **{tag: {"dir"} for tag in BLOCKS},
    "ol": {"dir", "start"},
    "th": {"dir", "class"},
    "td": {"dir", "class"},
    "a": {"href"},
    "span": {"class", "title"},
    **{tag: set(names) for tag, names in mathml.ATTRIBUTES.items()},
}
TAGS = frozenset({*ATTRIBUTES, *["thead", "tbody", "tr", "code", "em", "strong", "s", "br", "hr"]})
LINK_REL = "noopener noreferrer nofollow"


def cleaned(html: str) -> str:
    """HTML reduced to TAGS with ATTRIBUTES whose values Concord itself writes."""
    return _CLEANER.clean(html)


def _kept_attribute(tag: str, name: str, value: str) -> str | None:
    if tag in mathml.ATTRIBUTES:
        return value if mathml.allows(name, value) else None
    allowed = {
        "dir": value == "auto",
        "class": value in CLASSES,
        "title": TITLE.fullmatch(value) is not None,
        "start": re.fullmatch("[0-9]{1,9}", value) is not None,
        "href": SCHEME.match(value) is not None,
        "target": value == "_blank",
        "rel": value == LINK_REL,
    }
    return value if allowed.get(name, False) else None


_CLEANER = nh3.Cleaner(
    tags=set(TAGS),
    attributes=ATTRIBUTES,
    attribute_filter=_kept_attribute,
    url_schemes={"http", "https", "mailto"},
    link_rel=LINK_REL,
    set_tag_attribute_values={"a": {"target": "_blank"}},
)
