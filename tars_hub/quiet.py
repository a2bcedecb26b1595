"""OpenCV, imported in this one place, and a way to keep it and the C libraries under it off the terminal.

libpng and libjpeg print about damaged files through C's `stderr`. Pointing file descriptor 2 elsewhere would silence
them too, but also swallow what other threads write meanwhile; swapping the C library's own `stderr` variable leaves the
descriptor and Python's sys.stderr alone, and loses only what C code prints. OpenCV's log has a level of its own.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from tars_hub.errors import TarsError

try:
    import cv2
except ImportError as error:
    raise TarsError(
        f"OpenCV cannot be imported ({error}); `apt-get install libgl1 libglib2.0-0` or "
        "`pip install opencv-python-headless` helps"
    ) from error

__all__ = ["cv2", "quiet"]

_log = cv2.utils.logging


class _Hush:
    """Counts who wants silence: the first in brings it about, the last out ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._stderr: int | None = None  # the FILE* to put back
        self._log_level: int | None = None

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._begin()

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._end()

    def reset(self) -> None:
        """Make a new lock and end the silence: in a forked child, the threads that would have are gone."""
        self._lock = threading.Lock()
        if self._inside:
            self._inside = 0
            self._end()

    def _begin(self) -> None:
        self._log_level = _log.getLogLevel()
        _log.setLogLevel(_log.LOG_LEVEL_SILENT)
        variable = _c_stderr()
        if variable is not None and _null_file() is not None:
            self._stderr, variable.value = variable.value, _null_file()

    def _end(self) -> None:
        if self._log_level is not None:
            _log.setLogLevel(self._log_level)
        variable = _c_stderr()
        if variable is not None and self._stderr is not None:
            variable.value = self._stderr


_HUSH = _Hush()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep OpenCV, libpng, libjpeg and their like silent; for any number of threads at once."""
    _at_fork()
    _HUSH.enter()
    try:
        yield
    finally:
        _HUSH.leave()


@cache
def _at_fork() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_HUSH.reset)


@cache
def _c_stderr() -> ctypes.c_void_p | None:
    """The C library's variable; None on Windows, and with musl, where it lies in read-only memory."""
    name = "__stderrp" if sys.platform == "darwin" else "stderr"
    try:
        library = ctypes.CDLL(None)
        if sys.platform != "darwin":
            library.gnu_get_libc_version  # noqa: B018  # only glibc has it
        return ctypes.c_void_p.in_dll(library, name)
    except (AttributeError, OSError, TypeError, ValueError):
        return None


@cache
def _null_file() -> int | None:
    """A FILE* that forgets what is written to it; never closed, since a thread may still be writing to it."""
    fopen = ctypes.CDLL(None).fopen
    fopen.restype = ctypes.c_void_p
    file: int | None = fopen(os.devnull.encode(), b"w")
    return file
