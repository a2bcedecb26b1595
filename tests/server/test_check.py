"""Whatever is wrong is named, and what is right is not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Table, delete, update

from tars_hub.server.catalog import schema
from tars_hub.server.catalog.sql import SqlCatalog
from tars_hub.server.check import check
from tars_hub.server.hub import Hub
from tars_hub.server.records import Content
from tars_hub.server.settings import Settings
from tars_hub.server.start import opened
from tests.server.rules.by_hand import FileClaim, Packed, packed, upload, whole
from tests.server.running import Site, done, large, site, small

SMALL, PLAIN = b"# a small file", b"a large file of one piece " * 500


class Kept:
    """A hub with one of everything, and hands to damage it."""

    def __init__(self, running: Site, folder: Path) -> None:
        self.hub, self.folder = running.hub, folder
        running.add("ann")
        running.create("ann/m", "ann")
        self.first = running.put("ann/m", "ann", {"README.md": SMALL, "a/b/c.txt": b"deep"})
        running.upload("ann/m", "ann", PLAIN)
        self.chunked: Packed = packed(1)
        self.file: FileClaim = upload(running, "ann/m", "ann", *whole(self.chunked))
        assert self.file.sha256
        done(running.commit("ann/m", "ann", large("p.bin", _sha256(PLAIN)), large("x.bin", self.file.sha256)))
        done(running.ask("POST", "/api/models/ann/m/branch/side", "ann", json={"startingPoint": self.first}))
        self.side = str(done(running.commit("ann/m", "ann", small("side", b"s"), to="side")).json()["commitOid"])

    def path(self, kind: str, name: str) -> Path:
        return self.folder / "blobs" / kind / name[:2] / name[2:4] / name

    def write(self, statement: object) -> None:
        catalog = self.hub.catalog
        assert isinstance(catalog, SqlCatalog)
        with catalog.database.writing() as connection:
            assert connection.execute(statement).rowcount == 1  # type: ignore[call-overload]

    def problems(self) -> list[str]:
        return list(check(self.hub, lambda *_: None))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with opened(Settings(data=tmp_path)) as hub, site(hub) as running:
        yield Kept(running, tmp_path)


def flip(path: Path, at: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def test_a_sound_hub_and_how_far_it_is(kept: Kept) -> None:
    told: list[tuple[int, int, int]] = []
    assert list(check(kept.hub, lambda *state: told.append(state))) == []
    assert [done for done, _, _ in told] == list(range(1, told[0][1] + 1))
    blobs = [path.stat().st_size for path in (kept.folder / "blobs").rglob("*") if path.is_file()]
    assert told[-1][2] >= sum(blobs)


def test_an_empty_hub(hub: Hub) -> None:
    assert list(check(hub, lambda *_: None)) == []


@pytest.mark.parametrize("damage", [flip, truncate, remove, empty, lambda path: flip(path, 0)])
@pytest.mark.parametrize("data", [SMALL, PLAIN])
def test_a_content_of_one_piece(kept: Kept, damage: Callable[[Path], None], data: bytes) -> None:
    damage(kept.path("file", _sha256(data)))
    first, *more = kept.problems()
    assert first.startswith(f"content {_sha256(data)} ")
    named = [problem for problem in more if f"content {_sha256(data)} has another git id" not in problem]
    assert named
    assert all(problem.endswith(f" is {_sha256(data)}, which cannot be read") for problem in named)


@pytest.mark.parametrize(
    "damage", [flip, truncate, remove, empty, lambda path: flip(path, 0), lambda path: flip(path, 5)]
)
def test_a_xorb(kept: Kept, damage: Callable[[Path], None]) -> None:
    damage(kept.path("xorb", kept.chunked.name))
    problems = kept.problems()
    assert problems[0].startswith(f"xorb {kept.chunked.name} ")
    assert problems[1].startswith(f"content {kept.file.sha256} ")
    assert problems[2:]
    assert all(problem.endswith(f" is {kept.file.sha256}, which cannot be read") for problem in problems[2:])


def test_the_table_of_a_xorb(kept: Kept) -> None:
    kept.write(update(schema.xorbs).values(chunks=packed(2).name.encode()[:40]))
    assert any(problem.startswith(f"xorb {kept.chunked.name} ") for problem in kept.problems())


@pytest.mark.parametrize("values", [{"sha256": "a" * 64}, {"terms": b""}])
def test_a_recipe(kept: Kept, values: dict[str, object]) -> None:
    kept.write(update(schema.recipes).values(values))
    assert any(problem.startswith("content ") for problem in kept.problems())


def test_a_recipe_of_a_xorb_that_is_not_in_the_catalogue(kept: Kept) -> None:
    kept.write(delete(schema.xorbs))
    problem, *named = kept.problems()
    assert problem.startswith(f"content {kept.file.sha256} cannot be put together")
    assert all(each.endswith("which cannot be read") for each in named)


ROWS: dict[str, tuple[Table, str, str]] = {
    "tree": (schema.trees, "oid", "is missing"),
    "commit": (schema.commits, "oid", "is missing"),
    "file": (schema.files, "oid", "is missing"),
    "content": (schema.contents, "sha256", "is not kept"),
    "link": (schema.repository_contents, "sha256", "is not linked"),
}


def _row(kept: Kept, kind: str) -> str:
    head = kept.hub.catalog.history.find_commit(1, kept.first)
    assert head is not None
    from tars_hub.server.gitobjects import blob_oid

    names = {"tree": head.tree, "commit": kept.first, "file": blob_oid(SMALL)}
    return names.get(kind, _sha256(SMALL))


@pytest.mark.parametrize("kind", ["tree", "file", "content", "link"])
def test_a_row_that_is_gone(kept: Kept, kind: str) -> None:
    table, column, says = ROWS[kind]
    name = _row(kept, kind)
    kept.write(delete(table).where(table.c[column] == name))
    problems = kept.problems()
    assert problems
    assert all(problem.startswith("ann/m at ") and name in problem and says in problem for problem in problems)


def test_a_commit_that_is_gone(kept: Kept) -> None:
    kept.write(delete(schema.repository_commits).where(schema.repository_commits.c.oid == kept.first))
    [problem] = kept.problems()
    assert problem.startswith(f"ann/m: commit {kept.first}")


def test_a_tree_that_is_another(kept: Kept) -> None:
    name = _row(kept, "tree")
    other = next(iter(kept.hub.catalog.history.trees([name]).values()))[:-1] + b"x"
    kept.write(update(schema.trees).where(schema.trees.c.oid == name).values(encoded=other))
    assert any(f"tree {name} is damaged" in problem for problem in kept.problems())


@pytest.mark.parametrize(
    "values", [{"message": "other"}, {"author": "bob"}, {"tree": "4b825dc642cb6eb9a060e54bf8d69288fbee4904"}]
)
def test_a_commit_that_is_another(kept: Kept, values: dict[str, str]) -> None:
    kept.write(update(schema.commits).where(schema.commits.c.oid == kept.side).values(values))
    assert any(f"at {kept.side[:12]}: the commit's text has another id" in problem for problem in kept.problems())


@pytest.mark.parametrize("size", [0, len(PLAIN) + 1])
def test_a_size_that_is_another(kept: Kept, size: int) -> None:
    kept.write(update(schema.contents).where(schema.contents.c.sha256 == _sha256(PLAIN)).values(size=size))
    assert any(_sha256(PLAIN) in problem for problem in kept.problems())


def test_a_pointer_that_is_another(kept: Kept) -> None:
    assert kept.file.sha256
    wrong = update(schema.files).where(schema.files.c.sha256 == kept.file.sha256)
    kept.write(wrong.values(sha256=_sha256(PLAIN), size=len(PLAIN)))
    assert any("pointer" in problem for problem in kept.problems())


def test_a_small_file_that_is_another(kept: Kept) -> None:
    """What git calls a file, and what is kept of it, must be the same."""
    wrong = update(schema.files).where(schema.files.c.sha256 == _sha256(SMALL))
    kept.write(wrong.values(sha256=_sha256(b"deep"), size=4))
    assert any("ann/m at " in problem for problem in kept.problems())


def test_all_pages_are_read(hub: Hub) -> None:
    """More than one question brings."""
    for number in range(450):
        hub.catalog.contents.add_plain({f"{number:064x}": 1})
    problems = list(check(hub, lambda *_: None))
    assert len(problems) == len(set(problems)) == 450
    assert Content(sha256="0" * 64, size=1, plain=True, xet="") in hub.catalog.contents.all_plain("", 1)


def test_a_xorb_that_is_not_noted_to_be_needed(kept: Kept) -> None:
    """Housekeeping would free it."""
    kept.write(delete(schema.recipe_xorbs))
    [problem] = kept.problems()
    assert problem.startswith(f"content {kept.file.sha256} is whole")
    assert problem.endswith(f"needs xorb {kept.chunked.name}")


def test_a_content_without_any_form(kept: Kept) -> None:
    kept.write(delete(schema.recipes))
    [problem] = [problem for problem in kept.problems() if "neither" in problem]
    assert problem.startswith("ann/m at ")
    assert kept.file.sha256 in problem


@pytest.mark.parametrize("method", ["_check_plain", "_check_xorb", "_check_recipe", "_check_repo"])
def test_what_is_freed_meanwhile_is_not_wrong(kept: Kept, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Between the list of what is there and the look at it."""
    from datetime import timedelta

    from tars_hub.server import check as checking
    from tars_hub.server.tidy import tidy

    real = getattr(checking, method)

    def late(*args: object) -> Iterator[str]:
        monkeypatch.setattr(checking, method, real)
        kept.hub.catalog.repositories.remove(1)
        assert tidy(kept.hub, grace=timedelta(0)).blobs > 3
        yield from real(*args)

    monkeypatch.setattr(checking, method, late)
    assert kept.problems() == []


def test_a_branch_that_moves_while_it_is_checked(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from tars_hub.server.records import RefChange
    from tars_hub.server.tidy import tidy

    history = kept.hub.catalog.history
    real = history.refs

    def late(repo_id: int) -> object:
        found = real(repo_id)
        monkeypatch.setattr(history, "refs", real)
        history.move_refs(repo_id, [RefChange(name="refs/heads/side", old=kept.side, new=None)])
        tidy(kept.hub, grace=timedelta(0))
        return found

    monkeypatch.setattr(history, "refs", late)
    assert kept.problems() == []
