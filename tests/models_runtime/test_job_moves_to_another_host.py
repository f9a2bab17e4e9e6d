"""A job whose host is gone goes on elsewhere, from what that host had put into the artefact store:
a worker with a job folder of its own takes over, and nothing that was finished is done again."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import fsspec
import pytest
from django.utils import timezone

from models_runtime import artifacts, attempts, handover, jobs
from models_runtime.models import Job
from tests.models_runtime.processes import Workers, child_in, is_alive, wait_for

Submit = Callable[..., Job]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


@pytest.fixture(autouse=True, params=["file", "local"])
def where(
    request: pytest.FixtureRequest,
    store: None,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A store on this disk, and one behind an address: the second is copied to, as a bucket is."""
    monkeypatch.setenv("FSSPEC_LOCAL_AUTO_MKDIR", "1")  # for the workers, and for this process:
    monkeypatch.setitem(fsspec.config.conf, "local", {"auto_mkdir": True})
    settings.ARTIFACTS_URI = f"{request.param}://{tmp_path}/artifacts"
    settings.JOB_LEASE_SECONDS = 2
    scheme: str = request.param
    return scheme


@pytest.fixture
def lose_host(workers: Workers, settings: Any, tmp_path: Path) -> Callable[[Job], Path]:
    """Run a job until the store has progress of it, then kill its worker; this process is then
    another host, whose job folder is empty. The value is what the first one had."""

    def lose(job: Job) -> Path:
        first = jobs.folder(job)
        worker = workers.start("execute", str(job.pk))
        wait_for(lambda: _has_progress(job))
        child = child_in(first)
        worker.kill()
        worker.wait()
        wait_for(lambda: not is_alive(child), 5)
        settings.JOBS_DIR = tmp_path / "another host"
        assert jobs.sweep() == [job.pk]
        return first

    return lose


def _has_progress(job: Job) -> bool:
    """In one look: a job that is still waiting has no attempt without progress either."""
    return Job.objects.filter(pk=job.pk, state="running", attempts_without_progress=0).exists()


def go_on(job: Job) -> str:
    Job.objects.filter(pk=job.pk).update(not_before=None)
    state = jobs.execute(job.pk)
    job.refresh_from_db()
    return state


def stored(job: Job) -> list[str]:
    return artifacts.files_below(f"{handover.HOME}/{job.dir}")


