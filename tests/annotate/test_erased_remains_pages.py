"""Whoever erases a rater is told what still holds their words, and so is whoever looks at that."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.test import Client

from labeling import snapshots
from models_runtime import jobs
from models_runtime.models import AuditEvent
from tests.factories import make_cast
from tests.labeling.test_erased_remains import EDIT, SECRET, edited, job, rate


def test_the_command_names_them_and_their_pages_warn(
    client: Client, db: None, settings: Any, tmp_path: Path
) -> None:
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()
    cast = make_cast(parts=EDIT)
    rate(cast, cast.rater, edited(SECRET))
    iteration = cast.campaign.iterations.get()
    iteration.snapshot = snapshots.freeze(campaign=cast.campaign)
    iteration.state = "training"
    iteration.save()
    given = job(cast, jobs.input_of_snapshot("snapshot", iteration.snapshot))
    client.force_login(cast.researcher)
    pages = {
        f"/snapshots/{iteration.snapshot_id}/": "Holds texts of somebody who was erased.",
        "/campaigns/helpful/1/": "holds texts of somebody who was erased",
        "/campaigns/helpful/1/runs/dpo/": "hold texts of somebody who was erased.",
    }
    assert not any(said in client.get(page).content.decode() for page, said in pages.items())

    told = [erased(cast.rater.username)]
    cast.rater.refresh_from_db()
    told.append(erased(cast.rater.username))
    for text in told:  # whoever asks again is told again
        assert f"snapshot {iteration.snapshot.sha256} of helpful" in text
        assert f"job {given.pk} (train) in /" in text
        assert "backups made before now" in text
    for page, said in pages.items():
        assert said in client.get(page).content.decode()
    assert AuditEvent.objects.filter(verb="snapshot holds erased texts").count() == 1


def erased(name: str) -> str:
    told = StringIO()
    call_command("erase_rater", name, yes=True, stdout=told)
    return told.getvalue()
