"""A sentence that is stored comes back with what it was made of, so that any language can say it;
what was stored before there were such sentences reads as it did."""

from __future__ import annotations

import pytest

from models_runtime import jobdir, phrases
from models_runtime.jobdir import BadInput
from models_runtime.models import Job, Project
from models_runtime.phrases import Phrase, phrase
from models_runtime.sentences import not_installed, without_paths

LIMIT = phrase("%(n)s of %(what)s, 100 %% sure", n=12345, what=phrase("a list"))


@pytest.fixture
def job(db: None) -> Job:
    return Job.objects.create(project=Project.objects.create(slug="p", name="P"), kind="train")


def kept(job: Job, error: str) -> str:
    job.error = error
    job.save()
    by_update = Job.objects.get(pk=job.pk).error
    Job.objects.filter(pk=job.pk).update(error=error)
    assert by_update == Job.objects.values_list("error", flat=True).get(pk=job.pk)
    assert Job.objects.filter(error=error).exists()
    return by_update


def test_a_column_keeps_a_phrase_with_its_values(job: Job) -> None:
    found = kept(job, LIMIT)
    assert found == "12,345 of a list, 100 % sure"
    assert isinstance(found, Phrase)
    assert (found.message, found.values) == (LIMIT.message, LIMIT.values)
    assert isinstance(found.values["what"], Phrase)


@pytest.mark.parametrize(
    "text",
    [
        "The worker that ran the job disappeared.", "", "100 %", "%(name)s", '{"a": 1}',
        '{"message": ', '{"message": 3}', '{"message": "%(absent)s", "values": {}}',
    ],
)  # fmt: skip
def test_what_is_no_phrase_is_itself(job: Job, text: str) -> None:
    found = kept(job, text)
    assert found == text


@pytest.mark.parametrize("text", ["Old and plain.", "100 %", '{"message": '])
def test_a_row_from_before_still_reads(job: Job, text: str) -> None:
    """As the older version wrote it: past the column."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE models_runtime_job SET error = %s", [text])
    assert Job.objects.get(pk=job.pk).error == text


def test_it_is_cut_to_a_column_only_where_it_must_be() -> None:
    assert phrases.within(LIMIT, 500) is LIMIT
    assert phrases.within(LIMIT, 20) == "12,345 of a list, 10"
    assert phrases.within("plain" * 9, 5) == "plain"


def test_an_error_says_the_phrase_it_was_raised_with() -> None:
    for error in (ValueError(LIMIT), BadInput(LIMIT)):
        assert phrases.of(error) is LIMIT
    assert phrases.of(ValueError("Plain.")) == "Plain."
    assert phrases.of(FileNotFoundError(2, "No such file", "x")) == "[Errno 2] No such file: 'x'"


def test_no_path_of_the_machine_is_in_what_a_phrase_was_filled_with() -> None:
    said = without_paths(phrase("It said: %(said)s", said="/srv/data/x.jsonl is torn"))
    assert isinstance(said, Phrase)
    assert (str(said), said.values) == ("It said: x.jsonl is torn", {"said": "x.jsonl is torn"})


def test_a_child_tells_its_worker_the_phrase(tmp_path) -> None:
    for error, sentence in (
        (MemoryError(), jobdir.OUT_OF_MEMORY),
        (ImportError(name="numpy"), not_installed("numpy")),
        (BadInput(LIMIT), LIMIT),
        (BadInput("Plain."), "Plain."),
    ):
        job = jobdir.JobDir(tmp_path, 1, "")
        job.folder.mkdir(exist_ok=True)
        job.fail(jobdir.explain(error, tmp_path)[1])
        written = (job.folder / "error.json").read_text("utf-8")
        told = jobdir.told(jobdir.json.loads(written))
        assert told == sentence
        assert isinstance(told, Phrase) == isinstance(sentence, Phrase)
        assert str(sentence) in written  # for who reads the folder by hand
