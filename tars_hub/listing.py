"""Which pictures are meant by the files and folders a person names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tars_hub.errors import UsageError
from tars_hub.preprocess import is_picture_name


def find_pictures(named: Sequence[Path]) -> list[Path]:
    """Files as named, whatever they are called; of folders, all files with a picture's ending, sorted.

    Raises:
        UsageError: a folder holds no pictures.
    """
    return [path for entry in named for path in _within(entry)]


def _within(entry: Path) -> Iterable[Path]:
    if not entry.is_dir():
        return [entry]
    found = sorted(path for path in entry.rglob("*") if is_picture_name(path) and not path.is_dir())
    if not found:
        raise UsageError(f"{entry} holds no pictures")
    return found
