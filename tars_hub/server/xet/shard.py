"""Shards: the lists of files and chunks that clients send after the xorbs, and that answer their dedup questions.

A shard is a run of records of 48 bytes: header, files, bookend, xorbs, bookend, and perhaps a footer of 200 bytes.
Every number is little-endian. Source: https://huggingface.co/docs/xet/shard, and for the footer's lookup fields, which
that page calls reserved, xet-core's `shard_format.rs`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from .chunks import MAX_CHUNK_BYTES, MAX_CHUNKS, ChunkTable
from .hashes import HASH_BYTES, NO_HASH, XetFormatError, from_text, is_dedup_eligible, keyed, to_text

_TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
_HEADER = struct.Struct("<32sQQ")  # tag, version, length of the footer or 0
_HEADER_VERSION = 2
_RECORD = struct.Struct("<32s4I")  # every record between header and footer: a hash and four numbers
# version; offsets of files and xorbs; (offset, count) of three lookup tables; key; created, expires; spare room;
# its own offset
_FOOTER = struct.Struct("<3Q6Q32s2Q72xQ")
_FOOTER_VERSION = 1

MAX_TERMS = 1 << 17  # of all files of a shard: enough for 8 TiB in whole xorbs, and as objects some 50 MB

_BOOKEND_HASH = b"\xff" * HASH_BYTES
_BOOKEND = _RECORD.pack(_BOOKEND_HASH, 0, 0, 0, 0)
_HAS_VERIFICATION = 1 << 31
_HAS_SHA256 = 1 << 30
_DEDUP_ELIGIBLE = 1 << 31

_Record = tuple[bytes, int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Term:
    """A run of a file's bytes: chunks start..end (end excluded) of a xorb; `verification` is their range hash, raw."""

    xorb: str
    start: int
    end: int
    unpacked_bytes: int
    verification: bytes | None


@dataclass(frozen=True, kw_only=True)
class ShardFile:
    """A file as the sum of its terms, none if it is empty; `hash` in text form, `sha256` what sha256sum prints."""

    hash: str
    sha256: str | None
    terms: tuple[Term, ...]


@dataclass(frozen=True, kw_only=True)
class Shard:
    """What an uploaded shard says: the files to register, and the hashes of the xorbs it describes."""

    files: tuple[ShardFile, ...]
    xorbs: tuple[str, ...]


def parse_shard(data: bytes) -> Shard:
    """Read an uploaded shard, with a footer or without.

    Raises:
        XetFormatError: It is cut short, too long, or says what cannot be.
    """
    footer_bytes = _parse_header(data)
    records = _Records(data)
    files, terms = [], 0
    while (record := records.next_of_section()) is not None:
        files.append(_parse_file(record, records, MAX_TERMS - terms))
        terms += len(files[-1].terms)
    xorbs = []
    xorbs_at = records.at
    while (record := records.next_of_section()) is not None:
        xorbs.append(to_text(record[0]))
        records.skip(record[2])
    if records.at != len(data):
        _check_footer(data, footer_bytes, xorbs_at=xorbs_at, rest_at=records.at)
    return Shard(files=tuple(files), xorbs=tuple(xorbs))


def dedup_shard(xorbs: Sequence[tuple[str, ChunkTable]], key: bytes, *, now: int, valid_s: int) -> bytes:
    """Answer a dedup question with all chunks of some xorbs, their hashes protected by a 32-byte key.

    Args:
        xorbs: Hash in text form and chunks of each.
        key: Not all zeros; those mean that hashes are not protected.
        now: When the shard is made, in Unix seconds.
        valid_s: For how many seconds clients may refer to these xorbs.
    """
    if len(key) != HASH_BYTES or not any(key):
        raise XetFormatError("the key of a dedup shard is 32 bytes that are not all zeros")
    parts = [_HEADER.pack(_TAG, _HEADER_VERSION, _FOOTER.size), _BOOKEND]
    for name, chunks in xorbs:
        parts += _xorb_records(name, chunks, key)
    parts.append(_BOOKEND)
    files_at = _HEADER.size
    end = sum(map(len, parts))
    # The lookup tables are empty: clients then make their own from the xorb section, which ends where the first table
    # begins. An offset of 0 here lets that length underflow, and the client dies of it.
    tables = (end, 0, end, 0, end, 0)
    offsets = (files_at, files_at + len(_BOOKEND))
    parts.append(_FOOTER.pack(_FOOTER_VERSION, *offsets, *tables, key, now, now + valid_s, end))
    return b"".join(parts)


