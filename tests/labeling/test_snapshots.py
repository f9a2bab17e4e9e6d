"""A snapshot holds what raters said up to a moment, names no rater, and is its own proof."""

import hashlib
import json
import uuid
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from labeling import labels, leases, snapshots
from labeling.models import Campaign, Comparison, Flag, Label
from labeling.pseudonyms import pseudonym
from models_runtime import artifacts
from models_runtime.models import AuditEvent
from models_runtime.records import PreferenceRecord, read_jsonl
from tests.factories import AB, IterationFactory, UserFactory, make_cast, open_comparisons
from tests.rating import held_for


@pytest.fixture(autouse=True)
def store(settings, tmp_path):
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()


def answer(rater, comparison, first_wins=True, strength="better", choice=None):
    """rater's label on this comparison, preferring its first completion wherever it was shown."""
    others = Comparison.objects.exclude(pk=comparison.pk)
    states = dict(others.values_list("pk", "state"))
    others.update(state="complete")
    assignment = leases.claim_next(rater=rater, campaign=comparison.campaign)
    for pk, state in states.items():
        Comparison.objects.filter(pk=pk).update(state=state)
    assert assignment.comparison_id == comparison.pk
    first = comparison.items.first().completion_id
    side = assignment.order.index(first) if first_wins else 1 - assignment.order.index(first)
    plain = "ab" in str(comparison.campaign.question.parts)
    posted = choice or (str(side) if plain else f"{side}:{strength}")
    return labels.record_label(
        assignment=held_for(assignment, minutes=1),
        parts={"preference": {"choice": posted}},
        idempotency_key=uuid.uuid4(),
        active_ms=1200,
    )


def read(snapshot, name):
    with artifacts.open_file(snapshot.uri, name) as handle:
        return [json.loads(line) for line in handle.read().decode().splitlines()]


def preferences(snapshot):
    folder = artifacts.fetch_folder(snapshot.uri, snapshot.manifest, None)
    return list(read_jsonl(folder / "preferences.jsonl", PreferenceRecord))


@pytest.mark.django_db
def test_labels_become_rows_and_preferences():
    cast = make_cast()
    [comparison] = open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, comparison, strength="slightly")
    snapshot = snapshots.freeze(campaign=cast.campaign, actor=cast.lead)
    [row] = read(snapshot, "labels.jsonl")
    first, second = (item.completion_id for item in comparison.items.all())
    assert row["answer"] == label.answer
    assert row["preferences"] == [
        {"chosen": first, "rejected": second, "strength": "slightly", "weight": 1.0}
    ]
    assert (row["label"], row["source"], row["order"]) == (label.pk, "person", label.order)
    assert (row["question"], row["guideline"], row["active_ms"]) == (1, 1, 1200)
    [record] = preferences(snapshot)
    assert (record.preferences[0].chosen, record.preferences[0].strength) == (first, "slightly")
    assert (record.source, record.labels, record.iteration) == ("person", 1, 1)
    assert [c.id for c in record.completions] == [first, second]


@pytest.mark.django_db
def test_no_rater_can_be_told_from_the_files():
    cast = make_cast()
    answer(cast.rater, *open_comparisons(cast.campaign, 1))
    snapshot = snapshots.freeze(campaign=cast.campaign)
    with artifacts.open_file(snapshot.uri, "labels.jsonl") as handle:
        text = handle.read().decode()
    assert cast.rater.username not in json.loads(text)["rater"]
    assert str(cast.rater.public_id) not in text
    assert json.loads(text)["rater"] == pseudonym(cast.project.pseudonym_key, cast.rater)


