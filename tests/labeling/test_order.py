"""The order of the queue: by chance, as imported, or with the mixture of the whole from the first
card on; priorities before it; and a slice that nothing but chance chose."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

import pytest
from django.db import connection
from django.db.models import F

from annotate.bench import scene
from labeling import adaptive, comparisons, iterations, leases, order, quotas, snapshots
from labeling.adaptive import Rule
from labeling.imports import shapes
from labeling.imports.shapes import BadRow
from labeling.iterations import Plan
from labeling.models import Campaign, Comparison, Prompt, User
from labeling.order import Facts, Order
from labeling.quotas import Wanted
from models_runtime.models import AuditEvent
from models_runtime.pairing import Candidate
from tests.factories import AB, Cast, UserFactory, make_cast, open_comparisons
from tests.labeling.test_claim_cost import steps
from tests.rating import answer
from training.configs import Selection

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
PLAN = Plan(comparisons=40, reserve_share=0.25, strategy="easy")


def facts(prompt: int, category: str = "", **more: object) -> Facts:
    plain = {"language": "", "tags": [], "priority": 0, **more}
    return Facts(prompt, category, **plain)  # type: ignore[arg-type]


def walk(rows: list[Facts], wanted: Order, seed: int = 0) -> list[Facts]:
    """The rows in the order in which they are handed out."""
    found = order.places(rows, wanted, random.Random(seed))
    at = sorted(range(len(rows)), key=lambda one: (-found[one][0], found[one][1]))
    return [rows[one] for one in at]


def test_any_prefix_of_a_stratified_order_has_the_mixture() -> None:
    names = ["code"] * 60 + ["chat"] * 30 + ["maths"] * 10
    rows = [facts(number, name) for number, name in enumerate(names)]
    handed_out = walk(rows, Order("stratified", ("category",)))
    for k in range(1, 101):
        seen = Counter(row.category for row in handed_out[:k])
        assert all(abs(seen[name] - k * names.count(name) / 100) < 2.1 for name in set(names))
    by_chance = walk(rows, Order())
    worst = max(
        abs(sum(row.category == "code" for row in by_chance[:k]) - 0.6 * k) for k in range(1, 101)
    )
    assert worst > 2.1  # which chance alone does not give


def test_languages_and_categories_are_mixed_together() -> None:
    rows = [
        facts(number, category, language=language)
        for number, (category, language) in enumerate([("a", "de"), ("a", "en"), ("b", "de")] * 20)
    ]
    half = walk(rows, Order("stratified"))[:30]
    seen = Counter((row.category, row.language) for row in half)
    assert set(seen.values()) <= {9, 10, 11}


def test_as_imported_is_by_prompt_and_higher_priorities_come_first() -> None:
    rows = [
        facts(number, priority=number % 3, tags=["hot"] * (number == 4)) for number in range(6)
    ]
    assert [row.prompt for row in walk(rows, Order("imported"))] == [0, 1, 2, 3, 4, 5]
    by_column = walk(rows, Order("imported", first="column"))
    assert [row.prompt for row in by_column] == [2, 5, 1, 4, 0, 3]
    by_tag = walk(rows, Order("imported", first="tags", tags={"hot": 5, "cold": 9}))
    assert [row.prompt for row in by_tag] == [4, 0, 1, 2, 3, 5]


def test_what_is_reserved_keeps_its_share_of_places_whatever_is_urgent() -> None:
    """Its places are drawn among itself: which of it comes early says nothing of what it is."""
    rows = [facts(n, priority=n // 50, reserved=n % 5 == 0) for n in range(100)]
    ranks: Counter[int] = Counter()
    for seed in range(60):
        early = walk(rows, Order("imported", first="column"), seed)[:50]
        assert sum(row.reserved for row in early) == 10
        ranks.update(row.priority for row in early if row.reserved)
    assert 0.4 < ranks[1] / ranks.total() < 0.6  # ordinary ones would all be urgent


def test_a_prompt_s_file_says_its_priority() -> None:
    assert shapes.prompts({"prompt": "a", "priority": "7"})[0].priority == 7
    assert shapes.prompts({"prompt": "a", "priority": -2})[0].priority == -2
    assert shapes.prompts({"prompt": "a"})[0].priority == 0
    for wrong in ("high", 1.5, True, "101", "--1", "²"):
        with pytest.raises(BadRow, match="priority must be a whole number"):
            shapes.prompts({"prompt": "a", "priority": wrong})


def test_an_order_is_changed_while_the_campaign_is_open(cast: Cast) -> None:
    rows = open_comparisons(cast.campaign, 6, overlap=2)
    for number, row in enumerate(rows):
        Prompt.objects.filter(pk=row.prompt_id).update(tags=["hot"] if number == 3 else [])
    wanted = Order("imported", first="tags", tags={"hot": 1})
    order.settle(campaign=cast.campaign, order=wanted, actor=cast.lead)
    assert order.is_pending(cast.campaign)
    assert order.tick() == 6
    assert order.tick() == 0
    cast.campaign.refresh_from_db()
    assert (order.of(cast.campaign), order.is_pending(cast.campaign)) == (wanted, False)
    taken = [answer(cast.rater, cast.campaign, "0:better").comparison_id for _ in rows]
    numbers = [[row.pk for row in rows].index(pk) for pk in taken]
    assert numbers == [3, 0, 1, 2, 4, 5]
    assert AuditEvent.objects.filter(verb="order settled").count() == 1


def test_what_cannot_be_an_order_is_refused(cast: Cast) -> None:
    for wrong in (
        Order("by length"),
        Order("stratified", ()),
        Order(first="tags", tags={"a": 101}),
        Order(first="tags", tags={" ": 1}),
    ):
        with pytest.raises(order.Refused):
            order.settle(campaign=cast.campaign, order=wrong)
    assert not AuditEvent.objects.filter(verb="order settled").exists()


def candidates(prompts: int, k: int = 5) -> dict[int, list[Candidate]]:
    return {
        prompt: [Candidate(prompt * 100 + n, f"{prompt}/{n}") for n in range(k)]
        for prompt in range(prompts)
    }


def test_prompt_and_pair_of_the_reserved_slice_are_drawn_by_chance() -> None:
    seen: Counter[int] = Counter()
    pairs: Counter[tuple[int, ...]] = Counter()
    plan = Plan(comparisons=40, reserve_share=0.25, strategy="random")
    for seed in range(80):
        chosen = comparisons.select(candidates(20), plan, random.Random(seed))
        kept = [one for one in chosen if one.reserved]
        assert (len(chosen), len(kept)) == (40, 10)
        assert {one.pair.strategy for one in kept} == {"random"}
        seen.update(one.prompt for one in kept)
        pairs.update(tuple(pk % 100 for pk in one.pair.ids) for one in kept)
    assert set(seen) == set(range(20))
    assert all(20 < n < 64 for n in seen.values())  # 40 expected
    assert len(pairs) == 10
    assert all(45 < n < 120 for n in pairs.values())  # 80 expected


def test_neither_quota_nor_disagreement_touches_it(cast: Cast) -> None:
    kept, other = open_comparisons(cast.campaign, 2, overlap=2)
    Prompt.objects.update(category="code")
    Comparison.objects.filter(pk=kept.pk).update(reserved=True)
    quotas.settle(campaign=cast.campaign, wanted=[Wanted("category", "code", 1)])
    cast.campaign.quotas.update(filled=True)
    quotas.apply(cast.campaign)
    withheld = dict(Comparison.objects.values_list("pk", "withheld"))
    assert withheld == {kept.pk: 0, other.pk: 2}


def test_disagreement_asks_for_no_more_labels_of_it() -> None:
    cast = make_cast(parts=AB)
    kept = open_comparisons(cast.campaign, 1, overlap=2)[0]
    Comparison.objects.filter(pk=kept.pk).update(reserved=True)
    adaptive.change(campaign=cast.campaign, rule=Rule(2, "majority", 5))
    answer(cast.rater, cast.campaign, "0")
    answer(cast.other_rater, cast.campaign, "1")
    kept.refresh_from_db()
    assert (kept.state, kept.overlap) == ("complete", 2)


def test_no_run_trains_on_it_and_exports_tell_it_apart(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    Comparison.objects.filter(pk__in=Comparison.objects.values("pk")[:1]).update(reserved=True)
    for _ in range(2):
        answer(cast.rater, cast.campaign, "0:better")
    judged = list(snapshots.judged(cast.campaign))
    assert [row.split for row in judged] == ["reserved", "train"]
    frozen = [Selection(split=None).keeps(_record(row.split)) for row in judged]
    assert frozen == [False, True]
    assert order.reserved(cast.campaign) == (1, 1)


class _record:
    """What a selection reads of a row."""

    iteration, fold = 0, "policy"

    def __init__(self, split: str) -> None:
        self.split = split


def test_a_plan_reserves_half_at_most() -> None:
    with pytest.raises(ValueError, match="half of the comparisons"):
        iterations.parse_plan({"reserve_share": 0.6})


def test_handing_out_takes_as_many_steps_in_any_order(cast: Cast) -> None:
    """The order is in the index: what is walked over is never a matter of the rule."""
    open_comparisons(cast.campaign, 30, overlap=3)
    assert first(cast.campaign) == head(cast.campaign)
    for rule in order.RULES:
        order.settle(campaign=cast.campaign, order=Order(rule, first="column"))
        order.tick()
        assert first(cast.campaign) == head(cast.campaign)


def first(campaign: Campaign) -> int:
    rater: User = UserFactory()
    card = leases.claim_next(rater=rater, campaign=campaign)
    assert card is not None
    return int(card.comparison_id)


def head(campaign: Campaign) -> int:
    rows = Comparison.objects.filter(campaign=campaign, state="open")
    return int(
        rows.order_by(F("priority").desc(), "shuffle", "id").values_list("pk", flat=True)[0]
    )


@pytest.mark.long
def test_ten_times_the_comparisons_cost_a_claim_no_step_more() -> None:
    """In a stratified order with priorities, and with a slice that is reserved."""
    if connection.vendor != "sqlite":
        pytest.skip("counts the steps of SQLite's virtual machine")
    campaign = scene.build(scene.Shape(comparisons=3000, raters=2))
    rows = Comparison.objects.filter(campaign=campaign)
    rows.filter(pk__in=list(rows.values_list("pk", flat=True)[:300])).update(reserved=True)
    order.settle(campaign=campaign, order=Order("stratified", first="column"))
    assert order.tick() == 3000
    rest = rows.filter(pk__in=list(rows.order_by("-pk").values_list("pk", flat=True)[:2700]))
    rest.update(state="complete")
    few = steps(partial(claimed, UserFactory(), campaign))
    rest.update(state="open")
    assert steps(partial(claimed, UserFactory(), campaign)) <= 1.1 * few


def claimed(rater: User, campaign: Campaign) -> None:
    assert leases.claim_next(rater=rater, campaign=campaign) is not None
