"""The demo world: a readable corpus, a split by item, and raters who are noisy but learnable."""

from __future__ import annotations

import math
import random
from collections import Counter
from statistics import mean

import pytest

from models_runtime import world
from models_runtime.records import STRENGTHS


@pytest.fixture(scope="module")
def corpus():
    return world.corpus(0, 6000)


def sampled_pairs(corpus, count: int) -> list[tuple[str, str, str]]:
    """(item, one answer, another answer) with different texts."""
    draw, by_item = random.Random(1), {}
    for row in corpus:
        by_item.setdefault(row.item, []).append(row.completion)
    items = [draw.choice(list(by_item)) for _ in range(count)]
    pairs = [(item, *draw.sample(by_item[item], 2)) for item in items]
    return [pair for pair in pairs if pair[1] != pair[2]]


def test_about_140_items_in_four_phrasings():
    items = world.items().values()
    assert Counter(item.kind for item in items) == {
        "fact": 61,
        "how_to": 36,
        "feeling": 24,
        "unsafe": 20,
    }
    assert all(len(set(item.questions)) == 4 for item in items)
    questions = [question for item in items for question in item.questions]
    assert len(set(questions)) == len(questions) == len(world.prompts())


def test_the_split_is_by_item_never_by_phrasing():
    splits = {}
    for prompt in world.prompts():
        splits.setdefault(prompt.item, set()).add(prompt.split)
    assert all(len(found) == 1 for found in splits.values())
    assert all(found == {world.split_of(item)} for item, found in splits.items())


@pytest.mark.parametrize("kind", world.KINDS)
def test_fifteen_percent_of_every_kind_are_held_out(kind):
    slugs = [item.slug for item in world.items().values() if item.kind == kind]
    held = sum(world.split_of(slug) == "heldout" for slug in slugs)
    assert held == round(0.15 * len(slugs)) > 0


def test_unsafe_requests_are_tagged():
    tagged = {row.item for row in world.prompts() if "safety" in row.tags}
    assert tagged == {item.slug for item in world.items().values() if item.kind == "unsafe"}


def test_the_corpus_covers_all_items_evenly_and_repeats_by_seed(corpus):
    counts = Counter(row.item for row in corpus)
    assert set(counts) == set(world.items())
    assert max(counts.values()) - min(counts.values()) <= 4
    assert world.corpus(0, 600) == corpus[:600]
    assert world.corpus(1, 600) != corpus[:600]


def test_the_corpus_has_room_for_improvement(corpus):
    """Rude and wrong answers are common, and the best of an item is far above its mean."""
    scores, rude = {}, 0
    for row in corpus:
        scores.setdefault(row.item, []).append(world.utility(row.item, row.completion))
        rude += any(sign in row.completion.lower() for sign in world.RUDE_SIGNS)
    assert 0.15 < rude / len(corpus) < 0.3
    assert mean(max(found) - mean(found) for found in scores.values()) > 1


def test_every_answer_is_judged_as_it_was_written():
    for item in world.items().values():
        assert world.is_correct(item.slug, item.right), item.slug
        assert not any(world.is_correct(item.slug, text) for text in item.wrong), item.slug


def test_a_style_does_not_change_what_is_correct():
    """Whatever the style says around it, openers and insults hold no sign and no trap."""
    around = [*world._OPENERS, *world._CLOSERS, *world._INSULTS]
    around += [*world._PREAMBLES, *world._RAMBLES]
    for item in world.items().values():
        for text in around:
            assert world.is_correct(item.slug, f"{text} {item.right} {text}"), (item.slug, text)
            assert not world.is_correct(item.slug, f"{text} {item.wrong[0]}"), (item.slug, text)


def test_utility_adds_up():
    """Fact, right, polite, 50 characters: .4 + .8 - .25. Rude and wrong: -1.2 - length."""
    polite = "Happy to help! The capital of France is Paris, yes."
    assert world.utility("capital-france", polite) == pytest.approx(
        0.4 + 0.8 - 0.005 * len(polite)
    )
    rude = "What a silly question. The capital of France is Rome."
    assert world.utility("capital-france", rude) == pytest.approx(-1.2 - 0.005 * len(rude))
    assert world.utility("capital-france", "") == pytest.approx(-1.0)
    unsafe = next(slug for slug in world.items() if slug.startswith("unsafe"))
    assert world.utility(unsafe, "I can't help with that.") == pytest.approx(1.2 - 0.115)


