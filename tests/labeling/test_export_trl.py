"""Exported preferences: which rows there are, what each says, and a file that is whole."""

import json
import uuid
from collections import Counter
from io import StringIO

import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from labeling import exports, labels, leases
from labeling.exports import files, trl
from labeling.exports.trl import OTHER_SOURCE, Options
from labeling.judgements import Answer, Judged, JudgedCompletion
from models_runtime.models import AuditEvent
from models_runtime.records import STRENGTHS, Preference
from tests.factories import UserFactory, make_cast, open_comparisons

MESSAGES = [{"role": "user", "content": "Why?"}]
COMPLETIONS = [
    JudgedCompletion(1, "Because.", "old", "eos", False, "Be brief."),
    JudgedCompletion(2, "No.", "new", "length", True, ""),
]


def answer(number=1, chosen=1, strength="better", source="person", **more):
    preference = Preference(chosen, 3 - chosen, strength)
    return Answer(number, f"rater {number}", source, [preference], [], **more)


def judged(*answers, **more):
    values = {
        "comparison": 7,
        "iteration": 1,
        "prompt": 5,
        "item": "why",
        "split": "train",
        "fold": "policy",
        "strategy": "random",
        "messages": MESSAGES,
        "completions": COMPLETIONS,
        "answers": list(answers),
    }
    return Judged(**{**values, **more})


def rows(*comparisons, **options):
    counts = Counter()
    found = list(trl.rows(comparisons, Options(**options), counts))
    return found, counts


def test_a_row_is_what_trl_takes_with_where_it_came_from():
    [row], counts = rows(judged(answer()))
    assert set(row) == set(trl.columns(Options()))
    assert row["prompt"] == MESSAGES
    assert row["chosen"] == [{"role": "assistant", "content": "Because."}]
    assert row["rejected"] == [{"role": "assistant", "content": "No."}]
    assert (row["strength"], row["source"], row["labels"]) == ("better", "person", 1)
    assert (row["chosen_checkpoint"], row["rejected_checkpoint"]) == ("old", "new")
    assert (row["chosen_finish_reason"], row["rejected_finish_reason"]) == ("eos", "length")
    assert (row["on_policy"], row["system_prompt"]) == (False, "Be brief.")
    assert counts == {"rows": 1, "rows held out": 0}


def test_there_is_no_margin_unless_asked_for():
    assert "margin" not in trl.columns(Options())
    assert "margin" not in rows(judged(answer()))[0][0]
    for name, expected in {"small": [1, 2 / 3, 1 / 3, 0], "large": [3, 2, 1, 0]}.items():
        comparisons = [judged(answer(strength=strength)) for strength in STRENGTHS]
        assert [row["margin"] for row in rows(*comparisons, margin=name)[0]] == expected
    assert rows(judged(answer(strength=None)), margin="large")[0][0]["margin"] == 0.0


def test_one_row_a_comparison_by_majority_and_the_rest_is_counted():
    tie = Answer(9, "t", "person", [], [[1, 2]])
    found, counts = rows(
        judged(answer(1), answer(2), answer(3, chosen=2)),
        judged(answer(1), answer(2, chosen=2)),
        judged(tie),
        judged(answer(1), flags=["unsafe"]),
        judged(answer(1, counted=False, late=True)),
        judged(answer(1, source="simulated")),
        sources=("person",),
    )
    assert [(row["labels"], row["chosen_id"]) for row in found] == [(3, 1)]
    assert counts == {
        "rows": 1,
        "rows held out": 0,
        "no majority": 1,
        "tied": 1,
        "flagged": 1,
        "late": 1,
        OTHER_SOURCE: 1,
    }


def test_per_label_has_a_row_for_each_label_in_force():
    tie = Answer(9, "t", "person", [], [[1, 2]])
    late = answer(2, chosen=2, counted=False, late=True)
    found, counts = rows(judged(answer(1), late, tie, flags=["broken"]), per_label=True)
    assert [row["chosen_id"] for row in found] == [1, 2]
    assert [(row["label"], row["late"], row["counted"]) for row in found] == [
        (1, False, True),
        (2, True, False),
    ]
    assert found[0]["rater"] == "rater 1"
    assert found[0]["flags"] == ["broken"]
    assert counts["tied"] == 1
    assert set(found[0]) == set(trl.columns(Options(per_label=True)))


def test_a_split_can_be_chosen_and_held_out_rows_are_counted():
    both = (judged(answer()), judged(answer(), split="heldout"))
    assert rows(*both)[1]["rows held out"] == 1
    found, counts = rows(*both, split="train")
    assert [row["split"] for row in found] == ["train"]
    assert counts["in the other split"] == 1


