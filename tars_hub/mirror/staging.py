"""Where files wait until all of a revision are there: a folder for each copy, files named by what they hold."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout
from huggingface_hub import constants

from tars_hub.errors import UsageError
from tars_hub.files import replacing
from tars_hub.mirror.content import File, Names, total
from tars_hub.mirror.reading import Source
from tars_hub.mirror.transfer import fetch

_FOLDER = "tars-mirror"
_SPARE = 1 << 26  # bytes of disk left over


@dataclass(frozen=True)
class Staged:
    """A file that is here, whole and verified."""

    path: Path
    names: Names


@dataclass(frozen=True)
class Staging:
    """The folder of one copy; what an earlier process left in it is gone on with."""

    folder: Path

    def held(self, files: Iterable[File]) -> int:
        """Bytes of these that are here already."""
        return sum(min(path.stat().st_size, file.size) for file in files if (path := self._part(file)).exists())

    def stage(self, source: Source, files: Iterable[File], on_bytes: Callable[[int], object]) -> dict[str, Staged]:
        """Fetch these files, or the rest of them; what is here, by key.

        Raises:
            DownloadError, UsageError, ModelNotFoundError, OSError: as far as it came it stays.
        """
        files = tuple(files)
        self._check_room(files)
        staged = {}
        for file in files:
            url = f"{source.hub.address}/{source.wanted.repo}/resolve/{source.sha}/{quote(file.path)}"
            with source.hub.asked(str(source.wanted)):
                names = fetch(url, self._part(file), file, token=source.hub.token, on_bytes=on_bytes)
            staged[file.key] = Staged(self._part(file), names)
        return staged

    def _part(self, file: File) -> Path:
        return self.folder / f"{file.key}.part"

    def _check_room(self, files: Iterable[File]) -> None:
        wanted = total(files) - self.held(files)
        free = shutil.disk_usage(self.folder).free
        if wanted and wanted + _SPARE > free:
            raise UsageError(f"{self.folder}: {wanted:,} bytes are to come, and the disk has {free:,}")


def held(source: Source, into: str, files: Iterable[File]) -> int:
    """Bytes of these files that an earlier process left here."""
    return Staging(_root() / _name(source, into)).held(files)


@contextmanager
def staging(source: Source, into: str) -> Iterator[Staging]:
    """The folder of a copy, for this process alone; it goes when the block ends well.

    Args:
        into: what the target is called.

    Raises:
        UsageError: another process is at it.
    """
    root = _root()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = _name(source, into)
    lock = FileLock(root / f"{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise UsageError(f"{source.wanted.repo} is being copied by another `tars mirror`; wait for it") from error
    try:
        folder = root / name
        folder.mkdir(exist_ok=True, mode=0o700)  # private models wait here too
        yield Staging(folder)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def known() -> dict[str, str]:
    """SHA-256 → git's blob id of contents that one hub counted as large and another as small."""
    try:
        lines = (_root() / "known").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return {}
    return {words[0]: words[1] for line in lines if len(words := line.split()) == 2}


def remember(seen: Iterable[Names]) -> None:
    """Add to what `known` gives."""
    more = {names.sha256: names.blob for names in seen}
    if more:
        with replacing(_root() / "known", encoding="ascii") as stream:
            stream.writelines(f"{sha256} {blob}\n" for sha256, blob in (known() | more).items())


def _name(source: Source, into: str) -> str:
    return hashlib.sha256(f"{source.hub.address}\n{source.wanted.repo}\n{into}".encode()).hexdigest()[:32]


def _root() -> Path:
    return Path(constants.HF_HOME) / _FOLDER
