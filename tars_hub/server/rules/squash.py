"""One commit in the place of a branch's whole history."""

from __future__ import annotations

from datetime import datetime, timezone

from tars_hub.server.catalog.interface import RefMovedError
from tars_hub.server.errors import ConflictError
from tars_hub.server.gitobjects import new_commit
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller, Commit, NewCommit, RefChange, Repo
from tars_hub.server.rules.freed import naming
from tars_hub.server.rules.revisions import branch_ref, commit_at


def squash(hub: Hub, caller: Caller, repo: Repo, branch: str, message: str = "") -> Commit:
    """Let a branch begin anew with the files it has. What tags and other branches reach stays as it is."""
    ref = branch_ref(hub, repo, branch)
    head = commit_at(hub, repo, ref)
    made = new_commit(
        tree=head.tree,
        parents=(),
        author=caller.name,
        at=datetime.now(timezone.utc),
        message=message.strip() or f"Super-squash branch '{branch}'",
    )
    change = RefChange(name=ref, old=head.oid, new=made.oid)
    try:
        with naming():
            hub.catalog.history.commit(repo.id, NewCommit(commit=made, trees={}, files=()), [change])
    except RefMovedError:
        raise ConflictError(f"{branch} was moved by somebody else meanwhile; try again") from None
    return made
