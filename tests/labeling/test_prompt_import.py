"""A prompt file is imported whole, or not at all with the line and what is wrong with it."""

import json
from io import StringIO
from itertools import islice
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labeling import imports, prompts
from labeling.imports import shapes
from labeling.imports.shapes import BadRow, split_of
from labeling.models import ImportBatch, Prompt, PromptSet
from labeling.prompts import import_prompts
from models_runtime.models import AuditEvent
from tests.factories import CampaignFactory, PromptFactory, PromptSetFactory

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return CampaignFactory(slug="helpful")


def written(tmp_path, *lines, name="prompts.jsonl"):
    path = tmp_path / name
    texts = [line if isinstance(line, str | bytes) else json.dumps(line) for line in lines]
    raw = [text.encode() if isinstance(text, str) else text for text in texts]
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path


def imported(campaign):
    return Prompt.objects.filter(prompt_set__campaign=campaign).order_by("id")


def test_the_demo_world_takes_no_other_prompts(campaign, tmp_path):
    """Its utility knows its own items only, so that any other would break the evaluation."""
    campaign.demo_world = True
    campaign.save()
    with pytest.raises(ValueError, match="knows its own prompts only"):
        import_prompts(campaign=campaign, path=written(tmp_path, {"prompt": "Mine?"}))
    assert imported(campaign).count() == 0


def test_every_form_of_prompt_becomes_messages(campaign, tmp_path):
    path = written(
        tmp_path,
        {"prompt": "One?"},
        {"prompt": [{"role": "user", "content": "Two?"}]},
        {"instruction": "Shorten.", "input": "A long text."},
        {"instruction": "Three?", "input": "", "system": "Be brief."},
        {"turns": ["Four?", "And then?"]},
        {
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": "c"},
            ]
        },
    )
    assert import_prompts(campaign=campaign, path=path).counts["new"] == 6
    found = [[m["content"] for m in p.messages] for p in imported(campaign)]
    assert found[:5] == [
        ["One?"],
        ["Two?"],
        ["Shorten.\n\nA long text."],
        ["Be brief.", "Three?"],
        ["Four?"],
    ]
    assert found[5] == ["a", "b", "c"]
    assert imported(campaign)[4].follow_ups == ["And then?"]


def test_what_a_row_says_about_itself_is_kept(campaign, tmp_path):
    row = {"prompt": "p", "id": 81, "category": "writing", "tags": "a, b", "label": "safe"}
    more = {"language": "en", "author": "a7", "source": "book", "split": "Validation"}
    import_prompts(campaign=campaign, path=written(tmp_path, {**row, **more, "odd": 1}))
    prompt = imported(campaign).get()
    assert (prompt.source, prompt.category, prompt.tags) == (
        "book#81",
        "writing",
        ["a", "b", "safe"],
    )
    assert (prompt.language, prompt.author, prompt.split) == ("en", "a7", "heldout")
    assert prompt.item == "a7"


def test_a_csv_file_is_read_with_quotes_semicolons_and_a_byte_order_mark(campaign, tmp_path):
    text = '\ufeffPrompt;Type\r\n"Line one\r\nline two";x\r\nSecond;y'
    report = import_prompts(campaign=campaign, path=written(tmp_path, text, name="p.csv"))
    assert report.counts["new"] == 2
    first = imported(campaign)[0]
    assert first.messages[0]["content"] == "Line one\r\nline two"
    assert (first.category, first.source) == ("x", "p.csv")


def test_the_examples_of_the_formats_can_be_imported(campaign, tmp_path):
    for suffix in imports.IMPORTS:
        path = tmp_path / f"example{suffix}"
        path.write_text(imports.load(path).EXAMPLE, encoding="utf-8")
        assert import_prompts(campaign=campaign, path=path, dry_run=True).ok


