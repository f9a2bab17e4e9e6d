"""Buttons that are the same on every card are drawn once: for each language and set of keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.template import Context, Engine
from django.test import RequestFactory
from django.utils import translation

from annotate import cards, keys
from annotate.templatetags import drawn
from labeling import presets
from labeling.models import QuestionVersion
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_drawn() -> None:
    drawn._buttons.cache_clear()


def page(preset: str = "llama2", chosen: str = "", language: str = "en") -> str:
    """The first part of an example card, with ``chosen`` given back."""
    question = QuestionVersion(text="Which?", parts=presets.parts(preset, tie=False))
    card = cards.example(question, 2)
    (part,) = card.parts
    part.given.update({"choice": chosen} if chosen else {})
    request = RequestFactory().get("/")
    request.user = UserFactory()
    shown = {"card": replace(card, instant=True), "part": part, "request": request}
    with translation.override(language):
        engine = Engine.get_default()
        tag = engine.from_string("{% load drawn %}{% drawn part %}")
        return tag.render(Context({**shown, "keys": keys.of(request.user)}))


def test_the_second_card_of_a_kind_is_not_drawn_again() -> None:
    first = page()
    assert page() == first
    assert drawn._buttons.cache_info().hits == 1
    assert 'name="preference-choice"' in first


def test_every_language_has_its_own() -> None:
    assert page(language="de") != page(language="en")


def test_another_scale_has_its_own() -> None:
    assert page("llama2") != page("ab")


def test_what_was_said_before_is_drawn_for_its_rater_alone() -> None:
    page()
    step = "0:significantly"
    assert "chosen" in page(chosen=step)
    assert "chosen" not in page()
