"""Which pictures are meant by the files and folders a person names."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tars_hub.errors import UsageError
from tars_hub.preprocess import is_picture_name

_HELD_NAMES = 50_000  # of one folder; a larger one is looked through several times rather than held


def find_pictures(named: Sequence[Path]) -> list[Path]:
    """Files as named, whatever they are called; of folders, all files with a picture's ending, sorted.

    Raises:
        UsageError: a folder holds no pictures.
    """
    return [Path(name) for entry in named for name in pictures_of(entry)]


def pictures_of(entry: Path) -> Iterator[str]:
    """A file as named; of a folder as `walk`, and so one at a time.

    Raises:
        UsageError: the folder holds no pictures.
    """
    if not entry.is_dir():
        yield str(entry)
        return
    found = walk(entry)
    first = next(found, None)
    if first is None:
        raise UsageError(f"{entry} holds no pictures")
    yield first
    yield from found


def walk(folder: Path, *, with_unreadable: bool = False) -> Iterator[str]:
    """All files below with a picture's ending, in the order of their names within each folder.

    One name at a time, however many there are. Links to folders are not followed.

    Args:
        with_unreadable: of a folder that cannot be read comes its own name; without, nothing.
    """
    open_folders = [_entries(str(folder) if folder != Path() else "", with_unreadable)]
    while open_folders:
        for path, is_folder in open_folders[-1]:
            if is_folder:
                open_folders.append(_entries(path, with_unreadable))
                break
            yield path
        else:
            open_folders.pop()


def _entries(folder: str, with_unreadable: bool) -> Iterator[tuple[str, bool]]:
    """Sub-folders and pictures of one folder by name, and whether each is a folder."""
    last = ""
    try:
        while found := _entries_after(folder, last):
            yield from ((os.path.join(folder, name), is_folder) for name, is_folder in found)  # noqa: PTH118
            if len(found) < _HELD_NAMES:
                return
            last = found[-1][0]
    except OSError:
        if with_unreadable:
            yield folder or os.curdir, False


def _entries_after(folder: str, last: str) -> list[tuple[str, bool]]:
    with os.scandir(folder or os.curdir) as entries:
        later = ((entry.name, _is_folder(entry)) for entry in entries if entry.name > last and _is_wanted(entry))
        return heapq.nsmallest(_HELD_NAMES, later)


def _is_wanted(entry: os.DirEntry[str]) -> bool:
    if _is_folder(entry):
        return True
    return is_picture_name(entry.name) and not (entry.is_symlink() and _leads_to_folder(entry))


def _leads_to_folder(link: os.DirEntry[str]) -> bool:
    return os.path.isdir(link)  # noqa: PTH112  # False for one that leads nowhere, or round


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
