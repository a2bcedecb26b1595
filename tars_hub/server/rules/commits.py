"""Commits: a list of changes becomes one new revision, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TypeAlias

from tars_hub.server.catalog.interface import RefMovedError
from tars_hub.server.errors import (
    BranchMovedError,
    ConflictError,
    EntryNotFoundError,
    FreedError,
    HubError,
    NotFoundError,
    TooLargeError,
    UnprocessableError,
)
from tars_hub.server.gitobjects import blob_oid, new_commit, pointer
from tars_hub.server.hub import Hub
from tars_hub.server.names import check_path
from tars_hub.server.records import MAIN, Caller, Commit, Facts, File, NewCommit, RefChange, Repo
from tars_hub.server.rules.cards import facts_at
from tars_hub.server.rules.freed import naming
from tars_hub.server.rules.quotas import check_files
from tars_hub.server.trees import NotAFolderError, Place, change, walk
from tars_hub.server.wire.commits import Gone, Large

_SHORTEST_ID = 7  # of hex digits by which a commit may be named
_TRIES = 50  # against others who commit to the same branch without a pause


@dataclass(frozen=True)
class AddFile:
    """Put a file in place whose content is kept already, as git holds it."""

    path: str
    file: File


Operation: TypeAlias = AddFile | Large | Gone


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a commit is to be.

    Attributes:
        parent: the commit, or the beginning of its id, that the branch must stand at; empty for any.
    """

    summary: str
    description: str = ""
    parent: str = ""
    operations: Sequence[Operation] = field(default_factory=tuple)

    @property
    def message(self) -> str:
        return f"{self.summary}\n\n{self.description}".strip() if self.description else self.summary


def commit(hub: Hub, caller: Caller, repo: Repo, ref: str, order: Order) -> Commit:
    """Make the next revision of a branch; the changes apply to wherever it stands by then.

    Nothing changed means no new commit: the branch's last one is returned.

    Raises:
        BranchMovedError: `order.parent` names a commit that the branch does not stand at.
        EntryNotFoundError: a file to take out is not there.
        FreedError: a content was uploaded so long ago that it was freed just now.
        HubError: a large file was never uploaded to this repository, or something is beyond a limit or the owner's
            quota.
    """
    _check(hub, order)
    files = _files(hub, repo, order.operations)
    check_files(hub, repo, files.values(), caller=caller)
    for _ in range(_TRIES):
        head = _head(hub, repo, ref)
        if order.parent and not _is_named(head, order.parent):
            if _is_made(hub, caller, repo, head, order, files):
                return head
            raise _moved(head, order.parent)
        try:
            new = _next(hub, caller, head, order, files)
        except EntryNotFoundError:
            if _is_made(hub, caller, repo, head, order, files):
                return head
            raise
        if new is None:
            return head
        facts = _facts(hub, new) if ref == MAIN else None
        new = NewCommit(commit=new.commit, trees=new.trees, files=new.files, facts=facts)
        try:
            with naming():
                hub.catalog.history.commit(repo.id, new, [RefChange(name=ref, old=head.oid, new=new.commit.oid)])
        except RefMovedError:
            continue  # somebody was faster: the same changes go on top of theirs
        return new.commit
    raise ConflictError(f"{ref} of {repo.full_name} moves too fast; try again")


def _facts(hub: Hub, new: NewCommit) -> Facts:
    try:
        return facts_at(hub, new)
    except NotFoundError as error:
        raise FreedError(f"{error}; upload it again") from None


def prepare(hub: Hub, caller: Caller, repo: Repo, head: Commit, order: Order) -> NewCommit | None:
    """The commit that an order makes on top of `head`, not stored yet; None where nothing would change.

    Raises like `commit`, but for what the branch is at.
    """
    _check(hub, order)
    files = _files(hub, repo, order.operations)
    check_files(hub, repo, files.values(), caller=caller)
    return _next(hub, caller, head, order, files)


def _check(hub: Hub, order: Order) -> None:
    if not order.summary.strip():
        raise HubError("a commit needs a summary")
    if len(order.message) > 64 << 10:
        raise TooLargeError("a commit's message may have 65,536 letters")
    if len(order.operations) > hub.limits.commit_files:
        raise TooLargeError(f"a commit may change {hub.limits.commit_files:,} files; make several")
    for operation in order.operations:
        check_path(operation.path, longest=hub.limits.path_bytes)


def _head(hub: Hub, repo: Repo, ref: str) -> Commit:
    oid = hub.catalog.history.ref(repo.id, ref)
    found = hub.catalog.history.find_commit(repo.id, oid) if oid else None
    if found is None:
        raise ConflictError(f"{ref} of {repo.full_name} was removed meanwhile")
    return found


