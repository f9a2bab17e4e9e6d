"""HTML as a parser other than ours sees it, and what of it model text may bring into a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from labeling.rendering import wall


class Dom(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.others: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def text(self) -> str:
        return "".join(self.texts)


def assert_only_allowed(html: str) -> Dom:
    """Nothing but the wall's elements, attributes and classes, and links that leave safely."""
    dom = Dom(html)
    assert not dom.others
    for tag, attributes in dom.elements:
        assert tag in wall.TAGS
        allowed = wall.ATTRIBUTES.get(tag, set()) | ({"rel", "target"} if tag == "a" else set())
        assert set(attributes) <= allowed
        assert attributes.get("class", "ctl") in wall.CLASSES
        if tag == "a":
            assert re.match(r"(?:https?|mailto):", attributes["href"] or "")
            assert attributes["rel"] == wall.LINK_REL
            assert attributes["target"] == "_blank"
    return dom
