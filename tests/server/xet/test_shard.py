"""Shards: those of the real client, answers that it understands, and hostile ones."""

from __future__ import annotations

import hashlib
import struct
import time
from typing import Any

import numpy as np
import pytest

from tars_hub.server.xet.chunks import ChunkTable
from tars_hub.server.xet.hashes import XetFormatError, file_hash, is_dedup_eligible, keyed, range_hash, to_text
from tars_hub.server.xet.shard import dedup_shard, parse_shard

from .conftest import Upload, Uploaded, reassembled, shard_files
from .making import BOOKEND, noise, received, record, shard_of
from .recorder import recording

KEY = bytes(range(32))
NOW = int(time.time())  # clients drop answers that have expired, and all tests may take longer than a minute
VERIFIED, WITH_SHA256 = 1 << 31, 1 << 30


def test_the_clients_terms_and_hashes_recompute(uploaded: Uploaded, tables: dict[str, ChunkTable]) -> None:
    files = shard_files(uploaded.recorder)
    assert set(files) == set(uploaded.hashes.values())
    for name, data in uploaded.files.items():
        file = files[uploaded.hashes[name]]
        pairs = [pair for term in file.terms for pair in tables[term.xorb].pairs(term.start, term.end)]
        assert to_text(file_hash(pairs)) == file.hash
        assert sum(term.unpacked_bytes for term in file.terms) == len(data)
        for term in file.terms:
            assert tables[term.xorb].unpacked_length(term.start, term.end) == term.unpacked_bytes
            hashes = (raw for raw, _ in tables[term.xorb].pairs(term.start, term.end))
            assert range_hash(hashes) == term.verification
        # The client does not compute that of an empty file.
        assert file.sha256 == (hashlib.sha256(data).hexdigest() if data else None)


def test_the_clients_shards_name_their_xorbs(uploaded: Uploaded) -> None:
    named = {xorb for data in uploaded.recorder.shards() for xorb in parse_shard(data).xorbs}
    assert named == set(uploaded.recorder.xorbs())


def test_the_client_asks_about_eligible_and_first_chunks(uploaded: Uploaded, tables: dict[str, ChunkTable]) -> None:
    first = {
        to_text(tables[file.terms[0].xorb].pairs(file.terms[0].start, file.terms[0].start + 1)[0][0])
        for file in shard_files(uploaded.recorder).values()
        if file.terms
    }
    eligible = {
        to_text(raw) for table in tables.values() for raw, _ in table.pairs(0, len(table)) if is_dedup_eligible(raw)
    }
    assert set(uploaded.recorder.questions()) == first | eligible


def test_a_fresh_client_sends_only_what_the_answer_lacks(
    uploaded: Uploaded, tables: dict[str, ChunkTable], upload: Upload
) -> None:
    changed = uploaded.files["weights"][:-1000] + noise(5, 1000)
    with recording() as recorder:
        answer = dedup_shard(list(tables.items()), KEY, now=NOW, valid_s=86_400)
        recorder.answers = dict.fromkeys(uploaded.recorder.questions(), answer)
        (name,) = upload(recorder, {"changed": changed})
        sent, file = recorder.xorbs(), shard_files(recorder)[name]
    assert 0 < sum(map(len, sent.values())) < 200_000  # the last chunk, of 12 MB
    assert any(term.xorb in tables for term in file.terms)
    stored = uploaded.recorder.xorbs() | sent
    known = tables | {xorb: received(data)[0].chunks for xorb, data in sent.items()}
    assert reassembled(file, stored, known) == changed


def test_several_xorbs_and_sessions_share_a_cache_of_answers(
    uploaded: Uploaded, tables: dict[str, ChunkTable], upload: Upload
) -> None:
    one_each = [
        dedup_shard([item], bytes([number] * 32), now=NOW, valid_s=86_400)
        for number, item in enumerate(tables.items(), 1)
    ]
    with recording() as recorder:
        recorder.answers = {
            question: one_each[number % len(one_each)] for number, question in enumerate(uploaded.recorder.questions())
        }
        names = upload(recorder, {name: uploaded.files[name] for name in ("repeated", "weights", "tiny-3")})
        files = shard_files(recorder)
        sent = recorder.xorbs()
    known = tables | {xorb: received(data)[0].chunks for xorb, data in sent.items()}
    for name, label in zip(names, ("repeated", "weights", "tiny-3"), strict=True):
        assert reassembled(files[name], uploaded.recorder.xorbs() | sent, known) == uploaded.files[label]


def test_an_answer_reads_back_and_hides_its_hashes(tables: dict[str, ChunkTable]) -> None:
    answer = dedup_shard(list(tables.items()), KEY, now=NOW, valid_s=60)
    assert parse_shard(answer).files == ()
    assert parse_shard(answer).xorbs == tuple(tables)
    raw = next(iter(tables.values())).pairs(0, 1)[0][0]
    assert raw not in answer
    assert keyed(raw, KEY) in answer


