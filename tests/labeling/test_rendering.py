"""Text from models and people reaches a page only as the few elements that rendering allows."""

import re
import time
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling import rendering
from labeling.rendering import ATTRIBUTES, CLASSES, LINK_REL, MAX_CHARS, TAGS, render, visible

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)><animate onbegin=alert(1) attributeName=x>",
    "<math><mtext></p><script>alert(1)</script>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<div hx-get=/admin hx-trigger=load data-hx-post=/x>",
    "<p id=submit class='button' style='position:fixed;inset:0'>",
    "<iframe srcdoc='<script>1</script>'></iframe><base href=//evil.example>",
    "<form action=//evil.example><input autofocus onfocus=alert(1)>",
    "<!--><img src=x onerror=1>--><![CDATA[<script>]]><?php ?>",
    "</pre></code></td></table></body></html><script>",
    "[a](javascript:alert(1)) [b](JaVaScRiPt&colon;alert(1)) [c](\x01javascript:alert(1))",
    "[d](data:text/html;base64,PHN2Zz4=) [e](vbscript:x) [f](//evil.example) [g](/admin)",
    '[h](http://x.example/"onmouseover="alert(1)) [i](http://x.example "t\\" onclick=\\"x")',
    "<http://x.example/'onclick=alert(1)//> <javascript:alert(1)>",
    "![i](http://evil.example/pixel.png) ![j](data:image/svg+xml,<svg onload=1>)",
    "[![nested](http://evil.example/a.png)](http://evil.example)",
    "[ref]: javascript:alert(1)\n\n[ref]",
    '```html" onclick="x\n<script>alert(1)</script>\n```',
    "```python\nx = '</code></pre><script>alert(1)</script>'\n```",
    "`</code><script>`",
    "# <b onclick=1>h</b>\n\nh\n===",
    '| a |\n|:-:|\n| <td class="ctl" colspan=99> |',
    "99999999999. a\n\n1. b\n2. c",
    "&lt;script&gt; &#60;img src=x onerror=1&#62; &#x202e;",
    "\u202egnp.exe \u2066hidden\u2069 a\u200bb \U000e0041\U000e0042 \x00\x1b[31m \ud800",
    "<span class=ctl title=U+202E>not ours</span><a rel=opener target=_self href=http://x>",
    "<style>*{display:none}</style><link rel=stylesheet href=//evil.example>",
    "<xmp><textarea><title></title></textarea><plaintext>",
]


