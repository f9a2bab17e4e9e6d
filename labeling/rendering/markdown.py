"""Markdown to HTML by a parser without raw HTML, and the HTML of each of its tokens."""

from __future__ import annotations

import html
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from labeling.rendering import formulas, links, mathml
from labeling.rendering.characters import escape
from labeling.rendering.highlighting import MAX_BLOCK_CHARS, MAX_CODE_CHARS, highlighted
from labeling.rendering.wall import BLOCKS

MAX_NESTING = 20
MAX_FORMULAS_CHARS = 12_000  # of a text's formulas that become MathML: 0.1 s


def html_of(text: str) -> str | None:
    """A Markdown text as HTML; None if it is nested so deeply that the parser passes over it."""
    env: EnvType = {}
    tokens = _MARKDOWN.parse(text, env)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        return None
    return str(_MARKDOWN.renderer.render(_prepared(tokens), _MARKDOWN.options, env))


class _Renderer(RendererHTML):
    """The parser's tokens as HTML; every text passes through escape."""

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return escape(tokens[idx].content)

    def code_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return f"<code>{escape(tokens[idx].content)}</code>"

    def code_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return f'<pre dir="auto"><code>{escape(tokens[idx].content)}</code></pre>\n'

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        code = tokens[idx].content
        cheap = len(code) <= MAX_BLOCK_CHARS and _affords(env, "code", len(code), MAX_CODE_CHARS)
        shown = highlighted(code, tokens[idx].info) if cheap else escape(code)
        return f'<pre dir="auto"><code>{shown}</code></pre>\n'

    def formula(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return _formula(tokens[idx], env) or f"<code>{_source(tokens[idx])}</code>"

    def formula_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        shown = _formula(tokens[idx], env)
        if shown is None:
            return f'<pre dir="auto"><code>{_source(tokens[idx])}</code></pre>\n'
        return f'<p dir="auto">{shown}</p>\n'

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        words = f"Image: {token.content} ({token.attrs['src']})"
        return f'<span class="image">{escape(words)}</span>'

    def link_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        env["href"] = str(tokens[idx].attrs["href"])
        return f'<a href="{html.escape(env["href"])}">'

    def link_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return f'</a> <span class="host">({escape(links.host_of(env["href"]))})</span>'


def _affords(env: EnvType, what: str, cost: int, budget: int) -> bool:
    """Whether a text's budget for something allows this cost, which is then taken from it."""
    spent = env.get(what, 0) + cost
    if spent > budget:
        return False
    env[what] = spent
    return True


def _formula(token: Token, env: EnvType) -> str | None:
    if not _affords(env, "formulas", len(token.content), MAX_FORMULAS_CHARS):
        return None
    return mathml.of_latex(token.content, display=token.markup in formulas.DISPLAYED)


def _source(token: Token) -> str:
    return escape(formulas.source(token.content, token.markup))


def _prepared(tokens: list[Token]) -> list[Token]:
    """Demote headings, give each block its own direction, turn column styles into classes."""
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
        style = str(token.attrs.pop("style", ""))
        if style.endswith(("right", "center")):
            token.attrs["class"] = style.removeprefix("text-align:")
        if token.nesting == 1 and token.tag in BLOCKS:
            token.attrs["dir"] = "auto"
    return tokens


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        """Only absolute web and mail addresses; anything else stays the text that it was."""
        return links.is_link(url)


def _parser() -> _Markdown:
    options = {"html": False, "linkify": False, "breaks": True, "maxNesting": MAX_NESTING}
    parser = _Markdown("commonmark", options, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough"])
    # Reference definitions let a short text repeat a long address without limit.
    parser.disable(["reference", "html_block", "html_inline"])
    formulas.install(parser)
    return parser


_MARKDOWN = _parser()