BAD = [
    ("{", "This is not JSON: Expecting property name"),
    ("[1]", "The line holds no JSON object"),
    ('{"prompt": NaN}', "NaN is not JSON"),
    ('{"prompt": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    ('{"prompt": ' + "9" * 5_000 + "}", "This is not JSON that can be read"),
    (b'{"prompt": "\xff"}', "The line is not UTF-8 text (byte 13)."),
    ('{"prompt": "a\\u0000b"}', "The prompt holds a NUL character."),
    ('{"prompt": "\\ud800"}', "The prompt holds half of a surrogate pair"),
    ('{"prompt": "' + "a" * 1_000_001 + '"}', "The line is longer than 1,000,000 bytes."),
    ('{"prompt": "' + "a" * 100_001 + '"}', "The prompt is longer than 100,000 characters."),
    ('{"prompt": 1e400}', "prompt must be text or a list of messages."),
    ('{"prompt": {}}', "prompt must be text or a list of messages."),
    ('{"prompt": "  "}', "The prompt is empty."),
    ('{"text": "hello"}', "There is no prompt"),
    ('{"prompt": "a", "instruction": "b"}', "Give one of prompt and instruction, not both."),
    ('{"messages": []}', "messages must be a list of messages."),
    ('{"messages": [1]}', "Message 1 must have role and content"),
    ('{"messages": [{"role": "tool", "content": "x"}]}', "Message 1 has a role other than"),
    ('{"messages": [{"role": "user", "content": null}]}', "Message 1 must be text."),
    ('{"messages": [{"role": "assistant", "content": "x"}]}', "the user begins"),
    ('{"messages": [{"role": "system", "content": "x"}]}', "must end with the user's turn"),
    ('{"turns": []}', "turns must be a list of texts."),
    ('{"turns": ["a", 2]}', "Each of turns must be text."),
    ('{"instruction": "a", "instances": 3}', "instances must be a list of objects."),
    ('{"prompt": "a", "tags": {"b": 1}}', "tags must be a list of texts."),
    ('{"prompt": "a", "category": 7}', "category must be text."),
    ('{"prompt": "a", "language": "far too long a name"}', "language is longer than 12"),
    ('{"prompt": "a", "split": "training"}', "split must be train or heldout."),
]


@pytest.mark.parametrize(("line", "sentence"), BAD)
def test_a_bad_line_is_named_and_nothing_is_imported(campaign, tmp_path, line, sentence):
    path = written(tmp_path, {"prompt": "fine"}, "", line, {"prompt": "fine too"})
    report = import_prompts(campaign=campaign, path=path)
    assert [problem.line for problem in report.errors] == [3]
    assert sentence in report.errors[0].sentence
    assert not Prompt.objects.exists()
    assert not PromptSet.objects.exists()
    assert not ImportBatch.objects.exists()


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("question\na", 1, "The header names no column prompt or instruction."),
        ("prompt,prompt\na,b", 1, "The header names prompt twice."),
        ("prompt,tags\na", 2, "The row has 1 cells, but the header names 2."),
        ('prompt\n"never closed\na\nb', 4, "This is not CSV"),
        ('prompt\n"' + "a" * 200_001 + '"', 2, "This is not CSV: field larger than"),
        (b"prompt\nok\n\xe9t\xe9", 3, "The line is not UTF-8 text (byte 1). Reading stopped"),
        ("prompt\na\0b", 2, "The prompt holds a NUL character."),
    ],
)
def test_a_bad_csv_file_is_named_with_its_line(campaign, tmp_path, text, line, sentence):
    report = import_prompts(campaign=campaign, path=written(tmp_path, text, name="p.csv"))
    assert (report.errors[0].line, len(report.errors)) == (line, 1)
    assert sentence in report.errors[0].sentence
    assert not Prompt.objects.exists()


