"""What a person reads of an error: one sentence, without the machine's paths."""

from __future__ import annotations

import pytest

from models_runtime.sentences import failed_import, without_paths


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No such file: '/srv/my data/jobs/7/job.json'", "No such file: 'job.json'"),
        ("cannot read /home/ada/models/policy/config.json.", "cannot read config.json."),
        ("(/usr/lib/python3/trl/__init__.py)", "(__init__.py)"),
        ("from file:///srv/artifacts/9f/model to /tmp/x/", "from model to x"),
        ("--at=/srv/data/jobs", "--at=jobs"),
    ],
)
def test_a_path_is_cut_down_to_its_last_name(text: str, shown: str) -> None:
    assert without_paths(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "The option beta of dpo must lie between 1e-06 and 100, not -1.",
        "mean over 1/C(K,2), and/or both; 3 / 4 of them",
        "ORG/NAME has no weights at https://hub.example/ORG/NAME/tree.",
        "shapes [3, 4] and [4, 3] at 7/8",
    ],
)
def test_what_is_no_path_of_a_machine_stays(text: str) -> None:
    assert without_paths(text) == text


@pytest.mark.parametrize(
    ("line", "absent"),
    [
        ("ModuleNotFoundError: No module named 'trl.trainer'", "trl.trainer"),
        ("ImportError: cannot import name 'DPO' from 'trl' (/usr/lib/trl/__init__.py)", "trl"),
        ("ImportError: /usr/lib/libcuda.so: undefined symbol", "a library"),
    ],
)
def test_a_failed_import_at_the_end_of_a_log_is_a_sentence(line: str, absent: str) -> None:
    assert failed_import(line) == (
        f"The worker could not load {absent}, which the job needs; the log says why."
    )


def test_any_other_last_line_is_none() -> None:
    assert failed_import("RuntimeError: ImportError: of another process") == ""
