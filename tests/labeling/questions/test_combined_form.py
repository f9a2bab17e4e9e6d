"""Instruments combine: one form, one label, one vote."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import questions
from labeling.questions import InvalidAnswer

FORM: dict[str, Any] = {
    "order": {"type": "ranking"},
    "quality": {
        "type": "rating",
        "scale": "zero_four",
        "over": "best",
        "aspects": {
            name: name.capitalize()
            for name in ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
        },
    },
    "marks": {"type": "flags", "flags": {"rude": "Rude"}},
    "sure": {"type": "confidence", "required": False},
}
IDS = [30, 10, 20]
FIELDS = {
    **{f"order-tier-{place}": tier for place, tier in enumerate("213")},
    **{f"quality-{name}": str(n) for n, name in enumerate(FORM["quality"]["aspects"])},
    "marks-rude-2": "1",
    "csrfmiddlewaretoken": "x",
    "asked": "v1",
}


def cleaned(**fields: str) -> dict[str, Any]:
    raw = questions.raw_parts(FORM, {**FIELDS, **fields})
    return questions.clean_parts(FORM, raw, IDS).answer


def test_rank_then_rate_the_best_then_mark_them() -> None:
    parts = cleaned()["parts"]
    assert parts["order"]["tiers"] == [[10], [30], [20]]
    assert parts["quality"]["ratings"] == [
        {
            "completion": 10,
            "values": {
                "helpfulness": 0, "correctness": 1, "coherence": 2, "complexity": 3, "verbosity": 4
            },
        }
    ]  # fmt: skip
    assert parts["marks"]["flags"][1] == {"completion": 20, "codes": ["rude"]}
    assert "sure" not in parts
    assert cleaned(**{"sure-value": "9"})["parts"]["sure"]["value"] == 9


def test_where_two_share_the_first_place_there_is_no_best_to_rate() -> None:
    assert set(cleaned(**{"order-tier-0": "1"})["parts"]) == {"order", "marks"}


def test_a_missing_part_is_asked_for_in_one_sentence() -> None:
    for field, sentence in (("order-tier-0", "Give every"), ("quality-coherence", "Rate every")):
        with pytest.raises(InvalidAnswer, match=sentence):
            cleaned(**{field: ""})


def test_one_part_alone_votes() -> None:
    """A ranking and a rating that prefers would count one opinion twice, or against itself."""
    form = {
        "order": {"type": "ranking"},
        "points": {"type": "rating", "scale": "one_five", "prefer_by": "value"},
    }
    raw = {"order": {"tier-0": "1", "tier-1": "2"}, "points": {"value-0": "1", "value-1": "5"}}
    answer = questions.clean_parts(form, raw, [7, 8]).answer
    assert questions.voting_part(form) == "order"
    ordered, _ = questions.preferences_of(form, answer, "chosen")
    assert [(one.chosen, one.rejected) for one in ordered] == [(7, 8)]
    form["points"]["trains"] = True
    ordered, _ = questions.preferences_of(form, answer, "chosen")
    assert [(one.chosen, one.rejected) for one in ordered] == [(8, 7)]


def test_what_was_said_is_read_back_in_words() -> None:
    assert questions.words_of(FORM, cleaned(), IDS) == ("B > A > C; B 0/1/2/3/4; C: Rude")


def test_every_type_states_what_the_form_of_a_campaign_may_set() -> None:
    for name in questions.QUESTION_TYPES:
        options = getattr(questions.load(name), "OPTIONS", ())
        assert len({option.name for option in options}) == len(options)
        chosen = {
            option.name: option.default
            for option in options
            if option.kind == "choice" and option.default is not None
        }
        questions.load(name).check({"type": name, **chosen})
