"""Files to take away: an export that trains as it is, and what a snapshot froze."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotate import access, language
from annotate.access import SignedInRequest
from labeling import exports, snapshots
from labeling.exports import files
from labeling.judgements import SOURCES
from labeling.models import Campaign, Snapshot, User
from models_runtime import artifacts, audit

SPLITS = ("train", "heldout", "reserved")
TYPES = {"jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet"}


@never_cache
@require_safe
@access.signed_in
def export(request: SignedInRequest, slug: str, source: str, suffix: str) -> HttpResponseBase:
    """The campaign's preferences as they are now, in TRL's format. source: person or all;
    ?split= one of the splits alone."""
    campaign = access.campaign_for_staff(request.user, slug)
    try:
        handle = _exported(request, campaign, source, suffix)
    except files.Empty:
        said = _("There is no preference by people yet.")
        messages.info(request, said if source == "person" else _("There is no preference yet."))
        return redirect("campaign", slug=slug)
    name = f"{slug}-{source}.{suffix}"
    return FileResponse(handle, as_attachment=True, filename=name, content_type=TYPES[suffix])


@never_cache
@require_safe
@access.signed_in
def snapshot_file(request: SignedInRequest, pk: int, name: str) -> HttpResponseBase:
    """One file of a snapshot, as it was frozen."""
    snapshot = access.snapshot_for_staff(request.user, pk)
    if name not in snapshot.manifest:
        raise Http404
    return file_of(snapshot, name, request.user)


def file_of(snapshot: Snapshot, name: str, actor: User) -> HttpResponseBase:
    """What is in its manifest under this name; 410 with a sentence where the store lost it."""
    try:
        handle = artifacts.open_file(snapshot.uri, name)
    except artifacts.Damaged as error:
        return HttpResponse(
            language.said_by(error), status=410, content_type="text/plain; charset=utf-8"
        )
    audit.record(verb="snapshot downloaded", obj=snapshot, actor=actor, data={"file": name})
    filename = f"{snapshot.campaign.slug}-{snapshot.sha256[:12]}-{name}"
    return FileResponse(handle, as_attachment=True, filename=filename)


def _exported(request: SignedInRequest, campaign: Campaign, source: str, suffix: str) -> BinaryIO:
    """An open file without a name: it is gone when the response ends, whatever happens."""
    module, counts = exports.load("trl"), Counter[str]()
    split = request.GET.get("split", "all")
    split = split if split in SPLITS else "all"
    options = module.Options(sources=SOURCES if source == "all" else (source,), split=split)
    with tempfile.TemporaryDirectory(prefix="export-") as scratch:
        path = Path(scratch) / f"export.{suffix}"
        with snapshots.consistent_read():
            rows = module.rows(snapshots.judged(campaign), options, counts)
            files.write(rows, module.columns(options), path)
        handle = os.fdopen(os.open(path, os.O_RDONLY), "rb")
    data = {"format": "trl", "source": source, "split": split, **counts}
    audit.record(verb="exported", obj=campaign, actor=request.user, data=data)
    return handle
