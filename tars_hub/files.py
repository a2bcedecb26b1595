"""Write files and folders so that a crash leaves the old or the new, never a mixture.

Everything is written under a temporary name beside its target, flushed to disk, and put in place
by one rename. Knows nothing of models.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

if sys.platform == "win32":
    fcntl = None
else:
    import fcntl

T = TypeVar("T")
_READS = 20  # tries against somebody who saves without a pause
_CLOSED_S = 60.0  # longer than any file that is done waits to be renamed
_OLD_SUFFIX = "-old"
_TOP = PurePosixPath()
_SWAP_FLAG = 2  # RENAME_EXCHANGE of Linux's renameat2 and RENAME_SWAP of macOS's renamex_np


@contextlib.contextmanager
def replacing(path: Path, mode: str = "w", **open_options: Any) -> Iterator[IO[Any]]:  # noqa: ANN401  # open()'s own
    """Open a file for writing that takes `path`'s place only when the block ends well.

    What processes that died while they wrote this file left beside it is removed.
    """
    remove_abandoned(path)
    temporary, stream = _opened_for(path, mode, **open_options)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            if fcntl is not None:
                temporary.replace(path)  # still open, and so still locked
        if fcntl is None:  # Windows renames no open file
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_abandoned(path: Path) -> None:
    """Remove the unfinished files that dead processes left of `path`; those of living ones stay."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}")
    with contextlib.suppress(OSError):  # no such folder, or one that may not be read
        for entry in [entry for entry in path.parent.iterdir() if name.fullmatch(entry.name)]:
            with contextlib.suppress(OSError):
                _remove_if_abandoned(entry)


