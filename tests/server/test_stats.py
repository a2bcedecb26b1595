"""What holds the space, in numbers that hold when it is freed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tars_hub.server.stats import Stats, stats
from tests.server.running import done, gone, large
from tests.server.tidying import Attic, attic, packed

ATTRIBUTES = 2108  # bytes of the .gitattributes that every repository begins with


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Attic]:
    with attic(tmp_path / "hub") as found:
        yield found


def look(here: Attic, days: float = 30) -> Stats:
    return stats(here.hub, grace=timedelta(days=days))


def fill(here: Attic) -> None:
    """Three repositories of two owners, with things in common."""
    here.running.create("ann/n", "ann")
    here.running.create("bob/m", "bob")
    here.put_xet(packed(1))
    here.put_xet(packed(2), repo="ann/n")
    here.put_xet(packed(1), repo="ann/n", path="same.bin")
    here.put("a", "one")
    here.put("a", "three")
    here.branch("side")
    here.put("b", "on the side", to="side")
    here.running.put("bob/m", "bob", {"a": b"one", "b": b"four"})
    done(here.running.commit("ann/n", "ann", gone("same.bin")))


def test_an_empty_hub(tmp_path: Path) -> None:
    with attic(tmp_path / "hub") as here:
        here.remove("m")
        here.tidy()
        found = look(here)
        assert (found.all_bytes, found.disk_bytes, found.owners, found.repositories) == (0, 0, (), ())


def test_sizes(here: Attic) -> None:
    fill(here)
    found = look(here)
    shares = {share.name: share for share in found.repositories}
    first, second = (sum(map(len, packed(seed).chunks)) for seed in (1, 2))
    m, n = shares["ann/m"], shares["ann/n"]
    assert m.main_bytes == ATTRIBUTES + first + len("three")
    assert m.all_bytes == m.main_bytes + len("one") + len("on the side")
    assert m.revisions == 5
    assert (n.main_bytes, n.all_bytes) == (ATTRIBUTES + second, ATTRIBUTES + first + second)
    owners = {share.name: share for share in found.owners}
    assert owners["ann"].all_bytes == m.all_bytes + n.all_bytes
    assert owners["ann"].revisions == m.revisions + n.revisions
    assert found.all_bytes == sum(share.all_bytes for share in found.repositories)
    assert found.disk_bytes == sum(here.blobs().values())
    assert (found.totals.repositories, found.totals.commits) == (3, 11)
    assert list(found.repositories) == sorted(found.repositories, key=lambda share: -share.own_bytes)


@pytest.mark.parametrize("name", ["ann/m", "ann/n", "bob/m"])
def test_what_one_alone_holds_is_what_comes_free_without_it(here: Attic, name: str) -> None:
    fill(here)
    alone = {share.name: share.own_bytes for share in look(here).repositories}
    who, _, _ = name.partition("/")
    done(here.running.ask("DELETE", "/api/repos/delete", who, json={"name": name.partition("/")[2]}))
    assert here.tidy().blob_bytes == alone[name] > 0


def test_what_an_owner_alone_holds(here: Attic) -> None:
    fill(here)
    alone = {share.name: share.own_bytes for share in look(here).owners}
    here.remove("m")
    here.remove("n")
    assert here.tidy().blob_bytes == alone["ann"]


def test_it_says_what_would_be_freed_and_changes_nothing(here: Attic) -> None:
    fill(here)
    here.drop("side")
    here.remove("n")
    here.age(2)
    here.running.upload("ann/m", "ann", b"never")
    before = here.rows(), here.blobs()
    found = look(here, 1)
    assert (here.rows(), here.blobs()) == before
    assert found.tidied == here.tidy(1)
    assert (found.tidied.held_blobs, found.tidied.held_bytes) == (1, len("never"))
    assert len(found.repositories) == 2


def test_contents_that_are_named_by_no_commit_count_as_the_repository_s_own(here: Attic) -> None:
    here.running.upload("ann/m", "ann", b"never")
    [share] = look(here).repositories
    assert (share.all_bytes, share.own_bytes) == (ATTRIBUTES, ATTRIBUTES + len("never"))


def test_one_of_which_a_part_is_lost(here: Attic) -> None:
    fill(here)
    with here.catalog.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM trees WHERE oid = (SELECT tree FROM commits ORDER BY rowid LIMIT 1)")
    found = look(here)
    assert found.tidied.lost
    assert len(found.repositories) == 3


def test_large_files_by_lfs(here: Attic) -> None:
    name = here.running.upload("ann/m", "ann", b"x" * 1000)
    done(here.running.commit("ann/m", "ann", large("a.bin", name), large("b.bin", name)))
    [share] = look(here).repositories
    assert share.main_bytes == ATTRIBUTES + 1000
