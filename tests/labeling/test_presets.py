"""Presets: each one can be asked, sampled for, answered and trained on as it stands."""

from __future__ import annotations

import pytest

from labeling import presets, questions
from labeling.iterations import Plan, parse_plan
from labeling.presets import GROUPS, PRESETS, Preset
from labeling.questions import live

TABLE = {
    "Binary A/B": ["ab"],
    "Arena": ["arena"],
    "Llama 2": ["llama2", "llama2_own", "llama2_safety"],
    "HH": ["hh", "hh_line", "hh_red_team"],
    "InstructGPT": [
        "priorities",
        "instruct_gpt",
        "ranking9",
        "demonstration",
        "prompts",
        "prompts_few_shot",
        "prompts_user_based",
    ],
    "HelpSteer": ["helpsteer"],
    "UltraFeedback": ["ultrafeedback"],
    "TL;DR": ["tldr"],
    "Tülu": ["tulu"],
    "Acceptability": ["acceptability"],
    "Thumbs": ["thumbs"],
    "Red team": ["red_team"],
    "Rewrite / critique": ["rewrite", "critique"],
    "Safe answers": ["safe_checklist"],
}
EACH = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


def test_every_instrument_of_the_literature_is_there() -> None:
    assert sorted(name for names in TABLE.values() for name in names) == sorted(PRESETS)


@EACH
def test_its_parts_can_be_asked(preset: Preset) -> None:
    questions.check_parts(preset.parts)


@EACH
def test_its_plan_can_be_followed(preset: Preset) -> None:
    plan = parse_plan(preset.settings())
    assert plan.completions_per_comparison == preset.completions
    assert plan.k * (1 + len(plan.more_temperatures)) >= preset.completions


@EACH
def test_its_cards_show_as_many_completions_as_its_parts_take(preset: Preset) -> None:
    types = {part["type"] for part in preset.parts.values()}
    if live.of(preset.parts) or types & {"demonstration", "prompt_writing"}:
        assert preset.completions == 0
    elif "pairwise" in types:
        assert preset.completions == 2
    elif "ranking" in types:
        assert preset.completions in (4, 9)
    elif "thumbs" in types:
        assert preset.completions == 1


@EACH
def test_it_says_what_it_is_and_what_to_do(preset: Preset) -> None:
    assert preset.group in GROUPS
    assert len(preset.question) <= 500
    assert all((preset.title, preset.summary, preset.question, preset.guidelines))
    assert preset.labels >= 1


def test_titles_are_all_different() -> None:
    titles = [preset.title for preset in PRESETS.values()]
    assert len(set(titles)) == len(titles)


def test_only_what_asks_for_the_worse_one_trains_on_what_was_not_chosen() -> None:
    turned = {name for name, preset in PRESETS.items() if preset.trains_on == "rejected"}
    assert turned == {"hh_red_team", "red_team"}


@pytest.mark.parametrize(
    ("name", "tie", "wanted"),
    [
        ("llama2", True, True),
        ("llama2", False, False),
        ("ab", False, False),
        ("tldr", True, False),  # TL;DR's choice is forced
        ("arena", False, True),
        ("tulu", False, None),  # five steps have a middle of their own
    ],
)
def test_a_tie_is_for_the_lead_to_allow_where_the_preset_leaves_it_open(
    name: str, tie: bool, wanted: bool | None
) -> None:
    assert presets.parts(name, tie=tie)["preference"].get("tie") is wanted


def test_a_plan_without_a_preset_shows_pairs() -> None:
    assert Plan().completions_per_comparison == 2


@EACH
def test_training_starts_by_itself_only_on_preferences_and_by_a_method_that_can(
    preset: Preset,
) -> None:
    plan, taught = parse_plan(preset.settings()), questions.teaches(preset.parts)
    if "preferences" not in taught:
        assert plan.start_training == "person"
        assert (plan.method == "sft") == ("demonstrations" in taught)
