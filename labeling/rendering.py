"""Hostile text (model output, prompts, guidelines) to HTML that is safe to put into a page.

Markdown is parsed with raw HTML off, written by the renderer below, and then reduced by nh3 to
the allow-list of this file: two walls, of which either alone should hold. Pure Python.

What a text can never do: bring an element, id, class, ``hx-`` or ``data-`` attribute of its own,
load anything, or hide a character. Links show the host they lead to, images become words,
headings are demoted below the page's own, invisible and direction-changing characters are
spelled out, and every block finds its own direction, so that a right-to-left override cannot
reach a neighbour. Time is linear in the length: what would not be is shown as plain text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String, _TokenType

RENDERER = "markdown-1"  # kept with the HTML; change it whenever the output changes

MAX_CHARS = 50_000
MAX_CELLS = 5_000  # of tables: the parser fills short rows up, 3 characters becoming 800
# Some lexers are quadratic on hostile code (java: 2.9 s for 10,000 line ends), so colours are
# for the first 12,000 characters of a text's code, and for blocks of at most 3,000.
MAX_BLOCK_CHARS = 3_000
MAX_CODE_CHARS = 12_000

CODE_CLASSES = {
    Keyword: "tok-k",
    String: "tok-s",
    Comment: "tok-c",
    Number: "tok-m",
    Name.Function: "tok-f",
    Name.Class: "tok-f",
    Name.Builtin: "tok-b",
    Name.Tag: "tok-b",
    Name.Attribute: "tok-f",
    Operator: "tok-o",
    Generic.Inserted: "tok-gi",
    Generic.Deleted: "tok-gd",
}
CLASSES = frozenset({"ctl", "host", "image", "right", "center", *CODE_CLASSES.values()})
# A text names its language, so only lexers that were tried on hostile code are offered.
LANGUAGES = frozenset(
    {
        "bash",
        "c",
        "c++",
        "cpp",
        "css",
        "diff",
        "go",
        "html",
        "java",
        "javascript",
        "js",
        "json",
        "kotlin",
        "php",
        "python",
        "py",
        "r",
        "ruby",
        "rust",
        "sh",
        "shell",
        "sql",
        "swift",
        "ts",
        "typescript",
        "xml",
        "yaml",
    }
)
_BLOCKS = ["p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "table", "th", "td"]
ATTRIBUTES: dict[str, set[str]] = {
    **{tag: {"dir"} for tag in _BLOCKS},
    "ol": {"dir", "start"},
    "th": {"dir", "class"},
    "td": {"dir", "class"},
    "a": {"href"},
    "span": {"class", "title"},
}
TAGS = frozenset({*ATTRIBUTES, *["thead", "tbody", "tr", "code", "em", "strong", "s", "br", "hr"]})
LINK_REL = "noopener noreferrer nofollow"

# Invisible or direction-changing: control and format characters (but those that are drawn, as
# U+0600), line separators, fillers, joiners, selectors and tags, in which text can be smuggled.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
# Where joiners and selectors belong to the writing: after a letter of a joining script, and
# in emoji. One at a time, so nothing can be smuggled in a run of them.
_IN_WRITING = re.compile(
    "(?<=[\u0620-\u0eff\u1000-\u109f\u1780-\u18af])[\u200c\u200d](?=[\u0620-\u18af])"
    "|(?<=[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff#*0-9])\ufe0f"
    "|(?<=[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])\u200d(?=[\u2190-\u2bff\U0001f000-\U0001faff])"
)
_TITLE = re.compile(r"U\+[0-9A-F]{4,6}…?( ×\d+)?")
_SCHEME = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def render(text: str) -> str:
    """Safe HTML of a Markdown text; too long or too costly a text is shown plainly, and says so.

    The result holds only TAGS with ATTRIBUTES and no link but to http, https and mailto.
    """
    source, note = _capped(_normalised(text))
    body = _plain(source) if _is_costly(source) else _MARKDOWN.render(source)
    return nh3.clean(
        body + note,
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=_kept_attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel=LINK_REL,
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def visible(text: str) -> str:
    """The raw text as HTML for a ``pre``: escaped, invisible characters spelled out."""
    return _escape(_normalised(text))


def _normalised(text: str) -> str:
    """One kind of line end; lone surrogates, which no page can carry, replaced."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-8", "replace").decode("utf-8")


def _capped(text: str) -> tuple[str, str]:
    if len(text) <= MAX_CHARS:
        return text, ""
    note = f"Only the first {MAX_CHARS:,} of {len(text):,} characters are shown."
    return text[:MAX_CHARS], f"<hr><p><em>{note}</em></p>"