def _is_named(commit: Commit, oid: str) -> bool:
    """Whether an id, or the beginning of one, is this commit's."""
    return len(oid) >= _SHORTEST_ID and commit.oid.startswith(oid)


def _is_made(hub: Hub, caller: Caller, repo: Repo, head: Commit, order: Order, files: Mapping[str, File]) -> bool:
    """Whether `head` is what this very order made: its sender asks again when the answer was lost."""
    parent = hub.catalog.history.find_commit(repo.id, head.parents[0]) if head.parents else None
    if parent is None or (order.parent and not _is_named(parent, order.parent)):
        return False
    try:
        again = _next(hub, caller, parent, order, files)
    except HubError:
        return False
    made = (head.tree, head.author, head.message)
    return again is not None and (again.commit.tree, again.commit.author, again.commit.message) == made


def _moved(head: Commit, parent: str) -> BranchMovedError:
    return BranchMovedError(
        "The branch was updated since you opened this page. Please refresh and try again. "
        f"(it stands at {head.oid}, not at {parent[:40]!r})"
    )


def _files(hub: Hub, repo: Repo, operations: Sequence[Operation]) -> Mapping[str, File]:
    """The file that each path gets, by path. A later operation on a path wins."""
    large = {operation.sha256 for operation in operations if isinstance(operation, Large)}
    linked = hub.catalog.contents.linked(repo.id, large)
    kept = hub.catalog.contents.get(large)
    files: dict[str, File] = {}
    for operation in operations:
        if isinstance(operation, AddFile):
            files[operation.path] = operation.file
        elif isinstance(operation, Large):
            content = kept.get(operation.sha256)
            # Only what was uploaded for this repository: a name that was overheard opens nobody else's content.
            if content is None or operation.sha256 not in linked:
                raise HubError(
                    f"{operation.path}: its content {operation.sha256[:64]} was not uploaded; upload it first"
                )
            if operation.size is not None and operation.size != content.size:
                raise HubError(f"{operation.path}: it has {content.size} bytes, not {operation.size}")
            text = pointer(content.sha256, content.size)
            files[operation.path] = File(oid=blob_oid(text), sha256=content.sha256, size=content.size, lfs=True)
    _refuse_collisions(hub, files)
    return files


def _refuse_collisions(hub: Hub, files: Mapping[str, File]) -> None:
    """One id must stand for one content. SHA-1 can be made to collide, and then a name would open another's file."""
    known = hub.catalog.history.files({file.oid for file in files.values()})
    for path, file in files.items():
        if file.oid in known and known[file.oid] != file:
            raise HubError(f"{path}: another content already goes by its git id {file.oid}; change a byte of it")


def _next(hub: Hub, caller: Caller, head: Commit, order: Order, files: Mapping[str, File]) -> NewCommit | None:
    """The commit that comes after `head`; None where nothing would change."""
    load = hub.catalog.history.trees
    now = {place.path: place for place in walk(load, head.tree)}
    changes = _changes(order.operations, files, now, head)
    try:
        root, trees = change(load, head.tree, changes)
    except NotAFolderError as error:
        raise UnprocessableError(f"{error.args[0]!r} is a file, so nothing can lie below it") from None
    if root == head.tree:
        return None
    if len(now) + len(files) > hub.limits.revision_files:
        raise TooLargeError(f"a revision may have {hub.limits.revision_files:,} files and folders")
    made = new_commit(
        tree=root, parents=(head.oid,), author=caller.name, at=datetime.now(timezone.utc), message=order.message
    )
    return NewCommit(commit=made, trees=trees, files=tuple({file.oid: file for file in files.values()}.values()))


def _changes(
    operations: Sequence[Operation], files: Mapping[str, File], now: Mapping[str, Place], head: Commit
) -> dict[str, str | None]:
    """The blob that comes to each path, None where one goes."""
    changes: dict[str, str | None] = {}
    placed, taken = dict[str, int](), dict[str, int]()  # by which of the operations, the last one of each path
    for number, operation in enumerate(operations):
        path = operation.path
        if not isinstance(operation, Gone):
            if path in now and now[path].is_tree and changes.get(path, "") is not None:
                raise UnprocessableError(f"{path!r} is a folder; take it out before a file gets its name")
            changes[path] = files[path].oid
        elif path in now or path in changes:
            changes[path] = None
            taken[path] = number
        else:
            raise EntryNotFoundError(f"A file with this name doesn't exist: {path[:200]!r}", head.oid)
        placed[path] = number
    # What was put into a folder before that was taken out went with it.
    return {
        path: oid
        for path, oid in changes.items()
        if not any(taken.get(above, -1) > placed[path] for above in _folders_above(path))
    }


def _folders_above(path: str) -> Iterator[str]:
    names = path.split("/")
    return ("/".join(names[:count]) for count in range(1, len(names)))
