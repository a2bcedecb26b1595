"""Answers on the disk as they come, so that a run that was killed goes on where it stopped.

The file lies beside the table, as `OUT.part`, and is text. Its first line says what the answers depend on; then comes
a line for each file, in order: `[name, stamp, reason]` of one that was not read, otherwise
`[name, stamp, declined, [[class, probability], …]]`. Lines are only ever added at the end; after a crash the last may
be torn, and counts for nothing. Probabilities stand there as exactly as they came, so that the table is the same
whether a run was killed or not.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

from tars_hub.answers import alone
from tars_hub.answers.answered import FileAnswer
from tars_hub.answers.asking import Asked, Stamp, stamp_of
from tars_hub.config import shown
from tars_hub.errors import PictureError, UsageError
from tars_hub.predict import Prediction

SUFFIX = ".part"
_START = b'{"answers of": "tars predict", '  # of every journal
_FORMAT = 1  # of what is written here; to be raised where answers change, too
_MAX_HEADER_BYTES = 1 << 16
_MAX_NAME_BYTES = 1 << 20
_BYTES_PER_CLASS = 64
_AT_ONCE, _EVERY_S = 256, 0.5  # answers and seconds that a killed run loses at most


@dataclass(frozen=True)
class Line:
    """An answer as it stands in the journal, and where its line ends."""

    asked: Asked
    end: int


@dataclass(frozen=True)
class GoingOn:
    """Where a run goes on.

    Attributes:
        kept: answers that stay.
        names: those of the others.
        changed: the first name that is not as it was; None where none is.
    """

    kept: int
    names: Iterator[str]
    changed: str | None


class Journal:
    """The open journal of one table; one process has it at a time.

    Attributes:
        path: where it lies.
    """

    def __init__(self, table: Path) -> None:
        """Open or create it.

        Raises:
            UsageError: another run has it, or something else lies there.
            OSError: it cannot be written; the error names the table.
        """
        self.path = table.with_name(table.name + SUFFIX)
        self._classes: tuple[str, ...] = ()
        self._positions: dict[str, int] = {}
        self._pending: list[bytes] = []
        self._is_done = False
        self._flushed = time.monotonic()
        try:
            self._file = alone.opened(self.path)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _foreign(self.path) from error
            error.filename = str(table)  # the name that a person gave and knows
            raise
        try:
            self._start = self._checked_start()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """What has come stays; where nothing has, nothing is left."""
        try:
            self.flush()
        finally:
            is_needed = self._holds_answers() and not self._is_done
            if not is_needed and not alone.IS_WINDOWS:
                self.path.unlink(missing_ok=True)  # while it is locked, and so nobody else's
            os.close(self._file)
            if not is_needed and alone.IS_WINDOWS:
                self.path.unlink(missing_ok=True)  # Windows removes no open file

    def begin(self, wanted: Mapping[str, Any], classes: Sequence[str], *, restart: bool) -> None:
        """Go on with what is held where it depends on the same, and otherwise begin anew if nothing is lost by it.

        Args:
            wanted: what the answers depend on, as JSON holds it.
            restart: begin anew in any case.

        Raises:
            UsageError: it holds answers that depend on something else; the message says on what.
        """
        self._classes = tuple(classes)
        self._positions = {name: index for index, name in enumerate(classes)}
        wanted = {"format": _FORMAT, **wanted}
        if self._holds_answers() and not restart:
            held = _parsed(self._start)
            differing = [key for key in wanted if held.get(key) != wanted[key]]
            if differing:
                raise UsageError(_of_others(self.path, _difference(differing[0], held, wanted)))
            return
        self._start = _START + json.dumps(wanted).encode()[1:] + b"\n"
        os.ftruncate(self._file, 0)
        self._write(self._start)

    def lines(self) -> Iterator[Line]:
        """The whole lines it holds on the disk, up to the first that is torn."""
        with os.fdopen(os.dup(self._file), "rb") as stream:
            end = stream.seek(len(self._start))
            limit = _MAX_NAME_BYTES + _BYTES_PER_CLASS * len(self._classes)
            while line := stream.readline(limit):
                asked = self._asked(line)
                if asked is None:
                    return
                end += len(line)
                yield Line(asked, end)

    def go_on(self, names: Iterator[str], group: int) -> GoingOn:
        """What stays of the answers, and the names that are still to be asked about.

        An answer stays while the names come as before and their files are as they were. What stands behind the first
        that is not is dropped: its table would differ from that of a run that was never killed.

        Args:
            group: pictures that are computed together. Of these all stay or none, because the last digits of an
                answer depend on them.

        Raises:
            UsageError: not even the first answer can stay; it is of another run.
        """
        kept, end, since, changed = 0, len(self._start), list[str](), None
        held = self.lines()
        for name in names:
            since.append(name)
            line = next(held, None)
            if line is None:
                break
            if not _is_about(line.asked, name):
                changed = name
                break
            if len(since) == group:
                kept, end, since = kept + group, line.end, []
        if changed is not None and not kept and len(since) == 1:
            raise UsageError(_of_others(self.path, "other pictures"))
        os.ftruncate(self._file, end)
        return GoingOn(kept, chain(since, names), changed)

    def add(self, asked: Asked) -> None:
        """Raises OSError where it cannot be written; what was written before stays."""
        self._pending.append(json.dumps(self._cells(asked), separators=(",", ":")).encode() + b"\n")
        if len(self._pending) >= _AT_ONCE or time.monotonic() - self._flushed > _EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the system, which keeps it when this process is killed."""
        pending, self._pending = b"".join(self._pending), []
        self._write(pending)
        self._flushed = time.monotonic()

    def done(self) -> None:
        """The table is in place: this goes when it is closed."""
        self._is_done = True

    def _write(self, data: bytes) -> None:
        os.lseek(self._file, 0, os.SEEK_END)
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            error.filename = str(self.path)
            raise

    def _checked_start(self) -> bytes:
        """The first line; nothing where it is torn."""
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise _foreign(self.path)
        os.lseek(self._file, 0, os.SEEK_SET)
        first, newline, _ = os.read(self._file, _MAX_HEADER_BYTES).partition(b"\n")
        if not first.startswith(_START) and not (_START.startswith(first) and not newline):
            raise _foreign(self.path)
        return first + newline if newline else b""

    def _holds_answers(self) -> bool:
        return bool(self._start) and os.fstat(self._file).st_size > len(self._start)

    def _cells(self, asked: Asked) -> list[Any]:
        found = asked.answer.found
        if isinstance(found, PictureError):
            return [asked.answer.name, asked.stamp, found.reason]
        top = [(self._positions[label], score) for label, score in found.top]
        return [asked.answer.name, asked.stamp, found.declined, top]

    def _asked(self, line: bytes) -> Asked | None:
        """None where the line is torn, or was never written here."""
        try:
            name, stamp, *said = json.loads(line if line.endswith(b"\n") else b"")
            return Asked(FileAnswer(str(name), self._found(name, *said)), _stamp(stamp))
        except (ValueError, TypeError, IndexError, ArithmeticError, RecursionError):
            return None

    def _found(self, name: str, said: str | bool, top: Sequence[tuple[int, float]] = ()) -> Prediction | PictureError:
        if isinstance(said, str):
            return PictureError(name, said)
        pairs = tuple((self._classes[int(index)], float(score)) for index, score in top)
        return Prediction(label=pairs[0][0], probability=pairs[0][1], top=pairs, declined=bool(said))


def _is_about(held: Asked, name: str) -> bool:
    """Whether it is about this file as it is now; one that could not be read may since have got other rights."""
    if held.answer.name != name:
        return False
    now, then = stamp_of(name), held.stamp
    if now is None or then is None or not held.answer.ok:
        return now == then
    return now[:2] == then[:2]


def _stamp(held: Iterable[int] | None) -> Stamp | None:
    if held is None:
        return None
    size, changed, rights = map(int, held)
    return size, changed, rights


def _parsed(start: bytes) -> dict[str, Any]:
    try:
        held = json.loads(start)
    except (ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def _difference(key: str, held: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    return "another model" if key == "model" else f"{key} {shown(held.get(key))} instead of {shown(wanted[key])}"


def _of_others(path: Path, what: str) -> str:
    return f"{path} holds answers of an unfinished run with {what}; repeat its command, or say --restart to drop them"


def _foreign(path: Path) -> UsageError:
    return UsageError(f"{path} is in the way and was not written by tars predict; remove it, or choose another file")
