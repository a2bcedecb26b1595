"""Blobs as files in a folder, safe against kill -9 and power cuts.

    root/file/ab/cd/abcd…   root/xorb/…   root/part/…   root/incoming/<random>

A blob is written into incoming/, flushed to disk, linked under its name, and then the folder that got the name is
flushed: so whatever is found under a name is whole, and what seal() has returned for stays.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import IO, get_args

from tars_hub.server.blobs.interface import Key, Kind

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_READ_BYTES = 1 << 30  # the most that one read asks for; Linux gives no more than 2 GiB at once


class LocalBlobs:
    """A BlobStore in a folder, made where there is none.

    Several processes may use it at once. Only one that knows itself alone may call `sweep`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        # By the first four digits of a name, whether the names of its two folders are known to be on disk.
        self._flushed = {kind: bytearray(1 << 16) for kind in get_args(Kind)}
        root.parent.mkdir(parents=True, exist_ok=True)
        for folder in (root, self._incoming, *(root / kind for kind in get_args(Kind))):
            _make(folder)

    @contextlib.contextmanager
    def writing(self) -> Iterator[LocalWriting]:
        """Begin a blob. What is not sealed when the block ends leaves nothing behind."""
        path = self._incoming / secrets.token_hex(16)
        try:
            with _new(path) as stream:
                yield LocalWriting(self, path, stream)
        finally:
            path.unlink(missing_ok=True)

    def open(self, key: Key) -> LocalReading:
        """Open a blob to read it. Raises KeyError."""
        try:
            return LocalReading(self._path(key).open("rb", buffering=0))
        except FileNotFoundError:
            raise KeyError(key) from None

    def size(self, key: Key) -> int | None:
        """Its size in bytes, None where there is none."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, key: Key) -> None:
        """Remove a blob; one that is not there is as good as removed."""
        self._path(key).unlink(missing_ok=True)

    def withdraw(self, key: Key) -> Callable[[], None]:
        """Take a blob's name from it, in no time; what is returned removes the file.

        Whoever dies between the two leaves it for `sweep`.
        """
        nameless = self._incoming / secrets.token_hex(16)
        with contextlib.suppress(FileNotFoundError):
            self._path(key).replace(nameless)
        return lambda: nameless.unlink(missing_ok=True)

    def keys(self, kind: Kind) -> Iterator[Key]:
        """All there are, in the order of their names; one folder's names are held at a time."""
        for first in _names(self._root / kind):
            for second in _names(self._root / kind / first):
                for name in _names(self._root / kind / first / second):
                    with contextlib.suppress(ValueError):  # not ours
                        yield Key(kind, name)

    def age_s(self, key: Key) -> float:
        """Seconds since it was sealed, or somebody last sealed the same. Raises KeyError."""
        try:
            return max(0.0, time.time() - self._path(key).stat().st_mtime)
        except FileNotFoundError:
            raise KeyError(key) from None

    def sweep(self) -> None:
        """Remove what dead processes left unsealed; the caller knows that nobody else is writing."""
        for name in _names(self._incoming):
            (self._incoming / name).unlink(missing_ok=True)

    @property
    def _incoming(self) -> Path:
        return self._root / "incoming"

    def _path(self, key: Key) -> Path:
        """Where a blob lies: two levels of folders keep each of them small. Key has checked the name."""
        return self._root / key.kind / key.name[:2] / key.name[2:4] / key.name

    def _put(self, fresh: Path, key: Key) -> bool:
        """Give a file that is flushed its name; False where that name has a file of the same size."""
        target = self._path(key)
        self._make_folders(key)
        done = _linked(fresh, target)
        if not done and self.size(key) != fresh.stat().st_size:
            fresh.replace(target)  # what lies there was damaged: nothing is ever changed on purpose
            done = True
        if not done:
            # Whoever asks for blobs long unused, to remove them, must see that this one was wanted just now.
            with contextlib.suppress(FileNotFoundError):
                os.utime(target)
        flush_folder(target.parent)  # also for what was there: its writer may not have come this far yet
        return done

    def _make_folders(self, key: Key) -> None:
        folder = self._path(key).parent
        flushed, at = self._flushed[key.kind], int(key.name[:4], 16)
        for each in (folder.parent, folder):
            _make(each, flushed=bool(flushed[at]))
        flushed[at] = True


class LocalWriting:
    """A blob on its way in; bytes go straight to the file, so a full disk is noticed where it is met."""

    def __init__(self, blobs: LocalBlobs, path: Path, stream: IO[bytes]) -> None:
        self._blobs = blobs
        self._path = path
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises OSError, such as for a full disk."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.write(rest) :]

    def seal(self, key: Key) -> bool:
        """Make it durable and readable; False where it was there already, and the new bytes are dropped."""
        handle = self._stream.fileno()  # ValueError where it is sealed already
        os.utime(self._path)  # the age counts from here, however long the bytes took
        os.fsync(handle)
        self._stream.close()  # Windows renames no open file
        return self._blobs._put(self._path, key)


class LocalReading:
    """An open blob. Close it when no thread reads any more."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lock = Lock()
        self.size = os.fstat(stream.fileno()).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end."""
        parts: list[bytes] = []
        while length > 0 and (part := self._piece(offset, min(length, _READ_BYTES))):
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()

    if sys.platform == "win32":

        def _piece(self, offset: int, length: int) -> bytes:
            with self._lock:  # it has no pread: where it reads belongs to the file, not to the thread
                self._stream.seek(offset)
                return self._stream.read(length)

    else:

        def _piece(self, offset: int, length: int) -> bytes:
            return os.pread(self._stream.fileno(), length, offset)


def _make(folder: Path, *, flushed: bool = False) -> None:
    """Make a folder that outlasts a power cut.

    Args:
        flushed: if it is there, its name is known to be on disk; else another thread may just have made it.
    """
    try:
        folder.mkdir(_FOLDER_MODE)
    except FileExistsError:
        if flushed:
            return
    flush_folder(folder.parent)


def _new(path: Path) -> IO[bytes]:
    def private(name: str, flags: int) -> int:
        return os.open(name, flags, _FILE_MODE)

    return open(path, "xb", buffering=0, opener=private)  # Path.open has no opener


def _linked(fresh: Path, target: Path) -> bool:
    """Give a file its name in one step; False where that name is taken."""
    try:
        target.hardlink_to(fresh)  # fails where a rename would replace: of many who seal at once, one wins
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if target.exists():
            return False
        fresh.replace(target)
    return True


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def flush_folder(folder: Path) -> None:
    """Have the names in a folder outlast a power cut."""
    if sys.platform == "win32":
        return  # it cannot open a folder to flush it
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
