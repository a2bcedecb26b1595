"""A file that one process has at a time, and whoever dies lets go of."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tars_hub.errors import UsageError

if sys.platform == "win32":
    fcntl = None
else:
    import fcntl

IS_WINDOWS = sys.platform == "win32"
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def opened(path: Path) -> int:
    """The file, which no other process has now. Raises UsageError, OSError."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | _NO_LINKS, 0o666)
        if not _is_locked(file):
            os.close(file)
            raise UsageError(f"another run is writing {path}; wait for it, or choose another file")
        if _still_lies_at(path, file):
            return file
        os.close(file)  # the run that had it has finished meanwhile, and removed it


def _is_locked(file: int) -> bool:
    """Lock it; False where another process has."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _still_lies_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False
