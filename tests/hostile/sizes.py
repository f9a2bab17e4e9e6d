"""Texts whose size or nesting is the attack: each is a piece, written often enough."""

from __future__ import annotations

PIECES = {
    "letters": "a",
    "words": "ab ",
    "line ends": "\n",
    "short lines": "a\n",
    "paragraphs": "a\n\n",
    "quotes": "> ",
    "quotes without spaces": ">",
    "lines of quotes": "> a\n",
    "lists": "- ",
    "list items": "- a\n",
    "numbered lists": "1. ",
    "mixed lists": "* + - 1) ",
    "indents": "  - a\n    ",
    "headings": "# a\n",
    "underlined headings": "a\n=\n",
    "rules": "---\n",
    "emphasis": "*a ",
    "emphasis in pairs": "*a* ",
    "mixed emphasis": "_a_*",
    "strong emphasis": "**a *b ",
    "underscores": "a_",
    "strikes": "~~a~",
    "brackets": "[",
    "brackets in pairs": "[a]",
    "closing brackets": "]",
    "images": "![",
    "open links": "[a](",
    "open titles": '[a](b "',
    "links": "[a](http://x.example) ",
    "nested links": "[a](http://x.example)](",
    "autolinks": "<http://x.example>",
    "open autolinks": "<http:",
    "angles": "<",
    "tags": "<a ",
    "comments": "<!--",
    "backticks": "`",
    "code spans": "`a``b",
    "growing backticks": "`a`` b``` ",
    "fences": "```\n",
    "tildes": "~~~a\n",
    "pipes": "|",
    "tables": "|a|\n|-|\n",
    "table rows": "|a|b|\n",
    "rules of tables": "|-|-|\n",
    "dollars": "$",
    "open formulas": "$a ",
    "formulas": "$a$ ",
    "displays": "$$a$$ ",
    "lines of dollars": "$$\n",
    "lines of brackets": "\\[\n",
    "open brackets of formulas": "\\(",
    "formulas in brackets": "\\(a\\) ",
    "escaped dollars": "$\\$",
    "backslashes": "\\",
    "escaped brackets": "\\[",
    "entities": "&amp;",
    "ampersands": "&",
    "unseen characters": "a\u200b",
    "tag characters": "\U000e0041",
    "accents": "a\u0301",
    "emoji": "\U0001f468\u200d\U0001f469",
    "right-to-left words": "שלום ",
    "quotation marks": "\"'",
    "references": "[a]: b\n",
    "tabs": "\t",
    "code lines": "    a\n",
}


def repeated(name: str, chars: int) -> str:
    """The piece again and again, cut at ``chars`` characters."""
    piece = PIECES[name]
    return (piece * (chars // len(piece) + 1))[:chars]


def huge() -> dict[str, str]:
    """What a broken model may write: a megabyte in one line, ten thousand levels, and more."""
    levels = 10_000
    return {
        "a line of a megabyte": "a" * 1_000_000,
        "words of a megabyte": "ab " * 333_333,
        "nested lists": "".join("  " * (i % 100) + f"- {i}\n" for i in range(levels)),
        "lists in one line": "- " * levels + "end",
        "nested quotes": "> " * levels + "end",
        "nested emphasis": "*a **b " * levels + "end",
        "nested brackets": "[" * levels + "end" + "](http://x.example)" * levels,
        "nested code": "".join("`" * (i % 100 + 1) + "a" for i in range(levels)),
        "columns": "|" + "a|" * levels + "\n|" + "-|" * levels + "\n|b|",
        "dollars": "$a " * levels + "$$ " * levels,
        "nested braces": "$" + "{" * levels + "x" + "}" * levels + "$",
        "backslashes": "\\" * 4 * levels + "(" + "\\[" * levels,
        "links": "[a](http://x.example) " * 100_000,
        "spans of colour": "```python\n" + "x = 'a' # b\n" * levels + "```",
    }
