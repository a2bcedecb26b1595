"""Pull requests: commits behind a ref of their own, until somebody who may write merges them."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import takewhile

from tars_hub.server.catalog.interface import RefMovedError, StaleError
from tars_hub.server.errors import ConflictError, ForbiddenError, HubError, RevisionNotFoundError, TooLargeError
from tars_hub.server.gitobjects import new_commit
from tars_hub.server.hub import Hub
from tars_hub.server.merging import Merge, merge
from tars_hub.server.records import (
    MAIN,
    Caller,
    Commit,
    Discussion,
    Event,
    NewCommit,
    NewDiscussion,
    Proposal,
    RefChange,
    Repo,
)
from tars_hub.server.rules import commits, discussions
from tars_hub.server.rules.access import Action, permits, require
from tars_hub.server.rules.cards import facts_at, facts_of
from tars_hub.server.rules.comparing import files_of
from tars_hub.server.rules.freed import naming
from tars_hub.server.rules.revisions import branch_ref, commit_at
from tars_hub.server.trees import change
from tars_hub.server.wire.reading import read_number

_PREFIX = "refs/pr/"
_TRIES = 50  # against others who commit to the same branch without a pause
_MOST_COMMITS = 1000
_PATHS_SAID = 10


class MergeConflictError(ConflictError):
    """Both sides changed the same files.

    Attributes:
        paths: of these files.
    """

    def __init__(self, number: int, base: str, paths: tuple[str, ...]) -> None:
        more = f" and {len(paths) - _PATHS_SAID} more" if len(paths) > _PATHS_SAID else ""
        super().__init__(
            f"pull request {number} cannot be merged: {base} has changed the same files since: "
            f"{', '.join(path[:200] for path in paths[:_PATHS_SAID])}{more}"
        )
        self.paths = paths


def begin(hub: Hub, caller: Caller, repo: Repo, title: str, description: str) -> Discussion:
    """A draft whose ref stands where main does; commits to that ref follow."""
    require(caller, repo, Action.PROPOSE)
    discussions.require_few_open(hub, caller, repo)
    new = NewDiscussion(
        title=discussions.checked_title(title),
        status="draft",
        author=caller.name,
        description=discussions.checked_text(description),
        proposal=Proposal(base=MAIN, start=commit_at(hub, repo, MAIN).oid),
    )
    return discussions.add(hub, repo, new)


def propose(hub: Hub, caller: Caller, repo: Repo, start: str, order: commits.Order) -> tuple[Discussion, Commit]:
    """An open pull request with its first commit, both at once.

    Args:
        start: the branch to change; `order.parent` may name an older commit to begin at.

    Raises:
        RevisionNotFoundError: there is no such branch, or no such commit.
        HubError: nothing would change, or what `commits.commit` raises.
    """
    require(caller, repo, Action.PROPOSE)
    discussions.require_few_open(hub, caller, repo)
    base = branch_ref(hub, repo, start)
    if base.startswith(_PREFIX):
        raise RevisionNotFoundError(f"Invalid rev id: {start[:200]!r} is no branch to begin a pull request at")
    head = _beginning(hub, repo, base, order.parent)
    first = commits.prepare(hub, caller, repo, head, order)
    if first is None:
        raise HubError(f"these changes leave {start[:200]} as it is, so there is nothing to propose")
    new = NewDiscussion(
        title=discussions.checked_title(order.summary.strip().partition("\n")[0][: discussions.TITLE_LETTERS]),
        status="open",
        author=caller.name,
        description=discussions.checked_text(order.description),
        proposal=Proposal(base=base, start=head.oid),
        commit=first,
    )
    return discussions.add(hub, repo, new), first.commit


def _beginning(hub: Hub, repo: Repo, base: str, parent: str) -> Commit:
    found = hub.catalog.history.find_commit(repo.id, parent) if parent else commit_at(hub, repo, base)
    if found is None:
        raise RevisionNotFoundError(f"Invalid rev id: {repo.full_name} has no commit {parent[:40]!r} to begin at")
    return found


def require_pusher(hub: Hub, caller: Caller, repo: Repo, ref: str) -> None:
    """Check that somebody may commit to a ref: to a branch who may write, to a pull request its author as well.

    Raises:
        ForbiddenError: somebody else's.
        ConflictError: it is closed or merged.
    """
    if not ref.startswith(_PREFIX):
        require(caller, repo, Action.WRITE)
        return
    require(caller, repo, Action.PROPOSE)
    number = read_number(ref.removeprefix(_PREFIX), digits=9)
    found = hub.catalog.discussions.find(repo.id, number) if number is not None else None
    if found is None or found.proposal is None or found.ref != ref:
        raise RevisionNotFoundError(f"Invalid rev id: {repo.full_name} has no pull request {ref[:200]!r}")
    if found.author != caller.name and not permits(caller, repo, Action.WRITE):
        raise ForbiddenError(f"{caller.name} may not commit to {ref}; {found.author} may; open a pull request instead")
    if found.status in ("closed", "merged"):
        raise ConflictError(f"pull request {number} is {found.status}, and takes no more commits")


def head_of(hub: Hub, repo: Repo, found: Discussion, proposal: Proposal) -> Commit:
    """Where a pull request's ref stands, or stood when it was merged."""
    return commit_at(hub, repo, proposal.head or found.ref)


def commits_of(hub: Hub, repo: Repo, proposal: Proposal, head: Commit) -> list[Commit]:
    """The commits of a pull request, oldest first; the newest of very many."""
    log = hub.catalog.history.log(repo.id, head.oid, limit=_MOST_COMMITS)
    return list(takewhile(lambda commit: commit.oid != proposal.start, log))[::-1]


