"""The hashes of Xet: of chunks, of xorbs and files (trees over chunk hashes), and of ranges. All are keyed BLAKE3.

Source: https://huggingface.co/docs/xet/hashing.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from blake3 import blake3

HASH_BYTES = 32
NO_HASH = bytes(HASH_BYTES)  # what an empty file has for a hash

_CHUNK_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
_NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
_RANGE_KEY = bytes.fromhex("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3")
_FILE_KEY = NO_HASH

# A tree node closes at a child whose hash divides by 4, from its third child on, and at its ninth at the latest.
_BRANCHING = 4
_MIN_CHILDREN = 3
_MAX_CHILDREN = 2 * _BRANCHING + 1

_DEDUP_MODULUS = 1024
_TEXT = re.compile("[0-9a-f]{64}")

Node = tuple[bytes, int]
"""The raw hash of a chunk, or of a run of chunks, and how many unpacked bytes lie under it."""


class XetFormatError(ValueError):
    """Bytes or a text do not follow the Xet formats; the message says what is wrong, in one line."""


def to_text(raw: bytes) -> str:
    """Write 32 raw bytes as 64 hex characters, each group of 8 bytes reversed: four little-endian 64-bit numbers."""
    return struct.pack(">4Q", *struct.unpack("<4Q", raw)).hex()


def from_text(text: str) -> bytes:
    """Read the text form back into 32 raw bytes.

    Raises:
        XetFormatError: It is not 64 lower-case hex characters.
    """
    if not _TEXT.fullmatch(text):
        raise XetFormatError(f"a Xet hash is 64 lower-case hex characters, not {text[:80]!r}")
    return struct.pack("<4Q", *struct.unpack(">4Q", bytes.fromhex(text)))


def chunk_hash(data: bytes | memoryview) -> bytes:
    """Hash the unpacked bytes of one chunk."""
    return blake3(data, key=_CHUNK_KEY).digest()


def xorb_hash(chunks: Sequence[Node]) -> bytes:
    """Hash a xorb, given (chunk hash, unpacked length) of its chunks in order."""
    return _root(chunks) or NO_HASH


def file_hash(chunks: Iterable[Node]) -> bytes:
    """Hash a file, given (chunk hash, unpacked length) of its chunks in order; that of an empty file is 32 zeros."""
    root = _root(chunks)
    return NO_HASH if root is None else keyed(root, _FILE_KEY)


def range_hash(hashes: Iterable[bytes]) -> bytes:
    """Hash the chunk hashes of one term: the proof in an uploaded shard that its sender had the chunks."""
    return blake3(b"".join(hashes), key=_RANGE_KEY).digest()


def keyed(raw_hash: bytes, key: bytes) -> bytes:
    """Protect a hash with a 32-byte key, so that only who already knows the hash recognises it."""
    return blake3(raw_hash, key=key).digest()


def is_dedup_eligible(raw_hash: bytes) -> bool:
    """Say whether clients ask the hub about every chunk of this hash: one in 1024.

    They also ask about the first chunk of each file, whatever its hash.
    """
    return int.from_bytes(raw_hash[-8:], "little") % _DEDUP_MODULUS == 0


def _root(leaves: Iterable[Node]) -> bytes | None:
    """Merge nodes level by level until one is left; a lone leaf is its own root, and no leaf has none.

    Only the second level and those above are held, so a file of any number of chunks may come from a generator.
    """
    rest = iter(leaves)
    first = list(islice(rest, 2))
    if not first:
        return None
    if len(first) == 1:
        return first[0][0]
    level = [_merged(group) for group in _groups(chain(first, rest))]
    while len(level) > 1:
        level = [_merged(group) for group in _groups(level)]
    return level[0][0]


def _groups(nodes: Iterable[Node]) -> Iterator[list[Node]]:
    """Cut one level of the tree into the children of each node above; the last group may be of one or two."""
    group: list[Node] = []
    for node in nodes:
        group.append(node)
        cut = len(group) >= _MIN_CHILDREN and node[0][-8] % _BRANCHING == 0
        if cut or len(group) == _MAX_CHILDREN:
            yield group
            group = []
    if group:
        yield group


def _merged(group: list[Node]) -> Node:
    text = "".join(f"{to_text(raw)} : {length}\n" for raw, length in group)
    return blake3(text.encode(), key=_NODE_KEY).digest(), sum(length for _, length in group)
