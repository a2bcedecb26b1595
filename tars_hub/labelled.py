"""Labelled pictures: a folder of folders, one per class. Files are found here, not opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tars_hub.errors import DataError
from tars_hub.preprocess import is_picture_name

_SHOWN = 3  # names in a note
_NOTEBOOKS = frozenset({"__pycache__", "__MACOSX"})


@dataclass(frozen=True)
class LabelledFolder:
    """What was found.

    Attributes:
        path: the folder.
        pictures: class name to its files, both sorted as torchvision sorts them; no class is empty.
        empty: folders without a picture.
        passed_over: kinds of what was left out, each to the names of those.
    """

    path: Path
    pictures: dict[str, tuple[Path, ...]]
    empty: tuple[str, ...] = ()
    passed_over: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each kind of oddity."""
        empty = [f"{self.path}: left out, no pictures in them: {_some(self.empty)}"] if self.empty else []
        odd = [f"{self.path}: passed over {kind}: {_some(found)}" for kind, found in self.passed_over.items()]
        return (*empty, *odd)


def find_classes(folder: Path) -> LabelledFolder:
    """The classes of `folder/CLASS/**/*` and their pictures.

    Raises:
        DataError: no such folder, or no pictures in folders named after classes.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it must hold a folder of pictures for each class")
    odd: dict[str, list[str]] = {}
    found: dict[str, tuple[Path, ...]] = {}
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        kind = _oddity(entry)
        if entry.is_dir() and kind is None:
            found[entry.name] = tuple(sorted(_pictures(entry, folder, odd)))
        else:
            odd.setdefault(kind or "files beside the class folders", []).append(entry.name)
    if not any(found.values()):
        raise DataError(
            f"{folder} holds no pictures in folders named after classes, such as {folder / 'cat' / '1.jpg'}"
        )
    return LabelledFolder(
        path=folder,
        pictures={name: paths for name, paths in found.items() if paths},
        empty=tuple(name for name, paths in found.items() if not paths),
        passed_over={kind: tuple(names) for kind, names in odd.items()},
    )


def is_part(folder: Path) -> bool:
    """Whether a folder named train, val or test is a part of the pictures: it holds class folders, and is not one."""
    return folder.is_dir() and any(entry.is_dir() and _oddity(entry) is None for entry in folder.iterdir())


def _pictures(folder: Path, top: Path, odd: dict[str, list[str]]) -> Iterator[Path]:
    entered = {_identity(folder)}
    for place, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        for path in [Path(place, name) for name in folders if Path(place, name).is_symlink()]:
            if _identity(path) in entered:  # a link to what holds it would lead round for ever
                folders.remove(path.name)
            entered.add(_identity(path))
        for path in [Path(place, name) for name in sorted(folders)]:
            if kind := _oddity(path):
                folders.remove(path.name)
                odd.setdefault(kind, []).append(path.relative_to(top).as_posix())
        for path in [Path(place, name) for name in sorted(files)]:
            if is_picture_name(path):
                yield path
            else:
                kind = _oddity(path) or "files that are no pictures"
                odd.setdefault(kind, []).append(path.relative_to(top).as_posix())


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _refuse(error: OSError) -> None:
    """A folder that cannot be listed would silently cost its pictures."""
    raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error


def _oddity(path: Path) -> str | None:
    """What a name says that it is no class and no picture of."""
    if path.name.startswith("."):
        return "hidden files and folders"
    return "folders that programs leave" if path.name in _NOTEBOOKS else None


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