def events(hub: Hub, repo: Repo, found: Discussion) -> list[Event]:
    """All that happened, in order, commits among the rest."""
    told = hub.catalog.discussions.events(repo.id, found.number)
    if found.proposal is not None:
        pushed = commits_of(hub, repo, found.proposal, head_of(hub, repo, found, found.proposal))
        # Commits know whole seconds, so one may seem older than what it was pushed to.
        told += [_pushed(commit, not_before=found.created_at) for commit in pushed]
    return sorted(told, key=lambda event: event.at)


def _pushed(commit: Commit, *, not_before: datetime) -> Event:
    at = max(commit.at, not_before)
    title = commit.title[: discussions.TITLE_LETTERS]
    return Event(id=commit.oid, kind="commit", author=commit.author, at=at, text=title, updated_at=at)


def conflicts(hub: Hub, repo: Repo, found: Discussion, proposal: Proposal) -> tuple[str, ...]:
    """Files that stand against a merge now; none where it is merged or closed."""
    ours = hub.catalog.history.ref(repo.id, proposal.base)
    if found.status in ("closed", "merged") or ours in (None, proposal.start):
        return ()
    head = head_of(hub, repo, found, proposal)
    return _compared(hub, repo, proposal, commit_at(hub, repo, proposal.base), head).conflicts


def accept(hub: Hub, caller: Caller, repo: Repo, number: int, text: str = "") -> Event:
    """Merge a pull request into its branch.

    Where the branch still stands at its start it moves on to the pull request's last commit; otherwise a commit joins
    the two.

    Raises:
        MergeConflictError: both changed the same files.
        ConflictError: it is a draft, closed or merged, or its branch is gone.
        TooLargeError: its discussion has no room for the comment; none is needed.
    """
    require(caller, repo, Action.WRITE)
    text = discussions.checked_text(text)
    if text:
        discussions.require_room(hub, repo, number, text)
    for _ in range(_TRIES):
        found = discussions.find(hub, repo, number)
        proposal = _mergeable(found)
        ours, theirs = _branch_head(hub, repo, proposal), head_of(hub, repo, found, proposal)
        new = _joined(hub, caller, repo, found, proposal, (ours, theirs))
        steps = [
            RefChange(name=proposal.base, old=ours.oid, new=new.commit.oid),
            RefChange(name=found.ref, old=theirs.oid, new=theirs.oid),
        ]
        try:
            with naming():
                return hub.catalog.discussions.merge(
                    repo.id, number, author=caller.name, head=theirs.oid, new=new, changes=steps, comment=text
                )
        except (RefMovedError, StaleError):
            continue  # somebody committed to one of the two, or closed it
    raise ConflictError(f"{proposal.base} of {repo.full_name} moves too fast; try again")


def _mergeable(found: Discussion) -> Proposal:
    if found.proposal is None:
        raise HubError(f"{found.number} is a discussion; there is nothing to merge")
    if found.status == "draft":
        raise ConflictError(
            f"pull request {found.number} is a draft; change its status to open "
            "(`hf discussions close` and `reopen` do), then merge it"
        )
    if found.status != "open":
        raise ConflictError(f"pull request {found.number} is {found.status}, and cannot be merged")
    return found.proposal


def _branch_head(hub: Hub, repo: Repo, proposal: Proposal) -> Commit:
    try:
        return commit_at(hub, repo, proposal.base)
    except RevisionNotFoundError:
        raise ConflictError(f"{proposal.base} was removed, so nothing can be merged into it") from None


def _joined(
    hub: Hub, caller: Caller, repo: Repo, found: Discussion, proposal: Proposal, heads: tuple[Commit, Commit]
) -> NewCommit:
    """What the branch is to stand at."""
    ours, theirs = heads
    if ours.oid == proposal.start and _comes_after(hub, repo, proposal.start, theirs):
        facts = facts_of(hub, theirs) if proposal.base == MAIN else None
        return NewCommit(commit=theirs, trees={}, files=(), facts=facts)
    merged = _compared(hub, repo, proposal, ours, theirs)
    if merged.conflicts:
        raise MergeConflictError(found.number, proposal.base, merged.conflicts)
    if merged.files > hub.limits.revision_files:
        raise TooLargeError(f"a revision may have {hub.limits.revision_files:,} files; merged, it would have more")
    root, trees = change(hub.catalog.history.trees, ours.tree, merged.changes)
    if root == ours.tree:
        return NewCommit(commit=ours, trees={}, files=())
    made = new_commit(
        tree=root,
        parents=(ours.oid, theirs.oid),
        author=caller.name,
        at=datetime.now(timezone.utc),
        message=f"{found.title} (#{found.number})",
    )
    new = NewCommit(commit=made, trees=trees, files=())
    if proposal.base != MAIN:
        return new
    return NewCommit(commit=made, trees=trees, files=(), facts=facts_at(hub, new))


def _comes_after(hub: Hub, repo: Repo, start: str, head: Commit) -> bool:
    """Whether the history of `head` leads to `start`; one that was squashed meanwhile does not."""
    return any(commit.oid == start for commit in hub.catalog.history.log(repo.id, head.oid, limit=_MOST_COMMITS))


def _compared(hub: Hub, repo: Repo, proposal: Proposal, ours: Commit, theirs: Commit) -> Merge:
    start = commit_at(hub, repo, proposal.start)
    return merge(*(files_of(hub, commit) for commit in (start, ours, theirs)))
