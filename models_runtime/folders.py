"""What lies in a folder that somebody else filled: ordinary files, and nothing that leads out."""

from __future__ import annotations

from pathlib import Path


class Outside(ValueError):
    """A path would leave the folder it belongs to."""


def files_in(folder: Path) -> dict[str, Path]:
    """{relative path: path} of every file below folder, sorted.

    Raises Outside on a link that leaves the folder and on what is neither a file nor a folder.
    """
    home = folder.resolve()
    found = sorted(p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())
    files = {path.relative_to(folder).as_posix(): path for path in found}
    for name, path in files.items():
        if not path.resolve().is_relative_to(home):
            raise Outside(f"{name} is a link that leads out of the folder, which is refused.")
        if not path.is_file():
            raise Outside(f"{name} is not an ordinary file, which is refused.")
    return files
