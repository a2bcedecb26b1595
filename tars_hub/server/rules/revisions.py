"""Revisions: what a branch, a tag or a commit's id stands for, and the files in it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from tars_hub.server.catalog.interface import RefMovedError
from tars_hub.server.errors import (
    BusyError,
    ConflictError,
    EntryNotFoundError,
    ForbiddenError,
    RevisionNotFoundError,
)
from tars_hub.server.hub import Hub
from tars_hub.server.names import check_ref
from tars_hub.server.records import BRANCHES, MAIN, TAGS, Commit, File, RefChange, Repo
from tars_hub.server.rules.freed import naming
from tars_hub.server.trees import REMOVED, Place, find, find_many, walk

_COMMIT = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True)
class Entry:
    """A file or folder of a revision; `file` is None for a folder."""

    path: str
    oid: str
    file: File | None


def commit_at(hub: Hub, repo: Repo, revision: str) -> Commit:
    """The commit that a branch, tag, full ref or (beginning of a) commit id stands for.

    Raises:
        RevisionNotFoundError: nothing of that name in this repository.
    """
    # Twice: a branch may have left the commit that it stood at, and that commit may be freed by now.
    commit = _commit_at(hub, repo, revision) or _commit_at(hub, repo, revision)
    if commit is None:
        raise RevisionNotFoundError(f"Invalid rev id: {repo.full_name} has no branch, tag or commit {revision[:200]!r}")
    return commit


def _commit_at(hub: Hub, repo: Repo, revision: str) -> Commit | None:
    history = hub.catalog.history
    oid = None
    for name in _ref_names(revision):
        oid = oid or history.ref(repo.id, name)
    if oid is not None:
        return history.find_commit(repo.id, oid)
    return history.find_commit(repo.id, revision) if _COMMIT.fullmatch(revision) else None


def _ref_names(revision: str) -> tuple[str, ...]:
    if revision == "HEAD":
        return (MAIN,)
    if revision.startswith("refs/"):
        return (revision,)
    return f"{BRANCHES}{revision}", f"{TAGS}{revision}"


def branch_ref(hub: Hub, repo: Repo, revision: str) -> str:
    """The full name of the branch, or of the pull request, that a commit to this revision goes to.

    Raises:
        RevisionNotFoundError: none of these.
    """
    full = revision if revision.startswith((BRANCHES, "refs/pr/")) else f"{BRANCHES}{revision}"
    if hub.catalog.history.ref(repo.id, full) is None:
        raise RevisionNotFoundError(f"Invalid rev id: {repo.full_name} has no branch {revision[:200]!r} to commit to")
    return full


def entries(hub: Hub, commit: Commit, path: str = "", *, recursive: bool = True) -> list[Entry]:
    """What lies below a folder of a revision.

    Raises:
        EntryNotFoundError: no such folder; a file is none.
    """
    return entries_of(hub, places(hub, commit, path, recursive=recursive))


def places(hub: Hub, commit: Commit, path: str = "", *, recursive: bool = False) -> list[Place]:
    """Where what lies below a folder of a revision is, and nothing more of it. Raises EntryNotFoundError."""
    load = hub.catalog.history.trees
    top = find(load, commit.tree, path)
    if top is None or not top.is_tree:
        raise EntryNotFoundError(f"{path[:200]!r} is no folder of this revision", commit.oid)
    return list(walk(load, top.oid, within=top.path, recursive=recursive))


def entries_of(hub: Hub, places: list[Place]) -> list[Entry]:
    """What stands at these places."""
    return list(_entries(hub, places))


def _entries(hub: Hub, places: list[Place]) -> Iterator[Entry]:
    files = hub.catalog.history.files({place.oid for place in places if not place.is_tree})
    for place in places:
        if not place.is_tree and place.oid not in files:
            raise BusyError(f"file {place.oid} is not there: {REMOVED}")
        yield Entry(place.path, place.oid, None if place.is_tree else files[place.oid])


def entry_at(hub: Hub, commit: Commit, path: str) -> Entry | None:
    """A file or folder of a revision by its path, None where there is none."""
    return entries_at(hub, commit, [path]).get(path)


def used_bytes(found: Iterable[Entry]) -> int:
    """What the files take up, in bytes; the same content counts once."""
    return sum({entry.file.sha256: entry.file.size for entry in found if entry.file}.values())


def entries_at(hub: Hub, commit: Commit, paths: Collection[str]) -> dict[str, Entry]:
    """Files and folders of a revision by their paths, without those that are not there."""
    places = find_many(hub.catalog.history.trees, commit.tree, paths)
    return {entry.path: entry for entry in _entries(hub, list(places.values()))}


def file_at(hub: Hub, commit: Commit, path: str) -> File:
    """A file of a revision.

    Raises:
        EntryNotFoundError: no such file; a folder is none.
    """
    entry = entry_at(hub, commit, path)
    if entry is None or entry.file is None:
        raise EntryNotFoundError(f"A file with this name doesn't exist: {path[:200]!r}", commit.oid)
    return entry.file


def add_branch(hub: Hub, repo: Repo, name: str, start: str | None) -> None:
    """Make a branch at a revision, by default where main is. Raises ConflictError if it is there."""
    _add_ref(hub, repo, BRANCHES, name, commit_at(hub, repo, start or "main"))


def add_tag(hub: Hub, repo: Repo, name: str, revision: str) -> None:
    """Name a revision. Raises ConflictError if the tag is there."""
    _add_ref(hub, repo, TAGS, name, commit_at(hub, repo, revision))


def _add_ref(hub: Hub, repo: Repo, kind: str, name: str, commit: Commit) -> None:
    check_ref(name)
    try:
        with naming():
            hub.catalog.history.move_refs(repo.id, [RefChange(name=kind + name, old=None, new=commit.oid)])
    except RefMovedError:
        raise ConflictError(f"Reference {kind}{name} already exists") from None


def remove_branch(hub: Hub, repo: Repo, name: str) -> None:
    """Forget a branch; main stays."""
    if f"{BRANCHES}{name}" == MAIN:
        raise ForbiddenError(f"Cannot delete {MAIN}")
    _remove_ref(hub, repo, f"{BRANCHES}{name}")


def remove_tag(hub: Hub, repo: Repo, name: str) -> None:
    """Forget a tag."""
    _remove_ref(hub, repo, f"{TAGS}{name}")


def _remove_ref(hub: Hub, repo: Repo, full: str) -> None:
    old = hub.catalog.history.ref(repo.id, full)
    if old is None:
        raise RevisionNotFoundError(f"Invalid rev id: {repo.full_name} has no {full[:200]}")
    try:
        hub.catalog.history.move_refs(repo.id, [RefChange(name=full, old=old, new=None)])
    except RefMovedError:
        raise ConflictError(f"{full} was moved by somebody else meanwhile; try again") from None