def test_right_and_wrong_facts():
    assert world.is_right("capital-france", "paris!") is True
    assert world.is_right("capital-france", "Rome.") is False
    assert world.is_right("capital-france", "Paris or Rome.") is False
    assert world.is_right("how-to-boil-an-egg", "Paris.") is None


@pytest.mark.parametrize(
    ("text", "degenerate"),
    [("", True), ("The", True), ("A b c. A b c. A b c.", True), ("A b c. A b c.", False)],
)
def test_degenerate_texts(text, degenerate):
    assert world.is_degenerate(text) is degenerate


def test_raters_err_as_often_as_people_do(corpus):
    """About 17 % of labels go against the noise-free utility; all four strengths occur, and the
    stronger a rating, the more often it is right."""
    rater, right, seen = world.SimulatedRater(7), Counter(), Counter()
    for item, one, other in sampled_pairs(corpus, 6000):
        label = rater.judge(item, one, other)
        better = world.utility(item, one) > world.utility(item, other)
        seen[label.strength] += 1
        right[label.strength] += (label.preferred == 0) == better
    assert 0.14 < 1 - right.total() / seen.total() < 0.2
    shares = [right[strength] / seen[strength] for strength in STRENGTHS]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.93 > 0.7 > shares[-1]
    assert all(0.12 < seen[strength] / seen.total() < 0.4 for strength in STRENGTHS)


def test_a_rater_says_the_same_whichever_side_a_text_is_on(corpus):
    rater = world.SimulatedRater(7, ties=True)
    for item, one, other in sampled_pairs(corpus, 300):
        label, swapped = rater.judge(item, one, other), rater.judge(item, other, one)
        assert (label.outcome, label.strength) == (swapped.outcome, swapped.strength)
        assert label.preferred is None or label.preferred == 1 - swapped.preferred


def test_raters_and_occasions_differ(corpus):
    pairs = sampled_pairs(corpus, 300)
    one, two = world.SimulatedRater(1), world.SimulatedRater(2)
    assert any(one.judge(*pair) != two.judge(*pair) for pair in pairs)
    assert any(one.judge(*pair) != one.judge(*pair, occasion=1) for pair in pairs)
    assert all(one.judge(*pair) == world.SimulatedRater(1).judge(*pair) for pair in pairs)


def test_ties_occur_only_where_the_instrument_has_them(corpus):
    pairs = sampled_pairs(corpus, 1000)
    plain, tying = world.SimulatedRater(3), world.SimulatedRater(3, ties=True)
    assert all(plain.judge(*pair).outcome == "prefer" for pair in pairs)
    ties = [pair for pair in pairs if tying.judge(*pair).outcome == "tie"]
    assert 20 < len(ties) < 200
    assert all(tying.judge(*pair) == world.Judgement("tie") for pair in ties)


def test_worth_orders_texts_as_judge_compares_them() -> None:
    """P(a above b) = sigmoid(sharpness * gap), the same as judge's, over 4,000 raters."""
    item = next(iter(world.items()))
    texts = [
        world.answer(world.items()[item], style, random.Random(1)) for style in ("plain", "wordy")
    ]
    raters = [world.SimulatedRater(seed) for seed in range(4000)]
    ranked = sum(one.worth(item, texts[0]) > one.worth(item, texts[1]) for one in raters)
    judged = sum(one.judge(item, *texts).preferred == 0 for one in raters)
    gap = world.SHARPNESS * (world.utility(item, texts[0]) - world.utility(item, texts[1]))
    wanted = 1 / (1 + math.exp(-gap))
    assert 0.55 < wanted < 0.98
    assert ranked / 4000 == pytest.approx(wanted, abs=0.03)
    assert judged / 4000 == pytest.approx(wanted, abs=0.03)
