"""The beginning of a stranger's file as text or as a table, within bounds."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

TABLES = {".csv": ",", ".tsv": "\t"}
_LINES = 5000
_ROWS, _COLUMNS, _CELL_LETTERS = 500, 60, 200
_LOOKED_AT = 8000  # bytes: where git looks for what makes a file binary
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_FRACTION = re.compile(r"-?[0-9]{1,9}\.[0-9]{1,40}(e[-+]?[0-9]{1,3})?", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[0-9.,]+(e[-+]?[0-9]+)?%?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Text:
    """Lines of a text.

    Attributes:
        encoding: "UTF-8", or "Latin-1" where it is not that.
        whole: whether these are all lines of the file.
        lines: the first of them, without their ends.
    """

    text: str
    encoding: str
    whole: bool
    lines: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells.

    Attributes:
        numbers: for each column, whether all its cells are numbers.
        whole: whether these are all rows and columns.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[bool]
    whole: bool


def text_of(data: bytes, *, whole: bool) -> Text | None:
    """The beginning of a file as text; None where it is none.

    Args:
        whole: whether `data` is all of it; else its last letter may be cut in two.
    """
    if _NO_TEXT.search(data[:_LOOKED_AT]):
        return None
    text, encoding = _decoded(data, whole)
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if lines[-1] == "":
        lines.pop()
    return Text(text=text, encoding=encoding, whole=whole and len(lines) <= _LINES, lines=lines[:_LINES])


def _decoded(data: bytes, whole: bool) -> tuple[str, str]:
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(data, whole), "UTF-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "Latin-1"


def table_of(text: Text, delimiter: str) -> Table | None:
    """A text as a table; None where it has fewer than two columns, or cannot be read as one."""
    try:
        read = list(islice(csv.reader(text.text.splitlines(), delimiter=delimiter), _ROWS + 2))
    except csv.Error:
        return None
    if not read or len(read[0]) < 2:
        return None
    widest = max(map(len, read))
    cut = [[_cell(cell) for cell in row[:_COLUMNS]] for row in read[: _ROWS + 1]]
    width = min(widest, _COLUMNS)
    head, *rows = [[*row, *[""] * (width - len(row))] for row in cut]
    numbers = [all(_NUMBER.fullmatch(row[at]) or not row[at] for row in rows) for at in range(width)]
    return Table(
        head=head, rows=rows, numbers=numbers, whole=text.whole and len(read) <= _ROWS + 1 and widest <= _COLUMNS
    )


def _cell(text: str) -> str:
    """A cell within bounds; of a long fraction, six digits."""
    if _FRACTION.fullmatch(text) and len(text) > 8:
        return f"{float(text):.6g}"
    return text[:_CELL_LETTERS]
