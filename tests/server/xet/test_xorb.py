"""Xorbs: those of the real client, handmade ones in all schemes, and hostile ones."""

from __future__ import annotations

import tracemalloc

import lz4.frame  # type: ignore[import-untyped]
import pytest

from tars_hub.server.xet.chunks import ChunkTable
from tars_hub.server.xet.hashes import XetFormatError, chunk_hash, to_text, xorb_hash
from tars_hub.server.xet.xorb import XorbReceiver, decode_chunks

from .conftest import Uploaded, reassembled, shard_files
from .making import footer_of, noise, packed_chunk, raw_chunk, received, some_chunks, xorb_of

CHUNKS = some_chunks(1, (1, 2, 3, 4, 5, 6, 7, 9000, 9001, 9002, 9003, 20000))
SCHEMES = [0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]
XORB = xorb_of(CHUNKS, SCHEMES)


def test_the_clients_xorbs_have_the_hash_in_their_url(uploaded: Uploaded) -> None:
    xorbs = uploaded.recorder.xorbs()
    assert len(xorbs) >= 2
    for name, data in xorbs.items():
        found, stored = received(data)
        assert found.hash == name
        assert stored == data
        assert found.size_bytes == len(data) == found.chunks.packed_range(0, len(found.chunks))[1]
        assert found.unpacked_bytes == found.chunks.unpacked_length(0, len(found.chunks))


def test_files_come_back_from_the_stored_xorbs(uploaded: Uploaded, tables: dict[str, ChunkTable]) -> None:
    xorbs, files = uploaded.recorder.xorbs(), shard_files(uploaded.recorder)
    for name, data in uploaded.files.items():
        assert reassembled(files[uploaded.hashes[name]], xorbs, tables) == data, name


@pytest.mark.parametrize("slice_bytes", [1, 7, 4096, 1 << 30])
@pytest.mark.parametrize("footer", [b"", footer_of(len(CHUNKS))], ids=["bare", "footer"])
def test_slices_and_footers_make_no_difference(slice_bytes: int, footer: bytes) -> None:
    found, stored = received(XORB + footer, slice_bytes)
    assert stored == XORB
    assert found.hash == to_text(xorb_hash([(chunk_hash(chunk), len(chunk)) for chunk in CHUNKS]))
    assert found.unpacked_bytes == sum(map(len, CHUNKS))
    assert list(decode_chunks(stored)) == CHUNKS


def test_runs_of_chunks_are_found_by_the_table() -> None:
    found, stored = received(XORB)
    first, last = found.chunks.packed_range(3, 9)
    assert list(decode_chunks(memoryview(stored)[first:last])) == CHUNKS[3:9]


def test_a_xorb_cut_anywhere_but_between_chunks_is_refused() -> None:
    found, _ = received(XORB)
    ends = {found.chunks.packed_range(0, count)[1] for count in range(1, len(CHUNKS) + 1)}
    edges = {end + by for end in ends | {0} for by in range(-9, 10)}
    for length in sorted(edges & set(range(len(XORB)))):
        if length in ends:
            assert received(XORB[:length])[0].size_bytes == length
        else:
            with pytest.raises(XetFormatError):
                received(XORB[:length])


def test_every_flipped_bit_is_refused_or_changes_the_hash() -> None:
    chunks = some_chunks(3, (40, 50, 60))
    xorb = xorb_of(chunks, (0, 1, 2))
    name = received(xorb)[0].hash
    for bit in range(8 * len(xorb)):
        flipped = bytearray(xorb)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found, stored = received(bytes(flipped))
        except XetFormatError:
            continue
        # LZ4 has bits that change nothing that is unpacked, such as the frame's hint of the block size.
        assert found.hash != name or list(decode_chunks(stored)) == chunks


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no chunks"),
        (footer_of(0), "no chunks"),
        (packed_chunk(b"abc", 0, version=1), "version 1"),
        (raw_chunk(b"abc", 3, 3), "scheme 3"),
        (raw_chunk(b"abc", 99, 3), "scheme 99"),
        (raw_chunk(b"", 0, 0), "chunk of 0 bytes"),
        (raw_chunk(b"", 1, 5), "packed into 0 bytes"),
        (raw_chunk(bytes(131_073), 0, 131_073), "chunk of 131073 bytes"),
        (raw_chunk(bytes(262_145), 1, 5), "packed into 262145 bytes"),
        (packed_chunk(b"abc", 0, says=4), "plain chunk of 3 bytes"),
        (packed_chunk(b"abc", 1, says=2), "2 bytes it announces"),
        (packed_chunk(b"abc", 1, says=4), "4 bytes it announces"),
        (packed_chunk(b"abcdefg", 2, says=8), "8 bytes it announces"),
        (raw_chunk(b"no frame at all", 1, 5), "no LZ4 frame"),
        (raw_chunk(lz4.frame.compress(b"abc") + b"x", 1, 3), "announces"),
        (raw_chunk(lz4.frame.compress(b"abc")[:-4], 1, 3), "announces"),
        (packed_chunk(b"abc", 0) + footer_of(1) + bytes(100), "footer is too long"),
        (packed_chunk(b"abc", 0) * 8193, "more than 8192 chunks"),
    ],
)
@pytest.mark.parametrize("slice_bytes", [50_000, 1 << 20])
def test_hostile_xorbs_are_refused(data: bytes, message: str, slice_bytes: int) -> None:
    with pytest.raises(XetFormatError, match=message):
        received(data, slice_bytes)


def test_a_bomb_is_stopped_at_its_announced_length() -> None:
    bomb = raw_chunk(lz4.frame.compress(bytes(60 << 20), block_size=lz4.frame.BLOCKSIZE_MAX4MB), 1, 1000)
    tracemalloc.start()
    with pytest.raises(XetFormatError, match="1000 bytes it announces"):
        received(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 << 20


def test_a_xorb_of_too_many_bytes_is_refused_before_it_is_held() -> None:
    receiver, chunk = XorbReceiver(), packed_chunk(noise(4, 131_072), 0)
    for _ in range(512):
        assert receiver.feed(chunk) == chunk
    with pytest.raises(XetFormatError, match="larger than"):
        receiver.feed(chunk[:8])


def test_64_mib_that_do_not_shrink_are_still_a_xorb() -> None:
    # The client counts unpacked bytes: noise in 1024 chunks of 64 KiB is larger than 64 MiB once it has its headers.
    receiver, chunk = XorbReceiver(), packed_chunk(noise(4, 65_536), 0)
    for _ in range(1024):
        receiver.feed(chunk)
    assert receiver.finish().size_bytes == (64 << 20) + 8 * 1024


def test_memory_stays_at_about_one_chunk() -> None:
    receiver, chunk = XorbReceiver(), packed_chunk(noise(4, 131_072), 0)
    tracemalloc.start()
    for _ in range(64):
        for at in range(0, len(chunk), 65_536):
            receiver.feed(chunk[at : at + 65_536])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_damaged_run_is_refused() -> None:
    for damaged in (XORB[:-1], XORB[:5], XORB + b"\0"):
        with pytest.raises(XetFormatError, match="ends inside"):
            list(decode_chunks(damaged))