def test_every_fault_is_counted_and_the_first_fifty_shown(campaign, tmp_path):
    report = import_prompts(campaign=campaign, path=written(tmp_path, *["{"] * 80))
    assert (report.counts["errors"], len(report.errors)) == (80, 50)


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.csv"])
def test_an_empty_file_says_so(campaign, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    report = import_prompts(campaign=campaign, path=path)
    assert str(report.errors[0]) == "The file holds no prompts."


def test_equal_conversations_are_imported_once(campaign, tmp_path):
    path = written(tmp_path, {"prompt": "a"}, {"prompt": "a", "id": "again"}, {"prompt": "b"})
    report = import_prompts(campaign=campaign, path=path)
    assert (report.counts["new"], report.counts["duplicates"]) == (2, 1)
    again = import_prompts(campaign=campaign, path=path)
    assert (again.counts["new"], again.counts["known"]) == (0, 2)
    assert again.prompt_set is None
    assert imported(campaign).count() == 2
    assert PromptSet.objects.count() == 1


def test_the_split_is_by_item_and_the_same_everywhere(campaign, tmp_path):
    rows = [{"prompt": f"phrasing {i}", "item": f"fact {i // 3}"} for i in range(600)]
    report = import_prompts(campaign=campaign, path=written(tmp_path, *rows))
    by_item = {}
    for prompt in imported(campaign):
        assert by_item.setdefault(prompt.item, prompt.split) == prompt.split
    assert report.counts["heldout"] == 3 * list(by_item.values()).count("heldout")
    assert report.counts["train"] + report.counts["heldout"] == 600
    share = sum(split_of(str(i)) == "heldout" for i in range(20_000)) / 20_000
    assert share == pytest.approx(0.15, abs=0.01)
    assert [split_of("fact 1"), split_of("fact 6"), split_of("a")] == ["train", "heldout", "train"]


def test_an_item_cannot_be_on_both_sides_of_the_split(campaign, tmp_path):
    rows = [
        {"prompt": "a", "item": "x", "split": "train"},
        {"prompt": "b", "item": "x", "split": "test"},
    ]
    report = import_prompts(campaign=campaign, path=written(tmp_path, *rows))
    assert str(report.errors[0]) == "Line 2: Its item is heldout here but train on line 1."
    PromptFactory(prompt_set__campaign=campaign, item="x", split="heldout")
    report = import_prompts(campaign=campaign, path=written(tmp_path, rows[0]))
    assert str(report.errors[0]) == "Line 1: Its item is heldout in the campaign already."


def test_several_instances_of_one_instruction_are_one_item(campaign, tmp_path):
    row = {"instruction": "Sort.", "instances": [{"input": "b a"}, {"input": "d c"}]}
    import_prompts(campaign=campaign, path=written(tmp_path, row))
    first, second = imported(campaign)
    assert first.item == second.item
    assert first.messages != second.messages


def test_a_dry_run_counts_and_writes_nothing(campaign, tmp_path):
    report = import_prompts(
        campaign=campaign, path=written(tmp_path, {"prompt": "a"}), dry_run=True
    )
    assert report.counts["new"] == 1
    assert not Prompt.objects.exists()


def test_an_import_that_dies_half_way_leaves_nothing(campaign, tmp_path, monkeypatch):
    path = written(tmp_path, *[{"prompt": f"{i}"} for i in range(12)])
    monkeypatch.setattr(prompts, "CHUNK", 5)
    real = prompts._insert

    def torn(prompt_set, values, batch):
        real(prompt_set, islice(values, 8), batch)
        assert Prompt.objects.count() == 8
        raise OSError("the disk went away")

    monkeypatch.setattr(prompts, "_insert", torn)
    with pytest.raises(OSError, match="went away"):
        import_prompts(campaign=campaign, path=path)
    assert not Prompt.objects.exists()
    assert not PromptSet.objects.exists()
    assert ImportBatch.objects.get().state == "discarded"


def test_an_import_that_was_killed_is_invisible_and_cleared_by_the_next(campaign, tmp_path):
    long_ago = "2020-01-01T00:00:00Z"
    batch = ImportBatch.objects.create(
        project=campaign.project, kind="prompts", source_name="x", created_at=long_ago
    )
    staged = PromptSetFactory(campaign=None, project=campaign.project)
    PromptFactory(prompt_set=staged, import_batch=batch)
    assert not imported(campaign).exists()
    import_prompts(campaign=campaign, path=written(tmp_path, {"prompt": "a"}))
    batch.refresh_from_db()
    assert batch.state == "discarded"
    assert not PromptSet.objects.filter(pk=staged.pk).exists()


def test_the_import_is_recorded(campaign, tmp_path):
    report = import_prompts(campaign=campaign, path=written(tmp_path, {"prompt": "a"}))
    batch = ImportBatch.objects.get()
    assert (batch.state, batch.counts["new"], len(batch.source_sha256)) == ("live", 1, 64)
    event = AuditEvent.objects.get(verb="prompts imported")
    assert event.object_id == str(report.prompt_set.pk)


def run(*arguments):
    out, err = StringIO(), StringIO()
    call_command("import_prompts", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_tells_what_it_did(campaign, tmp_path):
    path = written(tmp_path, {"prompt": "a", "note": "x"}, {"prompt": "a"})
    out, _ = run(str(path), "--campaign", "helpful")
    assert out.startswith("Imported 1 prompts of 2 rows:")
    assert "1 twice in the file" in out
    assert "Passed over: note." in out


@pytest.mark.parametrize(
    ("name", "slug", "sentence"),
    [
        ("prompts.jsonl", "nobody", "There is no campaign named nobody."),
        ("absent.jsonl", "helpful", "absent.jsonl cannot be read: No such file or directory."),
        ("prompts.parquet", "helpful", "its name must end in .csv or .jsonl."),
        ("prompts.jsonl", "helpful", "Nothing was imported: prompts.jsonl has 1 fault."),
    ],
)
def test_the_command_ends_with_one_sentence(campaign, tmp_path, name, slug, sentence):
    written(tmp_path, "{")
    with pytest.raises(CommandError) as error:
        run(str(tmp_path / name), "--campaign", slug)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("selfinstruct_user_oriented_instructions.jsonl", 252),
        ("selfinstruct_seed_tasks.jsonl", 175),
        ("mtbench_question.jsonl", 80),
        ("xstest_prompts.csv", 450),
    ],
)
def test_the_real_files_give_their_known_counts(campaign, name, count):
    if not (DATA / name).is_file():
        pytest.skip(f"{DATA / name} is absent: the import of real prompts was not tried")
    report = import_prompts(campaign=campaign, path=DATA / name)
    assert report.errors == []
    assert report.counts["new"] == imported(campaign).count() == count
    assert report.counts["train"] + report.counts["heldout"] == count
    tags = [prompt.tags for prompt in imported(campaign)]
    if name.startswith("xstest"):
        assert (tags.count(["safe"]), tags.count(["unsafe"])) == (250, 200)
    if name.startswith("mtbench"):
        assert all(len(prompt.follow_ups) == 1 for prompt in imported(campaign))
        assert len(set(imported(campaign).values_list("category", flat=True))) == 8


def test_a_row_is_refused_with_a_sentence_of_its_own():
    with pytest.raises(BadRow, match="User and assistant must take turns"):
        shapes.prompts({"messages": [{"role": "user", "content": "a"}] * 2})


def test_raw_rows_can_be_added_to_a_set_by_hand(campaign):
    prompt_set = PromptSetFactory(campaign=campaign)
    rows = [{"prompt": "a"}, {"turns": ["b", "c"]}, {"prompt": "a", "item": "again"}]
    assert prompts.add_prompts(prompt_set, rows) == 2
    assert prompts.add_prompts(prompt_set, rows) == 0
    with pytest.raises(BadRow, match="There is no prompt"):
        prompts.add_prompts(prompt_set, [{}])