@pytest.mark.django_db
def test_two_builds_are_the_same_to_the_byte_and_stored_once():
    cast = make_cast()
    for comparison in open_comparisons(cast.campaign, 3):
        answer(cast.rater, comparison)
    first = snapshots.freeze(campaign=cast.campaign)
    second = snapshots.freeze(campaign=cast.campaign)
    assert first.pk == second.pk
    assert AuditEvent.objects.filter(verb="labels frozen").count() == 1
    with artifacts.open_file(first.uri, "manifest.json") as handle:
        assert hashlib.sha256(handle.read()).hexdigest() == first.sha256
    manifest = snapshots.read_manifest(first)
    assert manifest["files"] == {k: v for k, v in first.manifest.items() if k != "manifest.json"}


@pytest.mark.django_db
def test_a_new_label_makes_a_new_snapshot_and_leaves_the_old_one():
    cast = make_cast()
    one, two = open_comparisons(cast.campaign, 2)
    answer(cast.rater, one)
    before = snapshots.freeze(campaign=cast.campaign)
    answer(cast.rater, two)
    after = snapshots.freeze(campaign=cast.campaign)
    assert after.sha256 != before.sha256
    assert (len(read(before, "labels.jsonl")), len(read(after, "labels.jsonl"))) == (1, 2)


@pytest.mark.django_db
def test_rows_are_in_the_order_of_their_ids():
    cast = make_cast()
    comparisons = open_comparisons(cast.campaign, 4)
    for comparison in reversed(comparisons):
        answer(cast.rater, comparison)
    snapshot = snapshots.freeze(campaign=cast.campaign)
    ids = [row["label"] for row in read(snapshot, "labels.jsonl")]
    assert ids == sorted(ids)
    assert [r.comparison_id for r in preferences(snapshot)] == [c.pk for c in comparisons]


@pytest.mark.django_db
def test_an_undone_answer_is_out_and_counted():
    cast = make_cast()
    one, two = open_comparisons(cast.campaign, 2)
    answer(cast.rater, one)
    answer(cast.rater, two)
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    snapshot = snapshots.freeze(campaign=cast.campaign)
    assert [row["comparison"] for row in read(snapshot, "labels.jsonl")] == [one.pk]
    assert snapshot.counts["superseded"] == 1


@pytest.mark.django_db
def test_ties_flags_and_split_votes_are_left_out_of_the_preferences_and_counted():
    cast = make_cast(parts=AB)
    kept, tied, flagged, split = open_comparisons(cast.campaign, 4, overlap=2)
    for rater in (cast.rater, cast.other_rater):
        answer(rater, kept)
        answer(rater, tied, choice="tie")
        label = answer(rater, flagged)
    answer(cast.rater, split)
    answer(cast.other_rater, split, first_wins=False)
    labels.flag(assignment=label.assignment, code="unsafe")
    snapshot = snapshots.freeze(campaign=cast.campaign)
    counts = snapshot.counts["comparisons"]
    expected = {"kept": 1, "tied": 1, "flagged": 1, "no majority": 1}
    assert {why: n for why, n in counts.items() if n} == expected
    records = {r.comparison_id: r for r in preferences(snapshot)}
    assert set(records) == {kept.pk, tied.pk}
    assert (records[tied.pk].preferences, len(records[tied.pk].ties)) == ([], 1)
    assert records[kept.pk].labels == 2
    flags = {row["comparison"]: row["flags"] for row in read(snapshot, "labels.jsonl")}
    assert flags[flagged.pk] == ["unsafe"]
    Flag.objects.update(resolved_at="2030-01-01T00:00:00Z")
    assert snapshots.freeze(campaign=cast.campaign).counts["comparisons"]["flagged"] == 0


@pytest.mark.django_db
def test_a_late_label_that_does_not_count_is_kept_and_has_no_vote():
    cast = make_cast()
    [comparison] = open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, comparison)
    unlike = {f.attname: getattr(label, f.attname) for f in Label._meta.concrete_fields}
    del unlike["id"]
    unlike.update(rater_id=cast.other_rater.pk, public_id=uuid.uuid4(), late=True, counted=False)
    Label.objects.create(**unlike)
    snapshot = snapshots.freeze(campaign=cast.campaign)
    assert len(read(snapshot, "labels.jsonl")) == 2
    assert (snapshot.counts["labels"]["late"], preferences(snapshot)[0].labels) == (1, 1)


