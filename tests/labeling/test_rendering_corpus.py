"""No text of the hostile corpus brings anything of its own into a page, alone or among others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.rendering import MAX_CHARS, render, visible, wall
from labeling.rendering.characters import INVISIBLE
from tests.hostile.markup import Dom, assert_only_allowed
from tests.hostile.sizes import huge
from tests.hostile.texts import MARKUP, MATHS, TEXTS

pytestmark = pytest.mark.long

HUGE = huge()


def test_the_corpus_is_as_large_as_was_promised():
    assert len(TEXTS) == 431
    assert len(set(TEXTS.values())) == 431


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_text_brings_nothing_of_its_own(name):
    html = render(TEXTS[name])
    dom = assert_only_allowed(html)
    assert_only_allowed(visible(TEXTS[name]))
    assert not [char for char in INVISIBLE.findall(dom.text) if len(char) > 1]
    assert wall.cleaned(html) == html  # a browser's parser, reading it again, finds the same


@pytest.mark.parametrize("name", MARKUP)
def test_the_second_wall_holds_alone(name):
    assert_only_allowed(wall.cleaned(MARKUP[name]))
    assert_only_allowed(wall.cleaned(f"<math><mtext>{MARKUP[name]}</mtext></math>"))
    assert_only_allowed(wall.cleaned(f"<table><tr><td>{MARKUP[name]}<math><mi>"))


@pytest.mark.parametrize(
    "html",
    [
        "<span class=step>x</span>",
        "<span title=anything>x</span>",
        "<td class='ctl step'>x</td>",
        "<p dir=rtl>x</p>",
        "<ol start=-1><li>x</li></ol>",
        "<a href=javascript:window.owned=1>x</a>",
        "<a href=/account/>x</a>",
        "<math display=x><mi mathvariant=bold>x</mi></math>",
        "<math><mo minsize=99em>x</mo><mspace width=-9em></mspace></math>",
        "<math><mi href=https://evil.example class=step id=x>x</mi></math>",
        "<math><mstyle scriptlevel=99><menclose notation=phasorangle>x</menclose></mstyle></math>",
    ],
)
def test_a_value_that_is_never_written_does_not_pass_the_second_wall(html):
    kept = Dom(wall.cleaned(html)).elements
    ours = {"target": "_blank", "rel": wall.LINK_REL}
    assert all(attributes in ({}, ours) for _, attributes in kept)


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_text_is_rendered_and_brings_nothing_of_its_own(name):
    html = render(HUGE[name])
    assert_only_allowed(html)
    assert len(html) < 40 * MAX_CHARS


PIECES = [
    *MARKUP.values(),
    *MATHS.values(),
    *'<>"`|\n$[](',
    "```\n",
    "](",
    "\\[",
    "\\]",
    "$$",
    "> ",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES)))
def test_no_mixture_of_hostile_pieces_gets_through(pieces):
    html = render("".join(pieces))
    assert_only_allowed(html)
    assert wall.cleaned(html) == html
