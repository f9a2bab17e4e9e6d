"""The sample job: every prompt once, whole shards only, and a kill that leaves no trace."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models_runtime import sample
from models_runtime.jobdir import BadInput, JobDir, is_complete
from models_runtime.records import CompletionRecord, SampleConfig, Sampler, read_jsonl
from tests.models_runtime.tiny import DEMO_POLICY, make_job, run_entry, start_entry, world_prompts

MODULE = "models_runtime.sample"
HOT = Sampler("policy", k=3, temperature=1.1, max_new_tokens=40, seed=3)
CONFIG = SampleConfig(
    samplers=[HOT, replace(HOT, k=2, temperature=0.7)], shard_size=4, embed_with="policy"
)


def job_for(root: Path, config: object = CONFIG, prompts: int = 24) -> Path:
    return make_job(root, config, policy=DEMO_POLICY, prompts=world_prompts(prompts))


def completions(job: Path, attempt: int = 1) -> list[CompletionRecord]:
    path = job / f"attempt-{attempt}/output/completions.jsonl"
    return list(read_jsonl(path, CompletionRecord))


def wait_for_shards(job: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(list((job / "attempt-1/shards").glob("*.jsonl"))) < count:
        assert time.monotonic() < deadline, "the job wrote no shard in a minute"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A job that ran through undisturbed."""
    job = job_for(tmp_path_factory.mktemp("sample") / "job")
    assert run_entry(MODULE, job) == (0, "")
    return job


def test_every_prompt_is_sampled_k_times_by_every_sampler(whole):
    seen = Counter((row.prompt_id, row.sampler, row.index) for row in completions(whole))
    wanted = {(p, s, i) for p in range(24) for s, k in ((0, 3), (1, 2)) for i in range(k)}
    assert set(seen) == wanted
    assert set(seen.values()) == {1}


def test_the_two_samplers_draw_differently(whole):
    texts = {(row.prompt_id, row.sampler, row.index): row.text for row in completions(whole)}
    same = sum(texts[p, 0, i] == texts[p, 1, i] for p in range(24) for i in range(2))
    assert same < 24


def test_the_output_is_whole_and_readable_by_others(whole):
    output = whole / "attempt-1/output"
    assert is_complete(output)
    assert {path.stat().st_mode & 0o777 for path in output.iterdir()} <= {0o644, 0o600, 0o664}
    assert (output / "completions.jsonl").stat().st_mode & 0o044


def test_identical_texts_share_an_embedding_and_all_have_one(whole):
    rows = completions(whole)
    vectors = np.load(whole / "attempt-1/output/embeddings.npy")
    place = {row.text: row.embedding_row for row in rows}
    assert all(row.embedding_row == place[row.text] for row in rows)
    assert sorted(place.values()) == list(range(len(vectors)))
    assert vectors.dtype == np.float32


def test_the_result_counts_what_the_file_holds(whole):
    result = json.loads((whole / "attempt-1/result.json").read_text("utf-8"))
    rows = completions(whole)
    assert result["completions"] == len(rows) == 120
    assert result["tokens"] == sum(row.token_count for row in rows)
    assert result["truncated"] == sum(row.finish_reason == "length" for row in rows)
    assert result["duplicates"] == 120 - len({(row.prompt_id, row.text) for row in rows})
    assert len(result["checkpoints"]["policy"]["template_sha256"]) == 64


def test_progress_and_metrics_are_reported(whole):
    progress = json.loads((whole / "attempt-1/progress.json").read_text("utf-8"))
    assert progress["done"] == progress["total"]
    lines = (whole / "attempt-1/metrics.jsonl").read_text("utf-8").splitlines()
    metrics = [json.loads(line) for line in lines]
    assert [row["step"] for row in metrics] == list(range(12))
    assert sum(row["completions"] for row in metrics) == 120


@pytest.mark.long
def test_killed_and_resumed_gives_the_same_bytes(whole, tmp_path):
    job = job_for(tmp_path / "job")
    child = start_entry(MODULE, job)
    wait_for_shards(job, 3)
    child.kill()
    assert child.wait(30) == -signal.SIGKILL
    kept = {path.name for path in (job / "attempt-1/shards").glob("*.jsonl")}
    assert 3 <= len(kept) < 12
    assert not (job / "attempt-1/result.json").exists()
    assert run_entry(MODULE, job)[0] == 0
    again = {path.name for path in (job / "attempt-2/shards").glob("*.jsonl")}
    assert not kept & again
    assert len(kept | again) == 12
    for name in ("completions.jsonl", "embeddings.npy"):
        resumed = (job / "attempt-2/output" / name).read_bytes()
        assert resumed == (whole / "attempt-1/output" / name).read_bytes()


def test_sigterm_stops_between_batches_to_be_queued_again(tmp_path):
    job = job_for(tmp_path / "job")
    child = start_entry(MODULE, job)
    wait_for_shards(job, 1)
    child.terminate()
    assert child.wait(30) == 75
    assert not (job / "attempt-1/result.json").exists()
    assert not (job / "attempt-1/error.json").exists()


def test_a_torn_shard_is_sampled_again(whole, tmp_path):
    job = job_for(tmp_path / "job")
    lines = (whole / "attempt-1/shards/00000.jsonl").read_text("utf-8").splitlines(True)
    (job / "attempt-1/shards").mkdir(parents=True)
    (job / "attempt-1/shards/00000.jsonl").write_text("".join(lines[:-1]), "utf-8")
    assert run_entry(MODULE, job)[0] == 0
    assert completions(job, 2) == completions(whole)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"samplers": []}, "A sample job needs at least one sampler, each with k of 1 or more."),
        ({"sampler": 1}, "The sample job's configuration is not valid"),
        (SampleConfig([replace(HOT, checkpoint="other")]), "The job has no input named other."),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, config, sentence):
    job = JobDir.open(str(job_for(tmp_path / "job", config, prompts=2)))
    with pytest.raises(BadInput, match=sentence):
        sample.main(job)
    assert not job.output.exists()


def test_a_prompt_that_appears_twice_is_refused():
    prompt = world_prompts(1)[0]
    with pytest.raises(BadInput, match="appears twice"):
        sample.plan(CONFIG, [prompt, prompt])
