"""What every store of blobs must do."""

from __future__ import annotations

import contextlib
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tars_hub.server.blobs.interface import BlobStore, Key
from tests.server.blobs.samples import keep, key_of, read

DATA = random.Random(0).randbytes(300_000)  # noqa: S311  # the same at every run
ELSEWHERE = Key("file", "0" * 64)


@pytest.mark.parametrize("name", ["", "ab", "../" * 21 + "a", "A" * 64, "g" * 64, "é" * 64, "a" * 65, "a/" + "b" * 62])
def test_nothing_but_64_hex_digits_is_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        Key("file", name)


def test_what_is_written_in_pieces_is_read_whole(blobs: BlobStore) -> None:
    with blobs.writing() as writing:
        for start in range(0, len(DATA), 65_537):
            writing.write(DATA[start : start + 65_537])
        writing.write(b"")
        assert writing.seal(key_of(DATA))
    assert read(blobs, key_of(DATA)) == DATA
    assert blobs.size(key_of(DATA)) == len(DATA)


def test_an_empty_blob_is_a_blob(blobs: BlobStore) -> None:
    assert keep(blobs, b"")
    assert blobs.size(key_of(b"")) == 0
    assert read(blobs, key_of(b"")) == b""


def test_nothing_is_there_before_it_is_sealed(blobs: BlobStore) -> None:
    with blobs.writing() as writing:
        writing.write(DATA)
        assert blobs.size(key_of(DATA)) is None
        assert list(blobs.keys("file")) == []
    assert blobs.size(key_of(DATA)) is None


def test_an_error_in_the_middle_leaves_nothing(blobs: BlobStore) -> None:
    with contextlib.suppress(ConnectionError), blobs.writing() as writing:
        writing.write(DATA)
        raise ConnectionError
    assert list(blobs.keys("file")) == []


def test_the_second_time_it_is_there_already(blobs: BlobStore) -> None:
    assert keep(blobs, DATA)
    assert not keep(blobs, DATA)
    assert read(blobs, key_of(DATA)) == DATA
    assert list(blobs.keys("file")) == [key_of(DATA)]


def test_a_damaged_blob_is_replaced(blobs: BlobStore) -> None:
    keep(blobs, DATA[:-1], key_of(DATA))
    assert keep(blobs, DATA)
    assert read(blobs, key_of(DATA)) == DATA


def test_a_sealed_blob_takes_no_more(blobs: BlobStore) -> None:
    with blobs.writing() as writing:
        writing.write(b"a")
        writing.seal(key_of(b"a"))
        with pytest.raises(ValueError, match=r"sealed|closed"):
            writing.write(b"b")
        with pytest.raises(ValueError, match=r"sealed|closed"):
            writing.seal(key_of(b"ab"))
    assert read(blobs, key_of(b"a")) == b"a"


def test_kinds_are_apart(blobs: BlobStore) -> None:
    keep(blobs, b"a", Key("file", "a" * 64))
    keep(blobs, b"bb", Key("xorb", "a" * 64))
    assert blobs.size(Key("part", "a" * 64)) is None
    assert [read(blobs, Key("file", "a" * 64)), read(blobs, Key("xorb", "a" * 64))] == [b"a", b"bb"]
    assert list(blobs.keys("xorb")) == [Key("xorb", "a" * 64)]


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 10), (100, 200), (299_990, 10), (299_990, 11), (300_000, 1), (400_000, 5), (7, 0)]
)
def test_ranges(blobs: BlobStore, offset: int, length: int) -> None:
    keep(blobs, DATA)
    reading = blobs.open(key_of(DATA))
    assert reading.size == len(DATA)
    assert reading.read_at(offset, length) == DATA[offset : offset + length]
    reading.close()
    reading.close()


def test_many_threads_read_one_blob(blobs: BlobStore) -> None:
    keep(blobs, DATA)
    reading = blobs.open(key_of(DATA))
    starts = [number * 997 for number in range(300)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: reading.read_at(start, 1000), starts))
    reading.close()
    assert found == [DATA[start : start + 1000] for start in starts]


def test_many_threads_seal_one_blob(blobs: BlobStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda _: keep(blobs, DATA), range(32)))
    assert sealed.count(True) == 1
    assert read(blobs, key_of(DATA)) == DATA


def test_what_is_open_stays_readable(blobs: BlobStore) -> None:
    keep(blobs, DATA)
    reading = blobs.open(key_of(DATA))
    blobs.delete(key_of(DATA))
    assert blobs.size(key_of(DATA)) is None
    assert reading.read_at(1000, 2000) == DATA[1000:3000]
    reading.close()


def test_a_deleted_blob_can_come_back(blobs: BlobStore) -> None:
    keep(blobs, DATA)
    blobs.delete(key_of(DATA))
    blobs.delete(key_of(DATA))
    assert list(blobs.keys("file")) == []
    assert keep(blobs, DATA)
    assert read(blobs, key_of(DATA)) == DATA


def test_what_is_not_there(blobs: BlobStore) -> None:
    assert blobs.size(ELSEWHERE) is None
    with pytest.raises(KeyError):
        blobs.open(ELSEWHERE)
    with pytest.raises(KeyError):
        blobs.age_s(ELSEWHERE)
    blobs.delete(ELSEWHERE)


def test_keys_come_by_name_while_blobs_come_and_go(blobs: BlobStore) -> None:
    kept = [str(number).encode() for number in range(50)]
    for data in kept:
        keep(blobs, data)
    keys = blobs.keys("file")
    names = [next(keys).name]
    keep(blobs, b"one more")
    blobs.delete(key_of(kept[0]))
    names += [key.name for key in keys]
    assert names == sorted(names)
    assert {key_of(data).name for data in kept[1:]} <= set(names)


def test_age_counts_from_the_seal(blobs: BlobStore) -> None:
    keep(blobs, DATA)
    assert 0 <= blobs.age_s(key_of(DATA)) < 60


def test_what_is_withdrawn_is_out_of_sight_at_once(blobs: BlobStore) -> None:
    keep(blobs, DATA)
    with contextlib.closing(blobs.open(key_of(DATA))) as reading:
        give_back = blobs.withdraw(key_of(DATA))
        assert blobs.size(key_of(DATA)) is None
        assert list(blobs.keys("file")) == []
        assert keep(blobs, DATA)  # it may come again before the room is given back
        give_back()
        give_back()
        assert reading.read_at(0, len(DATA)) == DATA
    assert read(blobs, key_of(DATA)) == DATA
    blobs.withdraw(ELSEWHERE)()