def steps_of(job: Job, attempt: int) -> list[int]:
    lines = (jobs.folder(job) / f"attempt-{attempt}" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def test_another_host_goes_on_from_the_checkpoint_in_the_store(
    submit: Submit, lose_host: Callable[[Job], Path]
) -> None:
    job = submit(steps=30, seconds=0.1, checkpoint_every=4)
    lose_host(job)
    job.refresh_from_db()
    assert (job.state, job.attempts_without_progress) == ("queued", 0)
    assert not jobs.folder(job).exists()

    assert go_on(job) == "succeeded"

    assert (job.result["sum"], job.attempt) == (465, 2)
    first = steps_of(job, 2)[0]
    assert first > 1
    assert first % 4 == 1  # the step after a checkpoint
    assert [row["step"] for row in jobs.metrics(job)] == list(range(1, 31))


def test_only_the_newest_checkpoint_is_kept(submit: Submit) -> None:
    job = submit(steps=9, seconds=0.2, crash_at=8, misbehaves=1)
    assert jobs.execute(job.pk) == "queued"
    kept = {name.rpartition("/")[0] for name in stored(job)}
    assert kept == {"attempt-1/checkpoints/step-8"}


def test_what_is_torn_or_wrong_in_the_store_is_passed_over(
    submit: Submit,
    lose_host: Callable[[Job], Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = submit(steps=12, seconds=0.1)
    lose_host(job)
    for state in (tmp_path / "artifacts" / "progress" / job.dir).rglob("state.json"):
        text = state.read_text()
        state.unlink()
        state.write_text(text.replace('"sum": ', '"sum": 9'))

    assert go_on(job) == "succeeded"

    assert (job.result["sum"], job.attempt) == (78, 2)
    assert steps_of(job, 2)[0] == 1
    assert [record for record in caplog.messages if "is passed over" in record]


def test_half_a_copy_is_not_taken_for_a_checkpoint(
    submit: Submit, lose_host: Callable[[Job], Path], tmp_path: Path
) -> None:
    job = submit(steps=12, seconds=0.1)
    lose_host(job)
    for marker in (tmp_path / "artifacts" / "progress" / job.dir).rglob(artifacts.MARKER):
        marker.unlink()
    assert go_on(job) == "succeeded"
    assert steps_of(job, 2)[0] == 1


def test_a_copy_on_this_disk_is_not_fetched_again(
    submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(steps=4, exit_at=3)
    assert jobs.execute(job.pk) == "queued"
    fetched: list[str] = []
    monkeypatch.setattr(artifacts, "fetch_to", lambda uri, *_: fetched.append(uri))
    assert go_on(job) == "succeeded"
    assert fetched == []


def test_attempts_that_leave_nothing_in_the_store_are_counted(
    submit: Submit, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of one host is no progress of a job that any host may take."""
    monkeypatch.setattr(handover.Handover, "_put_checkpoint", lambda *_: None)
    job = submit(steps=2, exit_at=2, misbehaves=9)
    assert go_on(job) == "queued"
    assert job.attempts_without_progress == 1


def test_a_store_that_is_away_ends_nothing(
    submit: Submit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OSError("the network is down")

    monkeypatch.setattr(handover.Handover, "_put_checkpoint", away)
    job = submit(steps=5, seconds=0.1)
    assert go_on(job) == "succeeded"
    told = [text for text in caplog.messages if "could not be stored" in text]
    assert len(told) == 1  # not at every beat


def test_a_slow_store_holds_up_no_heartbeat(
    submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[float] = []
    put, beat = handover.Handover._put_checkpoint, attempts.Attempt.beat

    def put_slowly(self: handover.Handover, folder: Path) -> None:
        time.sleep(1.5)
        put(self, folder)

    def beat_and_tell(self: attempts.Attempt) -> bool:
        beats.append(time.monotonic())
        return beat(self)

    monkeypatch.setattr(handover.Handover, "_put_checkpoint", put_slowly)
    monkeypatch.setattr(attempts.Attempt, "beat", beat_and_tell)
    job = submit(steps=20, seconds=0.1, exit_at=20)
    assert go_on(job) == "queued"
    assert max(after - before for before, after in pairwise(beats)) < 1
    assert stored(job)


def test_a_checkpoint_pruned_while_it_is_copied_arrives_whole(
    submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = artifacts.put_files

    def put_late(files: dict[str, Path], *rest: Any, **options: Any) -> Any:
        for checkpoint in jobs.folder(job).glob("attempt-1/checkpoints/step-*"):
            shutil.rmtree(checkpoint)
        return put(files, *rest, **options)

    monkeypatch.setattr(artifacts, "put_files", put_late)
    job = submit(steps=2, exit_at=2, checkpoint_every=2)
    assert go_on(job) == "queued"
    assert go_on(job) == "succeeded"
    assert steps_of(job, 1) == [1, 2]
    assert not (
        jobs.folder(job) / "attempt-2" / "metrics.jsonl"
    ).exists()  # nothing was left to do


def test_stored_progress_is_deleted_a_lease_after_the_job(submit: Submit) -> None:
    job = submit(steps=5, seconds=0.1, exit_at=4)
    assert go_on(job) == "queued"
    assert go_on(job) == "succeeded"
    assert stored(job)
    assert jobs.forget_progress() == []
    assert jobs.forget_progress(now=timezone.now() + timedelta(seconds=3)) == [job.pk]
    assert stored(job) == []
    assert jobs.forget_progress(now=timezone.now() + timedelta(seconds=9)) == []


@pytest.mark.parametrize("state", ["queued", "failed", "stopped"])
def test_progress_of_a_job_that_can_go_on_is_kept(submit: Submit, state: str) -> None:
    job = submit(steps=2, exit_at=2)
    go_on(job)
    Job.objects.filter(pk=job.pk).update(state=state, finished_at=timezone.now())
    assert jobs.forget_progress(now=timezone.now() + timedelta(days=1)) == []
    assert stored(job)


def test_cancelled_jobs_leave_nothing(submit: Submit) -> None:
    job = submit(steps=2, exit_at=2)
    go_on(job)
    jobs.cancel(job)
    jobs.forget_progress(now=timezone.now() + timedelta(seconds=3))
    assert stored(job) == []


def test_checkpoints_on_the_stores_own_disk_take_no_second_place(
    submit: Submit, where: str, tmp_path: Path
) -> None:
    job = submit(steps=2, exit_at=2)
    go_on(job)
    local = jobs.folder(job) / "attempt-1/checkpoints/step-2/state.json"
    copy = tmp_path / "artifacts/progress" / job.dir / "attempt-1/checkpoints/step-2/state.json"
    assert local.samefile(copy) == (where == "file")
    shutil.rmtree(jobs.folder(job))
    assert copy.is_file()