def test_the_footer_of_an_answer_points_at_its_sections() -> None:
    table = ChunkTable.build([(bytes([number] * 32), 20, 30) for number in range(3)])
    answer = dedup_shard([("ab" * 32, table)], KEY, now=NOW, valid_s=60)
    fields: Any = struct.unpack("<9Q32s2Q9QQ", answer[-200:])
    end = 48 + 48 + 4 * 48 + 48
    assert len(answer) == end + 200
    assert fields[:9] == (1, 48, 96, end, 0, end, 0, end, 0)
    assert fields[9:12] == (KEY, NOW, NOW + 60)
    assert fields[-1] == end
    assert struct.unpack("<4I", answer[96 + 32 : 96 + 48]) == (0, 3, 90, 60)
    # Where chunks begin counts unpacked bytes; the first hash, all zeros, divides by 1024 and is flagged.
    entries = [struct.unpack("<4I", answer[at + 32 : at + 48]) for at in range(144, end - 48, 48)]
    assert entries == [(0, 30, 1 << 31, 0), (30, 30, 0, 0), (60, 30, 0, 0)]


@pytest.mark.parametrize("key", [bytes(32), b"short", bytes(range(33))])
def test_an_answer_without_a_key_is_refused(key: bytes) -> None:
    with pytest.raises(XetFormatError, match="key of a dedup shard"):
        dedup_shard([], key, now=NOW, valid_s=60)


HASH, PROOF, SHA256 = b"h" * 32, b"p" * 32, bytes(range(32))
FILE = [record(HASH, VERIFIED | WITH_SHA256, 1), record(b"x" * 32, 0, 50, 2, 4), record(PROOF), record(SHA256)]


def test_a_shard_is_read_with_every_mixture_of_parts() -> None:
    bare = [record(HASH, 0, 2), record(b"x" * 32, 0, 50, 2, 4), record(b"y" * 32, 0, 1, 0, 1)]
    first, second, empty = parse_shard(shard_of(*FILE, *bare, record(bytes(32), WITH_SHA256), record(bytes(32)))).files
    assert first.sha256 == to_text(SHA256)
    assert [term.verification for term in first.terms] == [PROOF]
    assert (second.sha256, len(second.terms), second.terms[0].verification) == (None, 2, None)
    assert (empty.sha256, empty.terms) == (None, ())


def test_a_footer_may_be_announced_and_absent_as_old_clients_do() -> None:
    assert parse_shard(shard_of(*FILE, footer_bytes=200)) == parse_shard(shard_of(*FILE))


def test_a_footer_is_read_behind_lookup_tables() -> None:
    shard = shard_of(*FILE, footer_bytes=200) + bytes(12)
    footer = struct.pack("<3Q", 1, 48, 48 + 48 * 5) + bytes(200 - 32) + struct.pack("<Q", len(shard))
    assert parse_shard(shard + footer) == parse_shard(shard_of(*FILE))
    for wrong in (shard + bytes(200), shard + footer[:-1], shard[:-1] + footer, shard + b"\2" + footer[1:]):
        with pytest.raises(XetFormatError, match=r"footer|goes on"):
            parse_shard(wrong)


def test_a_shard_cut_anywhere_is_refused() -> None:
    for shard in (shard_of(*FILE), dedup_shard([("ab" * 32, ChunkTable.build([(HASH, 9, 9)]))], KEY, now=1, valid_s=1)):
        # The answer is whole, if without its footer, where its second section ends.
        for length in set(range(len(shard))) - {len(shard) - 200}:
            with pytest.raises(XetFormatError):
                parse_shard(shard[:length])


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        (b"\0" + shard_of()[1:], "tag"),
        (shard_of()[:32] + struct.pack("<Q", 3) + shard_of()[40:], "shard version 3"),
        (shard_of(footer_bytes=100), "footer has 200"),
        (shard_of() + b"\0", "goes on for 1 bytes"),
        (shard_of(record(HASH, 0, 0xFFFFFFFF)), "files of 4294967295 terms"),
        (shard_of(record(HASH, VERIFIED, 2), *[record(HASH, 0, 9, 0, 1)] * 2), "ends before"),
        (shard_of()[:-48] + record(HASH, 0, 0xFFFFFFFF) + BOOKEND, "ends before the 4294967295 records"),
        (shard_of(record(HASH, 0, 1), record(HASH, 0, 9, 3, 3)), "chunks 3 to 3"),
        (shard_of(record(HASH, 0, 1), record(HASH, 0, 9, 3, 2)), "chunks 3 to 2"),
        (shard_of(record(HASH, 0, 1), record(HASH, 0, 9, 8191, 8193)), "chunks 8191 to 8193"),
        (shard_of(record(HASH, 0, 1), record(HASH, 0, 1, 0, 2)), "cannot have 1 bytes"),
        (shard_of(record(HASH, 0, 1), record(HASH, 0, 131_073, 0, 1)), "cannot have 131073 bytes"),
    ],
)
def test_hostile_shards_are_refused(shard: bytes, message: str) -> None:
    with pytest.raises(XetFormatError, match=message):
        parse_shard(shard)


def test_noise_never_raises_anything_else(uploaded: Uploaded) -> None:
    rng = np.random.default_rng(6)
    shard = uploaded.recorder.shards()[0]
    refusals = []
    for _ in range(500):
        damaged = bytearray(shard)
        for at in rng.integers(0, 4000, 3).tolist():  # the files come first
            damaged[at] = rng.choice((0, 255, 1, 128))
        refusals.append(_refusal(bytes(damaged)))
    assert any(refusals)
    assert not any("\n" in refusal for refusal in refusals)


def _refusal(shard: bytes) -> str:
    try:
        parse_shard(shard)
    except XetFormatError as error:
        return str(error)
    return ""
