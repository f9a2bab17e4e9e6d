"""Code in colours: the classes of Pygments' tokens, for languages whose lexers were tried."""

from __future__ import annotations

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String, _TokenType

from labeling.rendering.characters import escape

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
# A text names its language, so only lexers that were tried on hostile code are offered.
LANGUAGES = frozenset(
    ["bash", "c", "c++", "cpp", "css", "diff", "go", "html", "java", "javascript", "js", "json"]
    + ["kotlin", "php", "python", "py", "r", "ruby", "rust", "sh", "shell", "sql", "swift", "ts"]
    + ["typescript", "xml", "yaml"]
)


def highlighted(code: str, info: str) -> str:
    """Code as HTML, coloured when ``info``, what stands behind the fence, names a language."""
    language = info.split(maxsplit=1)[0].lower() if info.strip() else ""
    if language not in LANGUAGES:
        return escape(code)
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    return "".join(_coloured(kind, value) for kind, value in lexer.get_tokens(code))


def _coloured(kind: _TokenType, value: str) -> str:
    while kind and kind not in CODE_CLASSES:
        kind = kind.parent
    name = CODE_CLASSES.get(kind) if kind else None
    return f'<span class="{name}">{escape(value)}</span>' if name else escape(value)
