"""The table as Parquet: the CSV's columns, with types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tars_hub.answers.answered import FileAnswer
from tars_hub.answers.columns import Write, cells, columns
from tars_hub.files import replacing

_GROUP_ROWS = 16_384  # what is held at a time, unless the rows are long
_GROUP_CELLS = 200_000
_TYPES = {"index": pa.int32(), "prob": pa.float32(), "declined": pa.bool_()}  # probabilities come as float32
_ALWAYS = {"filename", "status"}


@contextmanager
def parquet_table(path: Path, classes: Sequence[str], places: int) -> Iterator[Write]:
    """Written in groups of rows. Where a file's name is no UTF-8, its odd bytes stand there as `\\xe9`."""
    positions = {name: index for index, name in enumerate(classes)}
    schema = _schema(places)
    group_rows = max(1, min(_GROUP_ROWS, _GROUP_CELLS // len(schema)))
    rows: list[list[Any]] = []
    with replacing(path, "wb") as stream, pq.ParquetWriter(stream, schema) as writer:

        def write(answer: FileAnswer) -> None:
            name, *rest = cells(answer, positions, places)
            rows.append([_unicode(name), *rest])
            if len(rows) == group_rows:
                _write_group(writer, schema, rows)

        yield write
        _write_group(writer, schema, rows)


def _schema(places: int) -> pa.Schema:
    return pa.schema([_field(name) for name in columns(places)])


def _field(name: str) -> pa.Field:
    kind = _TYPES.get(name.partition("_")[0], pa.string())
    return pa.field(name, kind, nullable=name not in _ALWAYS)


def _write_group(writer: pq.ParquetWriter, schema: pa.Schema, rows: list[list[Any]]) -> None:
    """Write them and let go of them."""
    if rows:
        arrays = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), schema.types, strict=True)]
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        rows.clear()


def _unicode(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
