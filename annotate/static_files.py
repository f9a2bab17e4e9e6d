"""Static files under names that hold their sum, and each script with all that it imports in one
file: a browser asks once for a page's scripts, keeps them for good, and never mixes versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

from annotate import joined_scripts

Paths = dict[str, tuple[Any, str]]  # where each file is read: (storage, path in it), by its name


class StaticFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's, which is handed our own scripts joined."""

    def post_process(
        self, paths: Paths, dry_run: bool = False, **options: Any
    ) -> Iterator[tuple[str, str, bool]]:
        joined = {} if dry_run else self._joined(paths)
        yield from super().post_process({**paths, **joined}, dry_run=dry_run, **options)

    def _joined(self, paths: Paths) -> Paths:
        """All of them each time: a script changes with whatever it imports."""
        texts = {name: _text(*paths[name]) for name in paths if name.startswith("js/")}
        for name in texts:
            self.delete(name)
            self._save(name, ContentFile(joined_scripts.join(name, texts).encode()))
        return {name: (self, name) for name in texts}


def _text(storage: Any, path: str) -> str:
    with storage.open(path) as file:
        return str(file.read().decode())