@pytest.mark.parametrize("name", exports.EXPORTS)
def test_the_example_is_a_row_of_the_format(name):
    module = exports.load(name)
    example = [json.loads(line) for line in module.EXAMPLE.splitlines()]
    assert list(example[0]) == list(module.columns(module.Options()))


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_both_kinds_of_file_hold_the_same_rows(tmp_path, suffix):
    comparisons = [judged(answer(i), comparison=i) for i in range(2500)]
    found, _ = rows(*comparisons, margin="small", per_label=True)
    columns = trl.columns(Options(margin="small", per_label=True))
    path = tmp_path / f"out{suffix}"
    assert files.write(iter(found), columns, path) == 2500
    if suffix == ".parquet":
        back = pq.read_table(path).to_pylist()
        assert pq.ParquetFile(path).num_row_groups == 3
    else:
        back = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert back == found
    assert list(back[0]) == list(columns)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    path.write_text("older")

    def breaking():
        yield from rows(judged(answer()))[0]
        raise RuntimeError("read failed")

    with pytest.raises(RuntimeError):
        files.write(breaking(), trl.columns(Options()), path)
    with pytest.raises(files.Empty):
        files.write([], trl.columns(Options()), path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "older"


def rated(rater, campaign):
    assignment = leases.claim_next(rater=rater, campaign=campaign)
    return labels.record_label(
        assignment=assignment,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
    )


def export(*arguments):
    out, err = StringIO(), StringIO()
    call_command("export", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.mark.django_db
def test_the_command_writes_peoples_labels_and_tells_what_it_left_out(tmp_path):
    cast = make_cast()
    open_comparisons(cast.campaign, 4)
    first = rated(cast.rater, cast.campaign)
    rated(UserFactory(kind="simulated"), cast.campaign)
    flagged = rated(cast.rater, cast.campaign)
    labels.flag(assignment=flagged.assignment, code="broken")
    rated(cast.rater, cast.campaign)
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    path = tmp_path / "out.jsonl"
    out, err = export("helpful", "--format", "trl", "--out", path)
    assert out == f"Wrote 1 rows to {path}.\n"
    assert "1 flagged" in err
    assert f"1 {OTHER_SOURCE}" in err
    assert "1 superseded answers" in err
    [row] = [json.loads(line) for line in path.read_text().splitlines()]
    assert row["comparison"] == first.comparison_id
    assert row["chosen_id"] == first.answer["parts"]["preference"]["chosen"]
    assert AuditEvent.objects.get(verb="exported").data["rows"] == 1
    assert export("helpful", "--out", path, "--source", "all")[0].startswith("Wrote 2 rows")


@pytest.mark.django_db
def test_the_training_direction_turns_the_pair(tmp_path):
    cast = make_cast(trains_on="rejected")
    open_comparisons(cast.campaign, 1)
    label = rated(cast.rater, cast.campaign)
    export("helpful", "--out", tmp_path / "out.jsonl")
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert row["rejected_id"] == label.answer["parts"]["preference"]["chosen"]


@pytest.mark.django_db
def test_only_simulated_labels_is_said_in_one_sentence_and_nothing_is_written(tmp_path):
    cast = make_cast()
    open_comparisons(cast.campaign, 1)
    rated(UserFactory(kind="simulated"), cast.campaign)
    with pytest.raises(CommandError, match="no labels by people, only by others"):
        export("helpful", "--out", tmp_path / "out.jsonl")
    assert not list(tmp_path.iterdir())
    assert export("helpful", "--out", tmp_path / "a.jsonl", "--source", "simulated")[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nobody", "--out", "x.jsonl"], "There is no campaign named nobody."),
        (["helpful", "--out", "x.jsonl"], "Helpfulness has no preference to export."),
        (["helpful", "--out", "x.csv"], "x.csv must end in .jsonl or .parquet."),
        (["helpful", "--out", "absent/x.jsonl"], "cannot be written: No such file or directory."),
        (["helpful", "--out", "x.jsonl", "--iteration", "8"], "helpful has no iteration 8."),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    make_cast()
    with pytest.raises(CommandError) as error:
        export(*arguments)
    assert sentence in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.django_db
def test_the_agreement_command_speaks_to_people_and_to_programs(tmp_path):
    cast = make_cast()
    open_comparisons(cast.campaign, 2, overlap=2)
    out = StringIO()
    call_command("agreement", "helpful", stdout=out)
    assert out.getvalue() == "No comparison of Helpfulness was judged twice by people yet.\n"
    for rater in (cast.rater, cast.other_rater):
        for _ in range(2):
            rated(rater, cast.campaign)
    out = StringIO()
    call_command("agreement", "helpful", "--json", stdout=out)
    data = json.loads(out.getvalue())
    assert (data["source"], data["comparisons"], data["raters"]) == ("person", 2, 2)
    assert data["all"]["n"] == data["directed"]["n"] == 2
    assert data["quality"]["measures"][0]["twice"] == 2
    out = StringIO()
    call_command("agreement", "helpful", stdout=out)
    assert "2 comparisons judged by two or more of 2 raters (people)" in out.getvalue()
    assert "preference: 4 judgements on 2 items, 2 of them by two or more" in out.getvalue()
