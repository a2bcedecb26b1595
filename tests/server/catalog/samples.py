"""Commits, files and recipes that look like real ones."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

from tars_hub.server.catalog.interface import Catalog
from tars_hub.server.records import MAIN, Commit, Facts, File, NewCommit, Recipe, RefChange, Repo, Term, Xorb

NOON = datetime(2026, 11, 5, 12, 0, 0, 123456, tzinfo=timezone.utc)


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()  # noqa: S324  # git's


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def file(text: str, *, lfs: bool = False) -> File:
    return File(oid=sha1(f"blob {text}"), sha256=sha256(text), size=len(text), lfs=lfs)


def commit(
    name: str,
    parent: str | None = None,
    *,
    files: tuple[File, ...] = (),
    facts: Facts | None = None,
    minutes: int = 0,
) -> NewCommit:
    """A commit whose oid is `sha1(name)`, on top of the one of that name."""
    made = Commit(
        oid=sha1(name),
        tree=sha1(f"tree {name}"),
        parents=(sha1(parent),) if parent else (),
        author="Ann",
        at=NOON + timedelta(minutes=minutes),
        message=f"{name}\n\nand why",
    )
    return NewCommit(commit=made, trees={made.tree: f"tree of {name}".encode()}, files=files, facts=facts)


def step(old: str | None, new: str | None, name: str = MAIN) -> RefChange:
    """A ref's step between commits called so."""
    return RefChange(name=name, old=sha1(old) if old else None, new=sha1(new) if new else None)


def keep(catalog: Catalog, *files: File) -> None:
    """The contents of these files."""
    catalog.contents.add_plain({one.sha256: one.size for one in files})


def keep_recipe(catalog: Catalog, made: Recipe, *chunks: str, repo_id: int | None = None) -> None:
    """A recipe, after the xorbs that it names."""
    for name in {term.xorb for term in made.terms}:
        if name not in catalog.contents.xorbs([name]):
            catalog.contents.add_xorb(Xorb(hash=name, size=1000, unpacked_size=2000, chunks=b""))
    catalog.contents.add_recipe(made, chunks=chunks, repo_id=repo_id)


def push(catalog: Catalog, repo: Repo, name: str, parent: str, **what: object) -> NewCommit:
    """Commit to the main branch, files that are kept."""
    new = commit(name, parent, **what)  # type: ignore[arg-type]
    keep(catalog, *new.files)
    catalog.history.commit(repo.id, new, [step(parent, name)])
    return new


def xorb(name: str) -> Xorb:
    return Xorb(hash=sha256(f"xorb {name}"), size=1000, unpacked_size=2000, chunks=name.encode())


def recipe(content: str, terms: int = 2) -> Recipe:
    run = [Term(xorb=xorb(str(n)).hash, start=n, end=n + 5, unpacked_size=2**40 + n) for n in range(terms)]
    names = {"hash": sha256(f"xet {content}"), "sha256": sha256(content)}
    return Recipe(**names, size=len(content), packed_size=len(content) // 2, terms=tuple(run))
