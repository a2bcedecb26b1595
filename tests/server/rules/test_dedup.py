"""What uploads are told of chunks that are there already."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import count

import pytest

from tars_hub.server.xet.hashes import is_dedup_eligible, keyed, to_text
from tests.server.rules.by_hand import Packed, Store, packed, store, upload, whole
from tests.server.running import Site, done, line, site

_seeds = count(7000)


@pytest.fixture
def running() -> Iterator[Site]:
    with site() as found:
        found.add("ann", "bob")
        found.create("ann/m", "ann")
        yield found


def push(running: Site, repo: str, who: str, *parts: tuple[Packed, int, int]) -> None:
    made = upload(running, repo, who, *parts)
    size = sum(run.size for run in made.runs)
    named = {"path": "model.safetensors", "algo": "sha256", "oid": made.sha256, "size": size}
    done(running.commit(repo, who, line("lfsFile", **named)))


def told(to: Store, raw: bytes, upload_name: str = "") -> set[bytes]:
    """All that an answer could name to this user: keyed hashes of 32 bytes, at any place in it."""
    headers = {"X-Xet-Session-Id": upload_name} if upload_name else {}
    answer = to.site.get(f"{to.url}/v1/chunks/default/{to_text(raw)}", to.token, headers=headers)
    assert answer.status_code in (200, 404)
    if answer.status_code == 404:
        return set()
    return {answer.content[at : at + 32] for at in range(0, len(answer.content) - 31, 8)}


def names(running: Site, who: str, source: Packed) -> list[bytes]:
    """A xorb's chunks as an answer to this user would name them."""
    key = hashlib.sha256(running.hub.catalog.secret + who.encode()).digest()
    return [keyed(raw, key) for raw, _ in source.hashes]


def unknown() -> bytes:
    """The hash of a chunk that only a file's beginning is asked about for."""
    found = (hashlib.sha256(b"%d" % seed).digest() for seed in _seeds)
    return next(raw for raw in found if not is_dedup_eligible(raw))


class TestFirstChunks:
    def test_an_unknown_one_is_answered_by_what_the_repository_holds(self, running: Site) -> None:
        there = packed(next(_seeds))
        push(running, "ann/m", "ann", *whole(there))
        found = told(store(running, "ann/m", "ann"), unknown(), "one upload")
        assert set(names(running, "ann", there)) <= found

    def test_once_for_each_upload(self, running: Site) -> None:
        push(running, "ann/m", "ann", *whole(packed(next(_seeds))))
        to = store(running, "ann/m", "ann")
        assert [bool(told(to, unknown(), name)) for name in ("one", "one", "two", "")] == [
            True,
            False,
            True,
            False,
        ]

    def test_others_that_are_unknown_are_not_answered(self, running: Site) -> None:
        push(running, "ann/m", "ann", *whole(packed(next(_seeds))))
        eligible = next(
            raw for raw in (hashlib.sha256(b"%d" % seed).digest() for seed in count()) if is_dedup_eligible(raw)
        )
        assert not told(store(running, "ann/m", "ann"), eligible, "one upload")

    def test_in_a_new_repository_by_the_owners_latest(self, running: Site) -> None:
        there, theirs = packed(next(_seeds)), packed(next(_seeds))
        push(running, "ann/m", "ann", *whole(there))
        running.create("bob/secret", "bob", private=True)
        push(running, "bob/secret", "bob", *whole(theirs))
        running.create("ann/new", "ann")
        found = told(store(running, "ann/new", "ann"), unknown(), "one upload")
        assert set(names(running, "ann", there)) <= found
        assert not set(names(running, "ann", theirs)) & found

    def test_a_proposal_learns_nothing_of_the_owners_private_models(self, running: Site) -> None:
        running.create("ann/secret", "ann", private=True)
        push(running, "ann/secret", "ann", *whole(packed(next(_seeds))))
        to = store(running, "ann/m", "bob", revision="None")
        assert not told(to, unknown(), "one upload")


def test_of_a_shared_xorb_only_what_may_be_known_is_told(running: Site) -> None:
    shared = packed(next(_seeds), 9000, 9000, 9000)
    running.create("ann/secret", "ann", private=True)
    running.create("bob/m", "bob")
    push(running, "ann/m", "ann", (shared, 0, 1))
    push(running, "ann/secret", "ann", (shared, 1, 3))
    public, *private = names(running, "bob", shared)
    found = told(store(running, "bob/m", "bob"), shared.hashes[0][0])
    assert public in found
    assert not set(private) & found
