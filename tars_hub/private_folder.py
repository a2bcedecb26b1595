"""A private folder, for visitors' pictures or their models: there while its owner lives, gone when it ends, however."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def private_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A new folder that only this user may read, removed on leaving.

    A lock beside it says that the owner lives. The system drops the lock of a process that was
    killed, so the next start finds what that one left and removes it.

    Args:
        prefix: of its name; what was left under others' prefixes is theirs.
        parent: without it, the system's folder for temporary files.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    _sweep(parent, prefix)
    folder = parent.resolve() / f"{prefix}{secrets.token_hex(8)}"
    with _lock(folder):  # before the folder is there: another's sweep must not take it
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            _remove(folder)


def _sweep(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        if not _is_own_folder(folder):
            continue
        try:
            with _lock(folder):
                _remove(folder)
        except (Timeout, OSError):
            continue  # its owner lives


def _is_own_folder(path: Path) -> bool:
    if path.is_symlink() or not path.is_dir():
        return False
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()


def _lock(folder: Path) -> FileLock:
    return FileLock(_lock_file(folder), timeout=0, mode=0o600, thread_local=False)  # whoever ends it, ends it


def _lock_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        _lock_file(folder).unlink(missing_ok=True)
