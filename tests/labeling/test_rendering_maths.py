"""Formulas between dollars or bracket signs become MathML; prices and broken ones stay text."""

import re
from itertools import pairwise

import pytest

from labeling.rendering import mathml, render

FORMULAS = [
    "so $x^2$ is",
    "$$x$$",
    "\\(x\\)",
    "\\[x\\]",
    "$$\nx\n+ y\n= z\n$$",
    "> \\[\n> a\n> + b\n> \\]",
    "- one\n- $$x\n  + y$$",
    "**$x$**, [$x$](https://x.example)",
    "| a |\n|---|\n| $x$ |",
    "a ($x$), $x$-axis: $y$.",
]
NO_FORMULAS = [
    "$5 to $10",
    "$5-$10, US$5/US$6, 5$ and 6$",
    "$5, $6 and $ 7 $",
    "$HOME/bin:$PATH",
    "A$AP and C$H",
    "\\$x\\$",
    "`$x$`",
    "```\n$$x$$\n```",
    "    $$x$$",
    "$$$$ $$ $$ $ $ \\(\\) \\[ \\]",
    "$" + "x" * mathml.MAX_FORMULA_CHARS + "$",
    "$$\na\n\nb\n$$",
]


def formulas(html: str) -> list[str]:
    return re.findall(r"<math.*?</math>", html)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_mathml(text):
    assert formulas(render(text))
    assert "$" not in render(text)


@pytest.mark.parametrize("text", NO_FORMULAS)
def test_dollars_and_brackets_that_are_no_formula_stay_text(text):
    assert formulas(render(text)) == []


def test_double_dollars_and_square_brackets_stand_on_their_own_line():
    for text in ("$$x$$", "\\[x\\]", "so \\[x\\] is"):
        assert formulas(render(text)) == ['<math display="block"><mrow><mi>x</mi></mrow></math>']
    for text in ("$x$", "\\(x\\)"):
        assert formulas(render(text)) == ["<math><mrow><mi>x</mi></mrow></math>"]


def test_a_line_that_begins_with_plus_is_a_list_in_text_and_none_in_a_formula():
    assert "<li" in render("a\n+ b")
    assert "<li" not in render("$$\na\n+ b\n$$")


@pytest.mark.parametrize(
    ("latex", "part"),
    [
        (r"\frac{a}{b}", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"),
        (r"\boxed{42}", '<menclose notation="box"><mrow><mn>42</mn></mrow></menclose>'),
        (r"\mathbf{AB}", "<mi>𝐀</mi><mi>𝐁</mi>"),
        (r"\mathbb{E}", "<mi>𝔼</mi>"),
        (r"\boldsymbol{\beta}", "<mi>𝜷</mi>"),
        (r"\mathcal{H}", "<mi>ℋ</mi>"),
        (r"\mathrm{d}", '<mi mathvariant="normal">d</mi>'),
        (r"\text{so x}", "<mtext>so\u00a0x</mtext>"),
        ("50%", "<mn>50</mn><mi>%</mi>"),
        ("a<b", "<mo>&lt;</mo>"),
        (r"a\hspace{1cm}b", '<mspace width="1cm"></mspace>'),
        (r"\begin{aligned}a&=b\\c&=d\end{aligned}", '<mtd columnalign="right"><mi>c</mi></mtd>'),
        (r"\begin{gathered}a\\b\end{gathered}", "<mtr><mtd><mi>b</mi></mtd></mtr>"),
        (r"\begin{array}{lc}a&b\end{array}", '<mtd columnalign="center"><mi>b</mi></mtd>'),
        (r"\begin{equation}x\end{equation}", "<math><mrow><mi>x</mi></mrow></math>"),
    ],
)
def test_usual_latex_is_shown_as_mathematics(latex, part):
    assert part in (mathml.of_latex(latex, display=False) or "")
    assert part in render(f"${latex}$").replace("&nbsp;", "\u00a0")


@pytest.mark.parametrize(
    "latex",
    [
        r"\frac{a}",
        r"\left( x",
        "a^b^c",
        r"\begin{matrix} a",
        "{" * 900,
        r"\sqrt" * 300,
        "^" * 900,
        r"\begin{align}" * 100,
    ],
)
def test_a_broken_formula_is_shown_as_its_source(latex):
    html = render(f"${latex}$")
    assert formulas(html) == []
    assert "<code>$" in html


@pytest.mark.parametrize(
    "latex",
    [
        r"\phantom{secret}",
        r"\textcolor{secret}{x}",
        r"\color{secret} x",
        r"\colorbox{white}{secret}",
        r"\hspace{secret}x",
        r"\hspace{1cm secret}x",
        r"\kern 1cmsecret",
        r"\mathchoice{a}{b}{c}{secret}",
        r"\rule{secret}{1em}",
        r"\class{secret}{x}",
        r"\style{color:red}{x}",
        r"\href{https://evil.example}{x}",
        r"\skew{7}{x}",
        r"\unicode{x202e}",
        "\\text{a\u202eb}",
        r"\text{&#x202e;}",
        r"\text{&copy;}",
    ],
)
def test_a_formula_that_would_hide_something_is_shown_as_its_source(latex):
    assert mathml.of_latex(latex, display=True) is None
    assert formulas(render(f"$$ {latex} $$")) == []


def test_a_comment_is_no_way_to_hide_words():
    assert "<mi>s</mi><mi>e</mi><mi>c</mi>" in render("$x % sec$")
    assert "<mi>s</mi><mi>e</mi><mi>c</mi>" in render("$x \\\\% sec$")


def test_macros_cannot_multiply_a_text():
    doubling = "".join(rf"\def\{b}{{\{a}\{a}\{a}\{a}}}" for a, b in pairwise("abcdefgh"))
    assert formulas(render(f"${doubling}\\h$")) == []


def test_markup_in_a_formula_is_shown_as_text():
    html = render(r"$\text{<img src=x onerror=alert(1)>} <script>x</script>$")
    assert re.findall(r"<(?!/?m(?:ath|row|text|i|o)\b)\w+", html) == ["<p"]
    assert "&lt;img" in html


@pytest.mark.parametrize(
    "latex", [r"\raise{99em}{x}", r"\hspace{99em}", r"\llap{x}", r"\smash{x}"]
)
def test_nothing_is_moved_over_what_stands_beside_it(latex):
    html = render(f"${latex}$")
    assert "width" not in html
    assert "voffset" not in html
    assert "lspace" not in html


def test_formulas_beyond_what_is_converted_for_one_text_are_shown_as_their_source():
    html = render("$" + "x" * 1_500 + "$ " + " ".join(["$" + "y" * 1_500 + "$"] * 9))
    assert (len(formulas(html)), html.count("<code>")) == (8, 2)
