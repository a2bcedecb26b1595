"""Which tensors changed, and that no more is read than is needed to say it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import HfApi

from tars_hub.server.records import File
from tars_hub.server.rules import contents, revisions, tensor_changes
from tars_hub.server.rules.same_bytes import Budget, Pair
from tars_hub.server.rules.tensor_changes import TensorChanges
from tars_hub.server.rules.tensor_files import open_tensors
from tests.server.rules.weights import HEAD, Tensors, file_of, network, with_new_head
from tests.server.running import Site

ALL = 1 << 30
PATH = "model.safetensors"
_numbers = count(1)
Put = Callable[[bytes], File]


def fresh() -> Tensors:
    """A network that no other test has: what the hub holds in one form, it may hold in the other too."""
    return network(next(_numbers))


def by_lfs(site: Site, repo: str, data: bytes, _: Path) -> None:
    site.put_large(repo, "ann", PATH, data)


def by_xet(site: Site, repo: str, data: bytes, folder: Path) -> None:
    """As the real client does it."""
    (folder / PATH).write_bytes(data)
    api = HfApi(endpoint=site.url, token=site.tokens["ann"])
    api.upload_file(path_or_fileobj=folder / PATH, path_in_repo=PATH, repo_id=repo)


@pytest.fixture
def lfs(shared: Site, tmp_path: Path) -> Put:
    return _putter(shared, tmp_path, by_lfs)


@pytest.fixture(params=[by_lfs, by_xet])
def put(shared: Site, tmp_path: Path, request: pytest.FixtureRequest) -> Put:
    return _putter(shared, tmp_path, request.param)


def _putter(shared: Site, folder: Path, way: Any) -> Put:
    name = shared.create(f"ann/t{next(_numbers)}", "ann")

    def kept(data: bytes) -> File:
        way(shared, name, data, folder)
        repo = shared.hub.catalog.repositories.find(name)
        assert repo is not None
        file = revisions.file_at(shared.hub, revisions.commit_at(shared.hub, repo, "main"), PATH)
        assert contents.content_of(shared.hub, file.sha256).plain is (way is by_lfs)
        return file

    return kept


def compared(shared: Site, old: File, new: File, budget: int = ALL) -> tuple[TensorChanges, int]:
    """What differs, and how many bytes were read for it."""
    spent = Budget(budget)
    return tensor_changes.tensor_changes(shared.hub, PATH, old, new, spent), budget - spent.left


def kinds(found: TensorChanges) -> dict[str, str]:
    assert not found.trouble
    return {row.name: row.kind for row in found.rows}


def test_a_new_head_is_all_that_changed(shared: Site, put: Put) -> None:
    tensors = fresh()
    old, new = put(file_of(tensors)), put(file_of(with_new_head(tensors)))
    found, read = compared(shared, old, new)
    assert kinds(found) == dict.fromkeys(HEAD, "changed")
    assert (found.same, found.counts, found.parameters) == (len(tensors) - 2, {"changed": 2}, 5130)
    by_chunks = not contents.content_of(shared.hub, old.sha256).plain
    assert read < (1 << 20 if by_chunks else 2 * old.size + 1)


def test_a_longer_header_moves_tensors_and_changes_none(shared: Site, put: Put) -> None:
    tensors = fresh()
    old, new = put(file_of(tensors)), put(file_of(tensors, note="x" * 1000))
    found, _ = compared(shared, old, new)
    assert (kinds(found), found.same) == ({}, len(tensors))


def test_one_number_at_each_place(shared: Site, put: Put) -> None:
    """The first and the last of a tensor, whose neighbours share chunks with it; and one amid its own chunks."""
    tensors = fresh()
    old = put(file_of(tensors))
    for name, place in {
        "layer2.more.weight": 0,
        "layer3.conv.weight": -1,
        "layer1.bn.bias": 5,
        "layer4.more.weight": 130_000,
    }.items():
        changed = tensors[name].copy()
        changed.flat[place] += 1
        found, _ = compared(shared, old, put(file_of(tensors | {name: changed})))
        assert kinds(found) == {name: "changed"}


def test_added_removed_reshaped_retyped(shared: Site, lfs: Put) -> None:
    tensors: Tensors = {name: np.ones((4, 6), np.float32) for name in ("a", "b", "c", "d")}
    old = lfs(file_of(tensors))
    changed: dict[str, Any] = {"a": tensors["a"], "b": np.ones((6, 4), np.float32), "e": np.ones(3, np.float32)}
    changed["c"] = np.ones((4, 6), np.float16)
    found, _ = compared(shared, old, lfs(file_of(changed)))
    assert kinds(found) == {"b": "reshaped", "c": "retyped", "e": "added", "d": "removed"}
    assert (found.same, found.parameters, found.more) == (1, 24 + 24 + 3, 0)


def test_empty_tensors_and_none_at_all(shared: Site, lfs: Put) -> None:
    nothing, empty = lfs(file_of({})), lfs(file_of({"e": np.zeros((0, 3), np.float32)}))
    assert kinds(compared(shared, nothing, empty)[0]) == {"e": "added"}
    again = lfs(file_of({"e": np.zeros((0, 3), np.float32)}, note="y"))
    assert compared(shared, empty, again)[0].same == 1


def test_what_would_take_too_much_reading_is_not_compared(shared: Site, lfs: Put) -> None:
    tensors = fresh()
    old, new = lfs(file_of(tensors)), lfs(file_of(with_new_head(tensors)))
    found, read = compared(shared, old, new, budget=3 << 20)
    assert read <= 3 << 20
    assert found.counts["unknown"] > 0
    assert not set(found.counts) - {"unknown", "changed"}
    assert found.same + sum(found.counts.values()) == len(tensors)


def test_all_new_numbers_are_seen_at_once(shared: Site, put: Put) -> None:
    old, new = put(file_of(fresh())), put(file_of(fresh()))
    found, read = compared(shared, old, new)
    assert found.counts == {"changed": 19}
    assert read < old.size  # of both: the beginning of each


def test_chunks_that_lie_otherwise_are_read(shared: Site, put: Put) -> None:
    """Pairs of any ranges say what their bytes say."""
    data = file_of(fresh())
    other = bytearray(data[:100_000] + b"123" + data[100_000:])
    for at in range(0, len(other), 70_001):
        other[at] ^= 1
    old, new = put(data), put(bytes(other))
    pair = Pair(shared.hub, old.sha256, new.sha256, Budget(ALL))
    rng = np.random.default_rng(0)
    for _ in range(200):
        start, length = int(rng.integers(0, len(data) - 90_000)), int(rng.integers(0, 90_000))
        for move in (0, 3):
            same = data[start : start + length] == other[start + move : start + move + length]
            assert pair.same(start, start + move, length) is same


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "begins with 8 bytes"),
        (b"\xff" * 100, "header of"),
        (b"\x10" + bytes(7) + b"not json at all!", "not JSON"),
        (file_of({"a": np.ones(9, np.float32)})[:-4], "speaks of a file"),
        ((9 << 20).to_bytes(8, "little") + b" " * (9 << 20), "too long"),
    ],
)
def test_damaged_headers(shared: Site, lfs: Put, data: bytes, said: str) -> None:
    good, bad = lfs(file_of({"a": np.ones(9, np.float32)})), lfs(data)
    for pair in ((good, bad), (bad, good)):
        found, _ = compared(shared, *pair)
        assert said in found.trouble
        assert not found.rows


def test_lost_bytes_are_not_compared(shared: Site, lfs: Put) -> None:
    from tars_hub.server.blobs.interface import Key

    old, new = lfs(file_of(fresh())), lfs(file_of(fresh()))
    shared.hub.blobs.delete(Key("file", new.sha256))
    found, _ = compared(shared, old, new)
    assert "lost" in found.trouble


def test_memory_is_bounded(shared: Site, lfs: Put) -> None:
    """48 MB on each side take no more than a few windows."""
    tensors: Tensors = {f"t{at}": np.full((1 << 20,), at, np.float32) for at in range(12)}
    old = lfs(file_of(tensors))
    new = lfs(file_of(tensors | {"t11": tensors["t10"]}))
    tracemalloc.start()
    found, _ = compared(shared, old, new)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kinds(found) == {"t11": "changed"}
    assert peak < 12 << 20


def test_rows_are_bounded_and_sums_are_not(shared: Site, lfs: Put) -> None:
    many = {f"t{at:05}": np.zeros(1, np.float32) for at in range(3000)}
    found, _ = compared(shared, lfs(file_of({})), lfs(file_of(many)))
    assert (len(found.rows), found.more, found.counts) == (2000, 1000, {"added": 3000})


@pytest.fixture(autouse=True, scope="module")
def turns_are_given_back(shared: Site) -> Iterator[None]:
    yield
    assert shared.hub.turns.acquire(blocking=False)
    assert shared.hub.turns.acquire(blocking=False)
    shared.hub.turns.release(2)


def test_a_header_is_read_alone(shared: Site, lfs: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    file = lfs(file_of(fresh()))
    read: list[tuple[int, int | None]] = []
    real = contents.read

    def noting(hub: Any, sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        read.append((start, end))
        return real(hub, sha256, start, end)

    monkeypatch.setattr("tars_hub.server.rules.tensor_files.read", noting)
    opened = open_tensors(shared.hub, file)
    assert read == [(0, 8), (8, opened.begins)]
    assert opened.begins < 5000
