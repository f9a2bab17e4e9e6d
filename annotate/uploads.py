"""A file that somebody sent, on disk for as long as it is read."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.core.files.uploadedfile import UploadedFile


@contextlib.contextmanager
def on_disk(upload: UploadedFile, stem: str) -> Iterator[tuple[Path, str]]:
    """Its path, whose suffix is the sender's and whose name is not, and the sender's name."""
    name = Path(upload.name or stem).name
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{stem}{Path(name).suffix.lower()}"
        with path.open("wb") as handle:
            shutil.copyfileobj(upload, handle, 1 << 20)
        yield path, name