class _Records:
    """The records between header and footer, read one after the other and never past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = _HEADER.size

    def next(self) -> _Record:
        self._check(1)
        record: _Record = _RECORD.unpack_from(self._data, self.at)
        self.at += _RECORD.size
        return record

    def take(self, count: int) -> list[_Record]:
        self._check(count)  # before any room is made for what is only announced
        return [self.next() for _ in range(count)]

    def skip(self, count: int) -> None:
        self._check(count)
        self.at += count * _RECORD.size

    def next_of_section(self) -> _Record | None:
        """Return the next record, or nothing where a bookend closes the section."""
        record = self.next()
        return None if record[0] == _BOOKEND_HASH else record

    def _check(self, count: int) -> None:
        if self.at + count * _RECORD.size > len(self._data):
            raise XetFormatError(f"the shard of {len(self._data)} bytes ends before the {count} records at {self.at}")


def _parse_header(data: bytes) -> int:
    """Check the header and return the length of the footer that it announces.

    hf_xet 1.2 announces a footer and sends none, so only bytes after the last section tell whether one is there.
    """
    if len(data) < _HEADER.size:
        raise XetFormatError(f"a shard has more than {len(data)} bytes")
    tag, version, footer_bytes = _HEADER.unpack_from(data)
    if tag != _TAG:
        raise XetFormatError("this is no shard: it does not begin with the tag of one")
    if version != _HEADER_VERSION:
        raise XetFormatError(f"shard version {version} is unknown; {_HEADER_VERSION} is the one that is known")
    if footer_bytes not in (0, _FOOTER.size):
        raise XetFormatError(f"a shard's footer has {_FOOTER.size} bytes, not {footer_bytes}")
    return int(footer_bytes)


def _parse_file(header: _Record, records: _Records, most: int) -> ShardFile:
    raw_hash, flags, count, _, _ = header
    if count > most:
        raise XetFormatError(f"files of {count} terms; a shard may have {MAX_TERMS}")
    entries = records.take(count)
    proofs = [record[0] for record in records.take(count)] if flags & _HAS_VERIFICATION else [None] * count
    sha256 = _parse_sha256(records.next()[0]) if flags & _HAS_SHA256 else None
    terms = tuple(_parse_term(entry, proof) for entry, proof in zip(entries, proofs, strict=True))
    return ShardFile(hash=to_text(raw_hash), sha256=sha256, terms=terms)


def _parse_sha256(raw: bytes) -> str | None:
    """Return what sha256sum prints. Clients write it as if it were a Xet hash, so it is the text form, not the hex.

    All zeros, which hf_xet sends for an empty file, say that it was not computed.
    """
    return None if raw == NO_HASH else to_text(raw)


def _parse_term(entry: _Record, verification: bytes | None) -> Term:
    raw_hash, _, unpacked_bytes, start, end = entry
    if not start < end <= MAX_CHUNKS:
        raise XetFormatError(f"a term of chunks {start} to {end}; a xorb has at most {MAX_CHUNKS}")
    if not end - start <= unpacked_bytes <= (end - start) * MAX_CHUNK_BYTES:
        raise XetFormatError(f"a term of {end - start} chunks cannot have {unpacked_bytes} bytes")
    return Term(xorb=to_text(raw_hash), start=start, end=end, unpacked_bytes=unpacked_bytes, verification=verification)


def _check_footer(data: bytes, footer_bytes: int, *, xorbs_at: int, rest_at: int) -> None:
    """Check that what follows the sections is lookup tables, which are not read, and a footer that fits."""
    footer_at = len(data) - _FOOTER.size
    if not footer_bytes or footer_at < rest_at:
        raise XetFormatError(f"the shard goes on for {len(data) - rest_at} bytes after its end")
    version, files_at, says_xorbs_at, *_, says_footer_at = _FOOTER.unpack_from(data, footer_at)
    if version != _FOOTER_VERSION:
        raise XetFormatError(f"shard footer version {version} is unknown; {_FOOTER_VERSION} is the one that is known")
    if (files_at, says_xorbs_at, says_footer_at) != (_HEADER.size, xorbs_at, footer_at):
        raise XetFormatError("the shard's footer does not fit its sections")


def _xorb_records(name: str, chunks: ChunkTable, key: bytes) -> list[bytes]:
    count = len(chunks)
    unpacked_bytes, (_, stored_bytes) = chunks.unpacked_length(0, count), chunks.packed_range(0, count)
    records = [_RECORD.pack(from_text(name), 0, count, unpacked_bytes, stored_bytes)]
    at = 0
    for raw, length in chunks.pairs(0, count):
        # The flag is told of the hash before it is protected; afterwards nobody could tell.
        flags = _DEDUP_ELIGIBLE if is_dedup_eligible(raw) else 0
        records.append(_RECORD.pack(keyed(raw, key), at, length, flags, 0))
        at += length
    return records
