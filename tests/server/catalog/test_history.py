"""Refs, commits, trees and files."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from tars_hub.server.catalog.interface import Catalog, RefMovedError
from tars_hub.server.records import MAIN, Commit, Ref, Repo
from tests.server.catalog.samples import NOON, commit, file, keep, push, sha1, sha256, step

TAG = "refs/tags/v1"


def test_a_commit_moves_its_branch(catalog: Catalog, repo: Repo) -> None:
    second = push(catalog, repo, "second", "first", files=(file("a"), file("b", lfs=True)))
    assert catalog.history.ref(repo.id, MAIN) == sha1("second")
    assert catalog.history.log(repo.id, sha1("second")) == [second.commit, commit("first").commit]
    assert catalog.history.trees([second.commit.tree, sha1("no")]) == second.trees
    wanted = {kept.oid: kept for kept in second.files}
    assert catalog.history.files([*wanted, sha1("no")]) == wanted
    assert catalog.contents.linked(repo.id, [sha256("a"), sha256("c")]) == {sha256("a"): True}


def test_who_is_late_changes_nothing(catalog: Catalog, repo: Repo) -> None:
    push(catalog, repo, "second", "first")
    late = commit("late", "first", files=(file("late"),))
    with pytest.raises(RefMovedError) as caught:
        catalog.history.commit(repo.id, late, [step(None, "late", TAG), step("first", "late")])
    assert caught.value.args[0] == MAIN
    assert catalog.history.refs(repo.id) == [Ref(name=MAIN, commit=sha1("second"))]
    assert catalog.history.find_commit(repo.id, sha1("late")) is None
    assert catalog.history.trees([late.commit.tree]) == {}
    assert catalog.contents.linked(repo.id, [sha256("late")]) == {}


def test_storing_it_again_is_no_error(catalog: Catalog, repo: Repo) -> None:
    second = push(catalog, repo, "second", "first", files=(file("a"), file("a")))
    catalog.history.commit(repo.id, second, [step(None, "second", TAG)])
    catalog.history.commit(repo.id, second, [])
    assert catalog.history.refs(repo.id) == [
        Ref(name=MAIN, commit=sha1("second")),
        Ref(name=TAG, commit=sha1("second")),
    ]


@pytest.mark.parametrize(
    ("old", "new", "done"),
    [
        (None, "first", True),
        (None, None, True),
        ("first", "second", False),
        ("first", None, False),
    ],
)
def test_a_ref_that_is_not_there(catalog: Catalog, repo: Repo, old: str | None, new: str | None, done: bool) -> None:
    if done:
        catalog.history.move_refs(repo.id, [step(old, new, TAG)])
    else:
        with pytest.raises(RefMovedError, match=TAG):
            catalog.history.move_refs(repo.id, [step(old, new, TAG)])
    assert catalog.history.ref(repo.id, TAG) == (sha1(new) if done and new else None)


@pytest.mark.parametrize(
    ("old", "new", "done"),
    [
        ("first", "other", True),
        ("first", None, True),
        ("first", "first", True),
        (None, "other", False),
        (None, None, False),
        ("other", "first", False),
        ("other", None, False),
    ],
)
def test_a_ref_that_is_there(catalog: Catalog, repo: Repo, old: str | None, new: str | None, done: bool) -> None:
    catalog.history.commit(repo.id, commit("other"), [])
    if done:
        catalog.history.move_refs(repo.id, [step(old, new)])
    else:
        with pytest.raises(RefMovedError, match=MAIN):
            catalog.history.move_refs(repo.id, [step(old, new)])
    wanted = (sha1(new) if new else None) if done else sha1("first")
    assert catalog.history.ref(repo.id, MAIN) == wanted


def test_all_refs_move_or_none(catalog: Catalog, repo: Repo) -> None:
    with pytest.raises(RefMovedError):
        catalog.history.move_refs(repo.id, [step(None, "first", TAG), step("first", "x"), step("first", "y")])
    assert catalog.history.refs(repo.id) == [Ref(name=MAIN, commit=sha1("first"))]


def test_refs_come_by_name_and_are_exact(catalog: Catalog, repo: Repo) -> None:
    names = ["refs/heads/Dev", "refs/heads/dev", "refs/pr/3"]
    catalog.history.move_refs(repo.id, [step(None, "first", name) for name in reversed(names)])
    assert [ref.name for ref in catalog.history.refs(repo.id)] == [names[0], names[1], MAIN, names[2]]


def test_a_repository_that_is_gone_takes_no_commit(catalog: Catalog, repo: Repo) -> None:
    catalog.repositories.remove(repo.id)
    for change in (step("first", "second"), step(None, "second")):
        with pytest.raises(RefMovedError):
            catalog.history.commit(repo.id, commit("second", "first"), [change])


def test_times_and_texts_come_back_exactly(catalog: Catalog, repo: Repo) -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    made = Commit(
        oid=sha1("x"),
        tree=sha1("tree"),
        parents=(sha1("first"), sha1("aside"), sha1("third")),
        author="Zoë 🐈",
        at=datetime(2026, 11, 5, 23, 59, 59, 999999, tzinfo=east),
        message="Title\r\n\n\tbody 'quoted' \"%s\" \x00 end\n",
    )
    for parent in ("aside", "third"):
        catalog.history.commit(repo.id, commit(parent), [])
    catalog.history.commit(repo.id, replace(commit("x"), commit=made), [])
    found = catalog.history.find_commit(repo.id, made.oid)
    assert found == made
    assert found.at.tzinfo == timezone.utc
    whole = replace(made, oid=sha1("whole"), at=NOON.replace(microsecond=0))
    catalog.history.commit(repo.id, replace(commit("x"), commit=whole), [])
    assert catalog.history.find_commit(repo.id, whole.oid) == whole


def test_a_time_without_zone_is_refused(catalog: Catalog, repo: Repo) -> None:
    naive = replace(commit("x").commit, at=NOON.replace(tzinfo=None))
    with pytest.raises(Exception, match="time zone"):
        catalog.history.commit(repo.id, replace(commit("x"), commit=naive), [])
    assert catalog.history.find_commit(repo.id, sha1("x")) is None


def test_a_commit_is_found_by_a_unique_beginning(catalog: Catalog, repo: Repo) -> None:
    oids = ["a" * 40, "ab" + "0" * 38, "abf" + "f" * 37, "f" * 40]
    for oid in oids:
        made = replace(commit("x").commit, oid=oid)
        catalog.history.commit(repo.id, replace(commit("x"), commit=made), [])

    def found(prefix: str) -> str | None:
        commit_found = catalog.history.find_commit(repo.id, prefix)
        return commit_found.oid if commit_found else None

    assert [found(oid) for oid in oids] == oids
    assert [found(prefix) for prefix in ("aa", "ab0", "abf", "f", "ABF")] == [
        oids[0],
        oids[1],
        oids[2],
        oids[3],
        oids[2],
    ]
    assert [found(prefix) for prefix in ("a", "ab", "", "b", "ff0", "g", "%", "a" * 41, "_b")] == [None] * 9


def test_a_commit_belongs_to_its_repository(catalog: Catalog, repo: Repo) -> None:
    other = catalog.repositories.add("Bob", "Dogs", private=True, first=commit("other"))
    assert catalog.history.find_commit(repo.id, sha1("other")) is None
    assert catalog.history.log(repo.id, sha1("other")) == []
    catalog.history.commit(other.id, commit("first"), [])
    assert catalog.history.find_commit(other.id, sha1("first")) == commit("first").commit


def test_the_log_follows_first_parents(catalog: Catalog, repo: Repo) -> None:
    catalog.history.commit(repo.id, commit("side", "first"), [])
    merge = commit("merge", "first")
    both = replace(merge, commit=replace(merge.commit, parents=(sha1("first"), sha1("side"))))
    catalog.history.commit(repo.id, both, [step("first", "merge")])
    assert catalog.history.log(repo.id, sha1("merge")) == [both.commit, commit("first").commit]


def test_a_long_log(catalog: Catalog, repo: Repo) -> None:
    names = ["first", *(str(number) for number in range(400))]
    for parent, name in itertools.pairwise(names):
        catalog.history.commit(repo.id, commit(name, parent), [])
    newest = [sha1(name) for name in reversed(names)]

    def log(skip: int, limit: int) -> list[str]:
        return [found.oid for found in catalog.history.log(repo.id, newest[0], skip=skip, limit=limit)]

    assert log(0, 10_000) == newest
    assert log(0, 1) == newest[:1]
    assert log(390, 20) == newest[390:]
    assert log(200, 10) == newest[200:210]
    assert log(500, 10) == log(0, 0) == []


def test_thousands_of_ids(catalog: Catalog, repo: Repo) -> None:
    many = tuple(file(str(number)) for number in range(3000))
    new = replace(commit("second", "first", files=many), trees={sha1(f"t{n}"): str(n).encode() for n in range(3000)})
    keep(catalog, *many)
    catalog.history.commit(repo.id, new, [step("first", "second")])
    assert catalog.history.files([kept.oid for kept in many]) == {kept.oid: kept for kept in many}
    assert catalog.history.trees(list(new.trees)) == new.trees
    assert set(catalog.contents.linked(repo.id, [kept.sha256 for kept in many]).values()) == {True}
    assert catalog.history.trees([]) == {}
    assert catalog.history.files(()) == {}