def _is_costly(text: str) -> bool:
    """Whether a table in it would grow out of proportion; all else was measured to be linear."""
    pipes = [line.count("|") for line in text.split("\n") if "|" in line]
    return max(pipes, default=0) * len(pipes) > MAX_CELLS


def _plain(text: str) -> str:
    paragraphs = (part for part in re.split(r"\n{2,}", text) if part)
    return "".join(
        f'<p dir="auto">{_escape(part).replace(chr(10), "<br>")}</p>' for part in paragraphs
    )


def _escape(text: str) -> str:
    """Text as HTML, every run of invisible characters as one marker that names its first."""
    kept = {match.start() for match in _IN_WRITING.finditer(text)}
    return "".join(_pieces(text, kept))


def _pieces(text: str, kept: set[int]) -> Iterator[str]:
    done = 0
    for match in INVISIBLE.finditer(text):
        if match.end() - match.start() == 1 and match.start() in kept:
            continue
        yield html.escape(text[done : match.start()])
        yield _marker(match.group())
        done = match.end()
    yield html.escape(text[done:])


def _marker(run: str) -> str:
    name = f"U+{ord(run[0]):04X}"
    if len(run) > 1:
        name += f"{'…' if len(set(run)) > 1 else ''} ×{len(run)}"
    return f'<span class="ctl" title="{name}">{name}</span>'


def _kept_attribute(tag: str, name: str, value: str) -> str | None:
    """The second wall: an attribute stays only with a value that this file writes."""
    allowed = {
        "dir": value == "auto",
        "class": value in CLASSES,
        "title": _TITLE.fullmatch(value) is not None,
        "start": value.isdecimal() and len(value) <= 9,
        "href": _SCHEME.match(value) is not None,
        "target": value == "_blank",
        "rel": value == LINK_REL,
    }
    return value if allowed.get(name, False) else None


class _Renderer(RendererHTML):
    """The parser's tokens as HTML; every text passes through _escape."""

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return _escape(tokens[idx].content)

    def code_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return f"<code>{_escape(tokens[idx].content)}</code>"

    def code_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return f'<pre dir="auto"><code>{_escape(tokens[idx].content)}</code></pre>\n'

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        code = tokens[idx].content
        env["coloured"] = env.get("coloured", 0) + min(len(code), MAX_BLOCK_CHARS)
        cheap = len(code) <= MAX_BLOCK_CHARS and env["coloured"] <= MAX_CODE_CHARS
        shown = _highlighted(code, tokens[idx].info) if cheap else _escape(code)
        return f'<pre dir="auto"><code>{shown}</code></pre>\n'

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        words = f"Image: {token.content} ({token.attrs['src']})"
        return f'<span class="image">{_escape(words)}</span>'

    def link_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        env["href"] = str(tokens[idx].attrs["href"])
        return f'<a href="{html.escape(env["href"])}">'

    def link_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return f'</a> <span class="host">({_escape(_host(env["href"]))})</span>'


def _host(href: str) -> str:
    """Where a link really leads: the host of an address, the domain of a mailbox."""
    if href.lower().startswith("mailto:"):
        return href.rpartition("@")[2].partition("?")[0] or "mail"
    try:
        return urlsplit(href).hostname or "no host"
    except ValueError:
        return "no valid host"


def _highlighted(code: str, info: str) -> str:
    language = info.split(maxsplit=1)[0].lower() if info.strip() else ""
    if language not in LANGUAGES:
        return _escape(code)
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    return "".join(_coloured(kind, value) for kind, value in lexer.get_tokens(code))


def _coloured(kind: _TokenType, value: str) -> str:
    while kind and kind not in CODE_CLASSES:
        kind = kind.parent
    name = CODE_CLASSES.get(kind) if kind else None
    return f'<span class="{name}">{_escape(value)}</span>' if name else _escape(value)


def _prepare(tokens: list[Token]) -> list[Token]:
    """Demote headings, give each block its own direction, turn column styles into classes."""
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
        style = str(token.attrs.pop("style", ""))
        if style.endswith(("right", "center")):
            token.attrs["class"] = style.removeprefix("text-align:")
        if token.nesting == 1 and token.tag in _BLOCKS:
            token.attrs["dir"] = "auto"
    return tokens


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        """Only absolute web and mail addresses; anything else stays the text that it was."""
        return _SCHEME.match(url) is not None

    def render(self, src: str, env: EnvType | None = None) -> str:
        env = {} if env is None else env
        return str(self.renderer.render(_prepare(self.parse(src, env)), self.options, env))


def _parser() -> _Markdown:
    options = {"html": False, "linkify": False, "breaks": True, "maxNesting": 20}
    parser = _Markdown("commonmark", options, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough"])
    # Reference definitions let a short text repeat a long address without limit.
    parser.disable(["reference", "html_block", "html_inline"])
    return parser


_MARKDOWN = _parser()
