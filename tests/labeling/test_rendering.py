"""Text from models and people reaches a page only as the few elements that rendering allows."""

import unicodedata

import pytest

from labeling import rendering
from labeling.rendering import MAX_CHARS, render, visible
from labeling.rendering.characters import INVISIBLE
from tests.hostile.markup import Dom


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
    assert (
        "(\u0430pple.example · xn--pple-43d.example)"
        in Dom(render("[a](http://\u0430pple.example)")).text
    )


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
    assert {tag for tag, _ in blocks} == {
        "h3", "p", "ul", "ol", "li", "blockquote", "pre", "table", "th", "td",
    }  # fmt: skip
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
    missed = {i for i in points if not INVISIBLE.fullmatch(chr(i))}
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


def test_a_table_that_would_grow_out_of_proportion_is_shown_as_text():
    text = "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n" + "|a\n" * 10_000
    html = render(text)
    assert "<table" not in html
    assert len(html) < 4 * len(text)


def test_the_raw_view_keeps_every_character_and_line():
    assert visible("a <b>\r\nc\td") == "a &lt;b&gt;\nc\td"
    assert visible("**x**") == "**x**"


def test_rendering_twice_gives_the_same():
    assert render("*a* $x$") == render("*a* $x$")
    assert render("") == ""
    assert 0 < len(rendering.RENDERER) <= 20


def test_a_text_nested_beyond_what_is_parsed_is_shown_whole():
    """The parser would pass over what stands deeper than its limit."""
    for text in ("> " * 60 + "end", "- " * 60 + "end", "> - " * 30 + "end"):
        assert Dom(render(text)).text == text


def test_stored_html_is_shown_as_it_is_when_it_is_ours():
    html = render("*a*")
    assert rendering.stored("*a*", html, rendering.RENDERER) is html


def test_stored_html_of_an_older_renderer_passes_todays_wall():
    old = '<p dir="auto">a<b onclick=x>b</b><script>c</script><em>d</em></p>'
    assert rendering.stored("a", old, "markdown-1") == '<p dir="auto">ab<em>d</em></p>'


def test_a_text_that_was_never_rendered_is_shown_raw():
    assert rendering.stored("*a* <b>", "", "") == "*a* &lt;b&gt;"
