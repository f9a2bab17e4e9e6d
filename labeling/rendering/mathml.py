"""LaTeX to MathML, of which only what is listed here is written, and no letter may be lost.

latex2mathml's own text output is never used: it undoes the escaping of its markup. Its tree is
written here instead, and a formula that is broken, nested too deeply, or would come out without
one of its letters (a comment, a colour, a phantom) has no MathML: its source is shown.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

from labeling.rendering.characters import INVISIBLE

MAX_FORMULA_CHARS = 2_000  # 9 µs for each; converting one at the limit took 20 ms
MAX_DEPTH = 60  # of elements; a browser's parser stops at 512
MAX_MATHML_CHARS = 60_000  # 30 for each of the source's, where 14 are usual

_TRUTH = r"true|false"
_EMS = r"(?:[0-3]?\.\d{1,3}|[0-3])em"
_LINE = r"(?:box|(?:up|down)diagonalstrike|horizontalstrike)"
_VALUES = {
    "display": "block",
    "displaystyle": _TRUTH,
    "scriptlevel": "[012]",
    "stretchy": _TRUTH,
    "largeop": _TRUTH,
    "movablelimits": _TRUTH,
    "accent": _TRUTH,
    "form": "prefix|infix|postfix",
    "minsize": _EMS,
    "maxsize": _EMS,
    "width": rf"{_EMS}|\d{{1,2}}(?:\.\d{{1,3}})?(?:pt|mm)|[0-3](?:\.\d{{1,3}})?cm",
    "linethickness": "0",
    "columnalign": "left|right|center",
    "notation": rf"{_LINE}(?: {_LINE})?",
    "mathvariant": "normal",
}
_ALLOWED = {name: re.compile(values) for name, values in _VALUES.items()}
_TOKENS = frozenset({"mi", "mn", "mo", "mtext"})
ATTRIBUTES: dict[str, frozenset[str]] = {
    "math": frozenset({"display"}),
    **dict.fromkeys(["mn", "mtext", "mrow", "msqrt", "mroot", "msub", "msup"], frozenset()),
    **dict.fromkeys(["msubsup", "munder", "mover", "munderover", "mtr"], frozenset()),
    "mi": frozenset({"mathvariant"}),
    "mo": frozenset(
        {"stretchy", "largeop", "movablelimits", "accent", "form", "minsize", "maxsize"}
    ),
    "mspace": frozenset({"width"}),
    "mfrac": frozenset({"linethickness"}),
    "mstyle": frozenset({"displaystyle", "scriptlevel"}),
    "mtable": frozenset({"displaystyle"}),
    "mtd": frozenset({"columnalign"}),
    "menclose": frozenset({"notation"}),
}
# A browser draws these with any other number of children as an error.
_CHILDREN = {
    **dict.fromkeys(["mfrac", "mroot", "msub", "msup", "munder", "mover"], 2),
    **dict.fromkeys(["msubsup", "munderover"], 3),
}
# Letters of their own in Unicode, for which browsers have no attribute.
_ALPHABETS = {
    "bold": "MATHEMATICAL BOLD",
    "bold-italic": "MATHEMATICAL BOLD ITALIC",
    "double-struck": "MATHEMATICAL DOUBLE-STRUCK",
    "fraktur": "MATHEMATICAL FRAKTUR",
    "monospace": "MATHEMATICAL MONOSPACE",
    "sans-serif": "MATHEMATICAL SANS-SERIF",
    "sans-serif-italic": "MATHEMATICAL SANS-SERIF ITALIC",
    "script": "MATHEMATICAL SCRIPT",
}
# Environments that latex2mathml does not know, as those it does.
_ENVIRONMENTS = {
    **dict.fromkeys(["align", "aligned", "alignedat", "split", "eqnarray", "eqnarray*"], "align*"),
    **dict.fromkeys(["gather", "gather*", "gathered", "multline", "multline*"], "matrix"),
    "dcases": "cases",
}
_ENVIRONMENT = re.compile(r"\\(begin|end)\{([a-zA-Z]{1,12}\*?)\}")
_EQUATION = re.compile(r"\\(?:begin|end)\{equation\*?\}|\\(?:nonumber|notag)(?![a-zA-Z])")
_PERCENT = re.compile(r"(?<!\\)((?:\\\\)*)%")
_UPRIGHT = re.compile(r"\\mathrm\{([a-zA-Z])\}")  # latex2mathml slants a single letter
# Macros write text without limit, and phantoms none.
_REFUSED = re.compile(
    r"\\(?:(?:re)?newcommand|newenvironment|def|DeclareMathOperator|[hv]?phantom|(?:math)?strut"
    r"|mathchoice)(?![a-zA-Z])"
)
# What a formula's source says without a letter being shown: commands, columns, measures.
_UNSHOWN = re.compile(
    r"\\begin\{(?:array|subarray)\}\s*(?:\[[tcb]\]\s*)?\{[lcr|\s]{0,40}\}|\\(?:begin|end)\{[a-z*]*\}"
    r"|\\(?:hspace\*?|hskip|kern|mkern|mskip|mspace)\s*"
    r"(?:\{\s*-?[\d.]+\s*[a-z]{2}\s*\}|-?[\d.]+\s*[a-z]{2}(?![a-zA-Z]))"
    r"|\\[a-zA-Z]+"
)


class _Unfit(Exception):
    """The formula cannot be shown as it was meant."""


def of_latex(latex: str, *, display: bool) -> str | None:
    """A formula as a ``math`` element, or None where only its source would be true to it."""
    if len(latex) > MAX_FORMULA_CHARS or _REFUSED.search(latex) or INVISIBLE.search(latex):
        return None
    try:
        return _written(_known(latex), display)
    except _Unfit:
        return None


def allows(name: str, value: str) -> bool:
    """Whether an attribute may stand in MathML with this value."""
    return name in _ALLOWED and _ALLOWED[name].fullmatch(value) is not None


def _known(latex: str) -> str:
    """The source in environments that latex2mathml knows, each percent sign as one: a formula of
    one line that says 50% means no comment."""
    source = _PERCENT.sub(r"\1\%", _EQUATION.sub("", latex))
    source = _UPRIGHT.sub(r"\\mathrm{{\1}}", source)
    return _ENVIRONMENT.sub(
        lambda found: f"\\{found[1]}{{{_ENVIRONMENTS.get(found[2], found[2])}}}", source
    )


def _written(latex: str, display: bool) -> str:
    tree = _tree(latex, display)
    if _lost(latex, tree):
        raise _Unfit
    content = "".join(piece for child in tree for piece in _pieces(child, 1))
    if len(content) > MAX_MATHML_CHARS:
        raise _Unfit
    opening = '<math display="block">' if display else "<math>"
    return f"{opening}{content}</math>"


def _tree(latex: str, display: bool) -> Element:
    try:
        return convert_to_element(latex, display="block" if display else "inline")
    except Exception as error:  # a broken formula ends it in an IndexError, a TypeError, …
        raise _Unfit from error


def _lost(latex: str, tree: Element) -> bool:
    """Whether a letter, digit or sign beyond ASCII of the source is not in any token."""
    said = _signs(_UNSHOWN.sub("", latex))
    return bool(said - _signs("".join(_text(one) for one in tree.iter())))


def _signs(text: str) -> Counter[str]:
    """What must not be lost, a letter of a mathematical alphabet as that letter."""
    plain = unicodedata.normalize("NFKC", text)
    return Counter(c for c in plain if c.isalnum() or (c > "~" and not c.isspace()))


def _text(element: Element) -> str:
    """Its text: latex2mathml writes signs as references, ``&#x0003D;``."""
    return html.unescape(element.text or "")


