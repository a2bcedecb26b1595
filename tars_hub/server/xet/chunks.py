"""What a hub keeps of a xorb's chunks: their hashes and lengths, and from these where each lies."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .hashes import HASH_BYTES, XetFormatError

HEADER_BYTES = 8
MAX_CHUNK_BYTES = 128 * 1024  # unpacked
MAX_CHUNKS = 8192  # xet-core's MAX_XORB_CHUNKS

_RECORD = np.dtype([("hash", f"V{HASH_BYTES}"), ("packed", "<u4"), ("unpacked", "<u4")])
# No client packs a chunk into more than it was; the reference refuses above twice the largest chunk.
_MAX_PACKED_BYTES = HEADER_BYTES + 2 * MAX_CHUNK_BYTES


@dataclass(frozen=True)
class ChunkTable:
    """The chunks of one xorb in order: 40 bytes each, the raw hash and two little-endian 32-bit lengths.

    `packed` lengths count the chunk's header of 8 bytes, so their sum is the size of the stored xorb.
    """

    data: bytes

    @classmethod
    def build(cls, chunks: Iterable[tuple[bytes, int, int]]) -> ChunkTable:
        """Make a table of (raw hash, packed length with header, unpacked length)."""
        return cls.unpack(np.array(list(chunks), _RECORD).tobytes())

    @classmethod
    def unpack(cls, data: bytes) -> ChunkTable:
        """Read what `pack` wrote.

        Raises:
            XetFormatError: It is no table of 1 to 8192 chunks with possible lengths.
        """
        if not data or len(data) % _RECORD.itemsize or len(data) > MAX_CHUNKS * _RECORD.itemsize:
            raise XetFormatError(
                f"a chunk table has 40 bytes for each of 1 to {MAX_CHUNKS} chunks, not {len(data)} bytes"
            )
        rows = np.frombuffer(data, _RECORD)
        _check_lengths("packed", rows["packed"], HEADER_BYTES + 1, _MAX_PACKED_BYTES)
        _check_lengths("unpacked", rows["unpacked"], 1, MAX_CHUNK_BYTES)
        return cls(bytes(data))

    def pack(self) -> bytes:
        """Return the table as bytes."""
        return self.data

    def __len__(self) -> int:
        """Return the number of chunks."""
        return len(self.data) // _RECORD.itemsize

    def packed_range(self, start: int, end: int) -> tuple[int, int]:
        """Return where chunks start..end lie in the stored xorb: the first byte, and the one after the last."""
        self._check_range(start, end)
        return int(self._packed_ends[start]), int(self._packed_ends[end])

    def unpacked_length(self, start: int, end: int) -> int:
        """Return how many bytes chunks start..end unpack to."""
        self._check_range(start, end)
        return int(self._unpacked_ends[end] - self._unpacked_ends[start])

    def hiding_all_but(self, runs: Iterable[tuple[int, int]]) -> ChunkTable:
        """Return the table with random hashes for the chunks outside these runs (start, end), their lengths kept."""
        data = bytearray(os.urandom(len(self.data)))
        own = memoryview(self.data)
        for index in range(len(self)):
            at = index * _RECORD.itemsize
            data[at + HASH_BYTES : at + _RECORD.itemsize] = own[at + HASH_BYTES : at + _RECORD.itemsize]
        for start, end in runs:
            self._check_range(start, end)
            data[start * _RECORD.itemsize : end * _RECORD.itemsize] = own[
                start * _RECORD.itemsize : end * _RECORD.itemsize
            ]
        return ChunkTable(bytes(data))

    def pairs(self, start: int, end: int) -> list[tuple[bytes, int]]:
        """Return (raw hash, unpacked length) of chunks start..end, as the tree hashes want them."""
        self._check_range(start, end)
        begins = range(start * _RECORD.itemsize, end * _RECORD.itemsize, _RECORD.itemsize)
        hashes = (self.data[at : at + HASH_BYTES] for at in begins)
        return list(zip(hashes, self._rows["unpacked"][start:end].tolist(), strict=True))

    def chunk_at(self, position: int, start: int) -> tuple[int, int]:
        """Find the chunk that holds a byte, and how far inside it the byte lies.

        Args:
            position: Counted in unpacked bytes from the beginning of chunk `start`, 0 for its first byte.
            start: The index of a chunk.
        """
        self._check_range(start, start + 1)
        absolute = position + int(self._unpacked_ends[start])
        if position < 0 or absolute >= self._unpacked_ends[-1]:
            raise XetFormatError(f"byte {position} from chunk {start} on lies outside the xorb")
        index = int(np.searchsorted(self._unpacked_ends, absolute, side="right")) - 1
        return index, absolute - int(self._unpacked_ends[index])

    @cached_property
    def _rows(self) -> NDArray[np.void]:
        return np.frombuffer(self.data, _RECORD)

    @cached_property
    def _packed_ends(self) -> NDArray[np.int64]:
        """(len + 1,) int64: where each chunk begins in the stored xorb, and the size of the whole."""
        return _running_sum(self._rows["packed"])

    @cached_property
    def _unpacked_ends(self) -> NDArray[np.int64]:
        return _running_sum(self._rows["unpacked"])

    def _check_range(self, start: int, end: int) -> None:
        if not 0 <= start < end <= len(self):
            raise XetFormatError(f"chunks {start} to {end} do not exist in a xorb of {len(self)}")


def _running_sum(lengths: NDArray[np.uint32]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def _check_lengths(name: str, lengths: NDArray[np.uint32], least: int, most: int) -> None:
    if lengths.min() < least or lengths.max() > most:
        raise XetFormatError(f"the {name} length of a chunk is {least} to {most} bytes")