def _remove_if_abandoned(file: Path) -> None:
    if file.is_symlink() or not file.is_file():
        return
    if fcntl is None:
        # Windows refuses while it is open; a living writer closes it for the moment before it is renamed.
        if time.time() - file.stat().st_mtime > _CLOSED_S:
            file.unlink()
        return
    with file.open("r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.unlink()


def _opened_for(path: Path, mode: str, **open_options: Any) -> tuple[Path, IO[Any]]:  # noqa: ANN401
    """A new file beside `path`, locked for as long as it is open."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            stream = temporary.open(mode, **open_options)
        except OSError as error:
            error.filename = str(path)  # the name that a person gave and knows
            raise
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a file system without locks: nothing gets cleaned up there
                fcntl.flock(stream, fcntl.LOCK_EX)
        if temporary.exists():
            return temporary, stream
        stream.close()  # somebody took it for abandoned before it was locked


def replace_folder(folder: Path, write: Callable[[Path], None], *, remove: Collection[str] = ()) -> None:
    """Make `folder` hold what `write(fresh_folder)` writes, all of it at once.

    What the folder held besides stays, in sub-folders that `write` makes too. If `write` fails or the
    process dies, the folder is as it was; what a dead process left beside it is removed by the next call.

    A folder that cannot be renamed as a whole (a mount point, or one that holds one; the working
    folder of this process; a parent that takes no new entries) gets its files renamed one by one
    instead: those of sub-folders first, then the others by name, and what is to go goes last.

    Args:
        remove: what else goes, where it is there and `write` does not write it anew: paths within the
            folder with forward slashes, such as "training/state.safetensors".
    """
    gone = {PurePosixPath(name) for name in remove}
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    whole = _can_be_swapped(folder)
    home = folder.parent if whole else folder
    prefix = f".{folder.name}.saving-"
    with _locked(home, wait=True):
        _clean_up(folder, home, prefix)
        staging = home / f"{prefix}{secrets.token_hex(4)}"
        staging.mkdir()
        lock = contextlib.ExitStack()
        lock.enter_context(_locked(staging))
    with lock:
        try:
            write(staging)
            flush_tree(staging)
            with _locked(home, wait=True):
                if whole:
                    _put_in_place(staging, folder, gone)
                else:
                    _move_files(staging, folder, gone)
            _flush(home)
        finally:
            shutil.rmtree(staging, ignore_errors=True)  # after a swap this is the old folder


def tidy(folder: Path) -> None:
    """Remove what processes that died while they replaced `folder` left beside or in it."""
    folder = folder.resolve()
    for home in (folder.parent, folder):
        with contextlib.suppress(OSError), _locked(home, wait=True):
            _clean_up(folder, home, f".{folder.name}.saving-")


def read_together(paths: Sequence[Path], read: Callable[[], T]) -> T:
    """What `read` makes of these files, all from one save: where another came between, it reads again."""
    for _ in range(_READS - 1):
        before = [_identity(path) for path in paths]
        try:
            found = read()
        except Exception:
            if before == [_identity(path) for path in paths]:
                raise
        else:
            if before == [_identity(path) for path in paths]:
                return found
    return read()


def _identity(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _can_be_swapped(folder: Path) -> bool:
    if not folder.exists():
        return True
    working = Path.cwd()
    if folder == working or folder in working.parents or not os.access(folder.parent, os.W_OK):
        return False
    return not any(Path(inner).is_mount() for inner, _, _ in os.walk(folder))


def _put_in_place(staging: Path, folder: Path, gone: Collection[PurePosixPath]) -> None:
    if not folder.exists():
        staging.rename(folder)
        return
    _carry_over(folder, staging, gone)
    _swap(staging, folder)


def _carry_over(old: Path, fresh: Path, gone: Collection[PurePosixPath], place: PurePosixPath = _TOP) -> None:
    """Put into `fresh` what `old` holds besides; `place` is where in the whole folder they lie."""
    for entry in old.iterdir():
        target, here = fresh / entry.name, place / entry.name
        if here in gone:
            continue
        if not os.path.lexists(target):
            _copy(entry, target, gone, here)
        elif _is_folder(entry) and _is_folder(target):
            _carry_over(entry, target, gone, here)
    _flush(fresh)
    shutil.copymode(old, fresh)


def _copy(entry: Path, target: Path, gone: Collection[PurePosixPath], place: PurePosixPath) -> None:
    if not _is_folder(entry):
        _link(entry, target)
        return
    target.mkdir()
    for inner in entry.iterdir():
        if place / inner.name not in gone:
            _copy(inner, target / inner.name, gone, place / inner.name)
    shutil.copystat(entry, target)


def _link(source: Path, target: Path) -> None:
    """The same content under a second name: a hard link where the file system has them."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _is_folder(path: Path) -> bool:
    """A folder of its own; a link to one is as good as a file here."""
    return path.is_dir() and not path.is_symlink()


def _swap(fresh: Path, folder: Path) -> None:
    if _swap_at_once(fresh, folder):
        return
    # No atomic swap on this system: for the moment between two renames the folder has another name.
    aside = fresh.with_name(fresh.name + _OLD_SUFFIX)
    folder.rename(aside)
    try:
        fresh.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    aside.rename(fresh)


def _swap_at_once(first: Path, second: Path) -> bool:
    """Exchange two folders in one system call; False where the system has none."""
    a, b = os.fsencode(first), os.fsencode(second)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            return bool(libc.renamex_np(a, b, ctypes.c_uint(_SWAP_FLAG)) == 0)
        here = -100  # AT_FDCWD
        return bool(libc.renameat2(here, a, here, b, ctypes.c_uint(_SWAP_FLAG)) == 0)
    except (AttributeError, OSError, TypeError):
        return False


def _move_files(staging: Path, folder: Path, gone: Collection[PurePosixPath]) -> None:
    stale = [place for place in gone if not os.path.lexists(staging / place)]
    _merge(staging, folder)
    for place in stale:  # last: until here the old may still be wanted
        _remove(folder, place)


def _merge(fresh: Path, folder: Path) -> None:
    """Move files one by one; config.json, the card and all in sub-folders come before model.safetensors."""
    for entry in sorted(fresh.iterdir(), key=lambda entry: (not _is_folder(entry), entry.name)):
        target = folder / entry.name
        if os.path.lexists(target) and _is_folder(target) != _is_folder(entry):
            shutil.move(target, fresh / secrets.token_hex(8))  # goes with the staging folder
        if _is_folder(entry):
            target.mkdir(exist_ok=True)
            _merge(entry, target)
        else:
            _move(entry, target)
    _flush(folder)


def _move(file: Path, target: Path) -> None:
    try:
        file.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with file.open("rb") as source, replacing(target, "wb") as copy:  # a sub-folder on another disk
            shutil.copyfileobj(source, copy)


def _remove(folder: Path, place: PurePosixPath) -> None:
    path = folder / place
    if path.parent.resolve() != path.parent or folder not in path.parents:
        return  # a link, or "..", leads out of the folder
    if _is_folder(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def flush_tree(folder: Path) -> None:
    for entry in folder.rglob("*"):
        if entry.is_file() or _is_folder(entry):
            _flush(entry)
    _flush(folder)


def _flush(path: Path) -> None:
    if path.is_dir() and sys.platform == "win32":
        return  # Windows cannot open a folder to flush it
    handle = os.open(path, os.O_RDONLY if sys.platform != "win32" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock that the system itself lets go when this process dies."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: nothing gets cleaned up there
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def _clean_up(folder: Path, home: Path, prefix: str) -> None:
    """Remove what dead processes left; where one died between two renames, the old folder comes back."""
    for entry in [entry for entry in home.iterdir() if entry.name.startswith(prefix)]:
        if entry.is_symlink() or not entry.is_dir() or not _is_abandoned(entry):
            continue
        if entry.name.endswith(_OLD_SUFFIX) and not folder.exists():
            entry.rename(folder)
        else:
            shutil.rmtree(entry, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Whether no living process holds its lock; without locks that cannot be told, and nothing is removed."""
    if fcntl is None:
        return False
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # somebody else's
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