@pytest.mark.django_db
def test_simulated_labels_are_marked():
    cast = make_cast()
    one, two = open_comparisons(cast.campaign, 2)
    answer(cast.rater, one)
    answer(UserFactory(kind="simulated"), two)
    snapshot = snapshots.freeze(campaign=cast.campaign)
    assert [row["source"] for row in read(snapshot, "labels.jsonl")] == ["person", "simulated"]
    assert [record.source for record in preferences(snapshot)] == ["person", "simulated"]
    assert snapshot.counts["labels"]["simulated"] == 1
    assert snapshot.counts["preferences"] == {"person": 1, "simulated": 1}


@pytest.mark.django_db
def test_the_training_direction_is_followed_and_what_was_asked_is_kept():
    cast = make_cast(trains_on="rejected")
    [comparison] = open_comparisons(cast.campaign, 1)
    answer(cast.rater, comparison)
    snapshot = snapshots.freeze(campaign=cast.campaign)
    [row], [record] = read(snapshot, "labels.jsonl"), preferences(snapshot)
    first = comparison.items.first().completion_id
    assert row["answer"]["parts"]["preference"]["chosen"] == first
    assert record.preferences[0].rejected == first
    assert snapshots.read_manifest(snapshot)["questions"][0]["trains_on"] == "rejected"


@pytest.mark.django_db
def test_an_iterations_snapshot_holds_the_earlier_ones_and_not_the_later():
    cast = make_cast()
    answer(cast.rater, *open_comparisons(cast.campaign, 1))
    first = cast.campaign.iterations.get()
    first.state = "promoted"
    first.save()
    second = IterationFactory(campaign=cast.campaign, number=2)
    answer(cast.rater, *open_comparisons(cast.campaign, 1))
    assert len(preferences(snapshots.freeze(campaign=cast.campaign, iteration=first))) == 1
    both = snapshots.freeze(campaign=cast.campaign, iteration=second)
    assert [record.iteration for record in preferences(both)] == [1, 2]


@pytest.mark.django_db
def test_nothing_to_freeze_is_a_sentence():
    cast = make_cast()
    with pytest.raises(ValueError, match="Helpfulness has no labels yet"):
        snapshots.freeze(campaign=cast.campaign)
    with pytest.raises(CommandError, match="no labels yet"):
        call_command("snapshot", "helpful")
    with pytest.raises(CommandError, match="There is no campaign named nobody"):
        call_command("snapshot", "nobody")


@pytest.mark.django_db
def test_the_command_says_what_is_in_it():
    cast = make_cast()
    answer(cast.rater, *open_comparisons(cast.campaign, 1))
    out = StringIO()
    call_command("snapshot", "helpful", "--iteration", "1", stdout=out)
    assert "Labels: 1 by people, 0 simulated, 0 by programs." in out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_a_consistent_read_sees_one_moment_and_writers_need_not_wait():
    if "mode=memory" in str(connection.settings_dict["NAME"]):
        pytest.skip("the test database is in memory, which a second connection locks as a whole")
    make_cast()
    campaigns = Campaign.objects.all()
    with snapshots.consistent_read():
        before = campaigns.get().name
        other = connection.copy()  # as another process would
        with other.cursor() as cursor:
            cursor.execute("UPDATE labeling_campaign SET name = 'written meanwhile'")
        other.close()
        assert campaigns.get().name == before
    assert campaigns.get().name == "written meanwhile"


@pytest.mark.django_db(transaction=True)
def test_freezing_outside_a_transaction_works_and_leaves_none_open():
    cast = make_cast()
    answer(cast.rater, *open_comparisons(cast.campaign, 1))
    snapshot = snapshots.freeze(campaign=cast.campaign)
    assert snapshots.freeze(campaign=cast.campaign).pk == snapshot.pk
    assert not connection.in_atomic_block