def _pieces(element: Element, depth: int) -> Iterator[str]:
    tag = "mrow" if element.tag == "mpadded" else str(element.tag)
    if tag not in ATTRIBUTES or depth > MAX_DEPTH:
        raise _Unfit
    if len(element) != _CHILDREN.get(tag, len(element)) or (element.text and tag not in _TOKENS):
        raise _Unfit
    attributes = {name: element.attrib[name] for name in element.attrib if name in ATTRIBUTES[tag]}
    written = (f' {name}="{value}"' for name, value in attributes.items() if allows(name, value))
    yield f"<{tag}{''.join(written)}>"
    if tag in _TOKENS:
        yield _token(element)
    for child in element:
        yield from _pieces(child, depth + 1)
    yield f"</{tag}>"


def _token(element: Element) -> str:
    text = _text(element)
    if INVISIBLE.search(text):
        raise _Unfit
    alphabet = _ALPHABETS.get(element.attrib.get("mathvariant", ""))
    if alphabet and element.tag != "mtext":
        text = "".join(_letter(alphabet, char) for char in text)
    return html.escape(text)


def _letter(alphabet: str, char: str) -> str:
    """A letter or digit in a mathematical alphabet; itself where that has none."""
    name = re.sub("^(?:LATIN|GREEK) | LETTER", "", unicodedata.name(char, ""))
    try:
        return unicodedata.lookup(f"{alphabet} {name}")
    except KeyError:
        return char