class Dom(HTMLParser):
    """Every element with its attributes, and all text, as a parser other than ours sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.others: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        self.others.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def text(self) -> str:
        return "".join(self.texts)


def assert_only_allowed(html: str) -> Dom:
    dom = Dom(html)
    assert not dom.others
    for tag, attributes in dom.elements:
        assert tag in TAGS
        allowed = ATTRIBUTES.get(tag, set()) | ({"rel", "target"} if tag == "a" else set())
        assert set(attributes) <= allowed
        assert attributes.get("class", "ctl") in CLASSES
        if tag == "a":
            assert re.match(r"(?:https?|mailto):", attributes["href"] or "")
            assert attributes["rel"] == LINK_REL
            assert attributes["target"] == "_blank"
    return dom


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_brings_no_element_or_attribute_of_its_own(text):
    assert_only_allowed(render(text))
    assert_only_allowed(visible(text))


def test_the_whole_corpus_in_one_text_is_no_worse():
    assert_only_allowed(render("\n\n".join(HOSTILE)))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*HOSTILE, "<", ">", '"', "'", "`", "```\n", "|", "\n", "]("])))
def test_no_mixture_of_hostile_pieces_gets_through(pieces):
    assert_only_allowed(render("".join(pieces)))


def test_markdown_is_shown_as_markdown():
    html = render("# Title\n\n*a* **b** `c`\nnext\n\n- one\n\n> said\n\n~~no~~")
    for part in ("<em>a</em>", "<strong>b</strong>", "<code>c</code><br>", "<li", "<blockquote"):
        assert part in html
    assert Dom(render("# Title")).elements == [("h3", {"dir": "auto"})]


def test_markup_in_the_text_is_shown_as_text():
    assert Dom(render("<b>bold</b>")).text.strip() == "<b>bold</b>"


def test_a_link_shows_the_host_it_leads_to():
    assert "(evil.example)" in Dom(render("[bank](http://bank.example@evil.example/)")).text
    assert "(mail.example)" in Dom(render("[write](mailto:a@mail.example?subject=x)")).text
    assert "(xn--pple-43d.example)" in Dom(render("[a](http://\u0430pple.example)")).text


def test_an_image_becomes_its_words_and_address():
    dom = Dom(render("![a cat](https://x.example/cat.png)"))
    assert "Image: a cat (https://x.example/cat.png)" in dom.text
    assert {tag for tag, _ in dom.elements} == {"p", "span"}


def test_columns_keep_their_alignment_without_a_style_attribute():
    elements = Dom(render("| a | b |\n|--:|:-:|\n| 1 | 2 |")).elements
    assert [a["class"] for tag, a in elements if tag == "td"] == ["right", "center"]


def test_every_block_finds_its_own_direction():
    text = "# h\n\np\n\n- a\n\n1. b\n\n> c\n\n```\nd\n```\n\n| e |\n|---|\n| f |"
    blocks = [(tag, a.get("dir")) for tag, a in Dom(render(text)).elements if "dir" in a]
    assert {tag for tag, _ in blocks} == set(
        "h3 p ul ol li blockquote pre table th td".split()  # noqa: SIM905
    )
    assert {direction for _, direction in blocks} == {"auto"}


def test_an_invisible_character_is_spelled_out():
    html = render("safe\u202etxt.exe and `a\u200bb` and [x\u2066](http://x.example)")
    for name in ("U+202E", "U+200B", "U+2066"):
        assert f'<span class="ctl" title="{name}">{name}</span>' in html
    assert "\u202e" not in html
    assert "\u202e" not in render("&#x202e;")
    assert "U+E0041… ×2" in Dom(visible("\U000e0041\U000e0042")).text


def test_every_format_character_of_unicode_is_covered_or_is_drawn():
    drawn = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x70F, 0x890, 0x891, 0x8E2}
    drawn |= {0x110BD, 0x110CD}  # Arabic, Syriac and Kaithi signs that enclose what follows
    points = [i for i in range(0x110000) if unicodedata.category(chr(i)) in ("Cf", "Zl", "Zp")]
    missed = {i for i in points if not rendering.INVISIBLE.fullmatch(chr(i))}
    assert missed == drawn


@pytest.mark.parametrize("text", ["👨‍👩‍👧", "❤️", "می‌خواهم", "क्‍ष", "5️⃣"])
def test_joiners_that_belong_to_the_writing_stay(text):
    assert text in render(text)


def test_code_is_coloured_with_classes_only():
    html = render("```python\ndef f(): return 1  # one\n```")
    assert '<span class="tok-k">def</span>' in html
    assert '<span class="tok-c"># one</span>' in html
    assert "tok-" not in render("```no-such-language\ndef f(): pass\n```")
    assert "tok-" not in render("```python\n" + "x = 1\n" * 600 + "```")


def test_a_long_text_is_cut_with_a_visible_note():
    dom = Dom(render("a" * (MAX_CHARS + 1)))
    assert "Only the first 50,000 of 50,001 characters are shown." in dom.text
    assert "Only" not in Dom(render("a" * MAX_CHARS)).text


@pytest.mark.parametrize(
    "piece",
    ["[", "![", "[a](", "_a_*", "`a``b", "> ", "\\[", "&", "a\u200b", "|a|\n|-|\n", "~~a~", "<"],
)
def test_time_does_not_explode_on_hostile_text(piece):
    started = time.process_time()
    html = render((piece * MAX_CHARS)[:MAX_CHARS])
    assert time.process_time() - started < 3
    assert len(html) < 60 * MAX_CHARS


def test_a_table_that_would_grow_out_of_proportion_is_shown_as_text():
    text = "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n" + "|a\n" * 10_000
    html = render(text)
    assert "<table" not in html
    assert len(html) < 4 * len(text)


def test_the_raw_view_keeps_every_character_and_line():
    assert visible("a <b>\r\nc\td") == "a &lt;b&gt;\nc\td"
    assert visible("**x**") == "**x**"


def test_rendering_twice_gives_the_same():
    assert render(HOSTILE[8]) == render(HOSTILE[8])
    assert render("") == ""
    assert 0 < len(rendering.RENDERER) <= 20
