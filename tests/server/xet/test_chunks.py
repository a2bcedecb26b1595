"""The chunk table against plain sums."""

from __future__ import annotations

import numpy as np
import pytest

from tars_hub.server.xet.chunks import ChunkTable
from tars_hub.server.xet.hashes import XetFormatError


def _rows(count: int, seed: int = 1) -> list[tuple[bytes, int, int]]:
    rng = np.random.default_rng(seed)
    # Hashes that end in zeros: a fixed-width text type would lose them.
    lengths = zip(rng.integers(9, 200_000, count).tolist(), rng.integers(1, 131_073, count).tolist(), strict=True)
    return [(rng.bytes(30) + b"\0\0", packed, unpacked) for packed, unpacked in lengths]


def test_a_table_comes_back_as_it_was() -> None:
    rows = _rows(50)
    table = ChunkTable.build(rows)
    again = ChunkTable.unpack(table.pack())
    assert again == table
    assert len(table.pack()) == 40 * 50
    assert len(again) == 50
    assert [again.pairs(index, index + 1)[0][0] for index in range(50)] == [raw for raw, _, _ in rows]
    assert again.pairs(7, 50) == [(raw, unpacked) for raw, _, unpacked in rows[7:]]


def test_sums_are_those_of_the_rows() -> None:
    rows, rng = _rows(200), np.random.default_rng(2)
    table = ChunkTable.build(rows)
    for _ in range(200):
        start, end = sorted(rng.choice(201, 2, replace=False).tolist())
        first = sum(packed for _, packed, _ in rows[:start])
        assert table.packed_range(start, end) == (first, first + sum(packed for _, packed, _ in rows[start:end]))
        assert table.unpacked_length(start, end) == sum(unpacked for _, _, unpacked in rows[start:end])


def test_a_byte_is_found_in_its_chunk() -> None:
    table = ChunkTable.build((bytes(32), 9, length) for length in (10, 1, 5))
    found = [table.chunk_at(position, 0) for position in (0, 9, 10, 11, 15)]
    assert found == [(0, 0), (0, 9), (1, 0), (2, 0), (2, 4)]
    assert [table.chunk_at(position, 1) for position in (0, 1, 5)] == [(1, 0), (2, 0), (2, 4)]


@pytest.mark.parametrize(("position", "start"), [(16, 0), (6, 1), (-1, 1), (0, 3), (0, -1)])
def test_a_byte_outside_the_xorb_is_refused(position: int, start: int) -> None:
    table = ChunkTable.build((bytes(32), 9, length) for length in (10, 1, 5))
    with pytest.raises(XetFormatError):
        table.chunk_at(position, start)


@pytest.mark.parametrize(("start", "end"), [(0, 4), (2, 2), (2, 1), (-1, 2), (3, 4)])
def test_chunks_that_do_not_exist_are_refused(start: int, end: int) -> None:
    table = ChunkTable.build(_rows(3))
    for ask in (table.packed_range, table.unpacked_length, table.pairs):
        with pytest.raises(XetFormatError, match="xorb of 3"):
            ask(start, end)


@pytest.mark.parametrize(
    "rows", [[(8, 1)], [(9, 0)], [(9, 131_073)], [(262_153, 1)], [], [(9, 1)] * 8193], ids=lambda rows: str(rows[:1])
)
def test_lengths_that_cannot_be_are_refused(rows: list[tuple[int, int]]) -> None:
    with pytest.raises(XetFormatError):
        ChunkTable.build((bytes(32), packed, unpacked) for packed, unpacked in rows)


def test_a_cut_table_is_refused() -> None:
    data = ChunkTable.build(_rows(2)).pack()
    for length in (0, 1, 39, 41, 79):
        with pytest.raises(XetFormatError, match="chunk table"):
            ChunkTable.unpack(data[:length])
