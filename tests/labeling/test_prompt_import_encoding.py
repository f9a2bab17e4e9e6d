"""A prompt file that is not UTF-8 is refused with one sentence for each line; nothing is kept."""

import json

import pytest

from labeling.models import ImportBatch, Prompt, PromptSet
from labeling.prompts import import_prompts
from tests.factories import CampaignFactory
from tests.hostile.texts import TEXTS

pytestmark = pytest.mark.django_db

NOT_UTF8 = {
    "a byte of no character": b"\xff",
    "a continuation alone": b"\x80",
    "a character cut short": b"\xe2\x82",
    "a slash written too long": b"\xc0\xaf",
    "half a surrogate pair": b"\xed\xa0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "Latin-1": "caf\xe9".encode("latin-1"),
    "Windows quotes": "“a”".encode("cp1252"),
    "Shift-JIS": "日本".encode("shift-jis"),
}


def nothing_is_kept() -> bool:
    return not any(rows.objects.exists() for rows in (Prompt, PromptSet, ImportBatch))


@pytest.mark.parametrize("name", NOT_UTF8)
def test_a_line_that_is_not_utf8_is_named_and_nothing_is_imported(tmp_path, name):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b'{"prompt": "a"}\n{"prompt": "' + NOT_UTF8[name] + b'"}\n{"prompt": "b"}\n')
    report = import_prompts(campaign=CampaignFactory(), path=path)
    assert [fault.line for fault in report.errors] == [2]
    assert report.errors[0].sentence.startswith("The line is not UTF-8 text (byte ")
    assert nothing_is_kept()


@pytest.mark.parametrize("name", NOT_UTF8)
def test_a_table_that_is_not_utf8_is_refused(tmp_path, name):
    path = tmp_path / "prompts.csv"
    path.write_bytes(b"prompt\na\n" + NOT_UTF8[name] + b"\nb\n")
    report = import_prompts(campaign=CampaignFactory(), path=path)
    assert [fault.line for fault in report.errors] == [3]
    assert "The line is not UTF-8 text" in report.errors[0].sentence
    assert nothing_is_kept()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_file_of_another_unicode_encoding_is_refused(tmp_path, encoding):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes('{"prompt": "a"}\n'.encode(encoding))
    report = import_prompts(campaign=CampaignFactory(), path=path)
    assert report.errors
    assert nothing_is_kept()


def test_what_the_corpus_holds_is_imported_as_it_is_or_refused_with_a_sentence(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in TEXTS.values()))
    report = import_prompts(campaign=CampaignFactory(), path=path)
    names = [list(TEXTS)[fault.line - 1] for fault in report.errors]
    assert names == [
        "unseen: control characters",
        "unseen: half a surrogate pair",
        "unseen: nothing",
        "unseen: only spaces",
        "out: a null in a name",
    ]
    assert nothing_is_kept()
    refused = set(names)
    kept = {name: text for name, text in TEXTS.items() if name not in refused}
    path.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in kept.values()))
    campaign = CampaignFactory()
    assert import_prompts(campaign=campaign, path=path).counts["new"] == len(kept)
    stored = Prompt.objects.order_by("id").values_list("messages", flat=True)
    assert [messages[0]["content"] for messages in stored] == list(kept.values())
