"""Answers as a table: CSV, JSON lines or Parquet, by the ending of its name. Each is written a row at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tars_hub.answers.answered import FileAnswer, json_line
from tars_hub.answers.columns import Write, cells, columns
from tars_hub.errors import UsageError
from tars_hub.files import replacing

# Takes where to write, the classes and how many places; the file is in place when the block ends well.
Table: TypeAlias = Callable[[Path, Sequence[str], int], AbstractContextManager[Write]]


@dataclass(frozen=True)
class Written:
    """How many rows a table has, and how many of them are of pictures that were not read."""

    pictures: int
    unread: int


def table_for(path: Path) -> Table:
    """The kind of table that the name asks for.

    Raises:
        UsageError: it asks for none, or for one that needs a package that is not there.
    """
    kinds = {".csv": lambda: csv_table, ".jsonl": lambda: jsonl_table, ".parquet": _parquet_table}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"{path}: the ending says the kind of table, and must be {', '.join(kinds)}")
    return kind()


def write_table(
    table: Table, path: Path, answers: Iterable[FileAnswer], classes: Sequence[str], places: int
) -> Written:
    """Raises OSError, which names the file."""
    pictures = unread = 0
    try:
        with table(path, classes, min(places, len(classes))) as write:
            for answer in answers:
                write(answer)
                pictures += 1
                unread += not answer.ok
    except OSError as error:
        error.filename = str(path)
        raise
    return Written(pictures, unread)


@contextmanager
def csv_table(path: Path, classes: Sequence[str], places: int) -> Iterator[Write]:
    """Probabilities have six decimals; `declined` is 1 or 0."""
    positions = {name: index for index, name in enumerate(classes)}
    # With a mark at its start a spreadsheet reads the file as UTF-8.
    with replacing(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
        table = csv.writer(stream)
        table.writerow(columns(places))

        def write(answer: FileAnswer) -> None:
            if answer.ok:
                table.writerow(map(_as_text, cells(answer, positions, places)))
            else:
                table.writerow([answer.name, "", "", "", answer.status])

        yield write


def _as_text(cell: str | float) -> str | int:
    if isinstance(cell, bool):
        return int(cell)
    return f"{cell:.6f}" if isinstance(cell, float) else cell


@contextmanager
def jsonl_table(path: Path, classes: Sequence[str], places: int) -> Iterator[Write]:  # noqa: ARG001  # a Table
    """What `--json` prints."""
    with replacing(path, newline="", encoding="ascii") as stream:
        yield lambda answer: _write_line(stream, json_line(answer))


def _write_line(stream: Any, line: str) -> None:  # noqa: ANN401  # what replacing() opens
    stream.write(line + "\n")


def _parquet_table() -> Table:
    try:
        from tars_hub.answers.parquet import parquet_table
    except ImportError as error:
        raise UsageError(f"a Parquet table needs the package pyarrow ({error}): pip install 'pyarrow>=18'") from error
    return parquet_table
