"""Repositories: made, moved, shown to others, and removed."""

from __future__ import annotations

from datetime import datetime, timezone

from tars_hub.server.catalog.interface import TakenError
from tars_hub.server.errors import ConflictError, ForbiddenError, RepoNotFoundError, UnauthorizedError
from tars_hub.server.gitobjects import new_commit
from tars_hub.server.hub import Hub
from tars_hub.server.names import check_namespace, check_repo_name
from tars_hub.server.records import Caller, Facts, Gated, NewCommit, Repo
from tars_hub.server.rules.access import Action, find_repo, may_create
from tars_hub.server.rules.contents import keep_small
from tars_hub.server.rules.freed import arriving
from tars_hub.server.rules.quotas import check_move
from tars_hub.server.trees import EMPTY_TREE, change
from tars_hub.server.uploading import GITATTRIBUTES


class RepoExistsError(ConflictError):
    """There is such a repository already, and the caller may know it.

    Attributes:
        repo: the one that is there.
    """

    def __init__(self, repo: Repo) -> None:
        super().__init__(f"You already created this model repo: {repo.full_name} exists")
        self.repo = repo


def create(hub: Hub, caller: Caller, *, namespace: str, name: str, private: bool) -> Repo:
    """A new repository with its first commit.

    Args:
        namespace: empty is the caller's own.

    Raises:
        RepoExistsError: to those who may read the one that is there.
    """
    if caller.user is None or caller.token is None:
        raise UnauthorizedError("log in to make a repository")
    namespace = namespace or caller.name
    check_namespace(namespace)
    check_repo_name(name)
    owner = _namespace(hub, caller, namespace)
    try:
        return _add(hub, caller, owner, name, private=private)
    except TakenError:
        found = hub.catalog.repositories.find(f"{namespace}/{name}")
        if found is None:
            raise ConflictError(f"{namespace}/{name} was made or removed by somebody else meanwhile") from None
        raise RepoExistsError(found) from None


def _add(hub: Hub, caller: Caller, owner: str, name: str, *, private: bool) -> Repo:
    """Raises TakenError."""
    blob = keep_small(hub, GITATTRIBUTES.encode())
    root, trees = change(hub.catalog.history.trees, EMPTY_TREE, {".gitattributes": blob.oid})
    now = datetime.now(timezone.utc)
    commit = new_commit(tree=root, parents=(), author=caller.name, at=now, message="initial commit")
    first = NewCommit(commit=commit, trees=trees, files=(blob,), facts=Facts())
    with arriving():
        return hub.catalog.repositories.add(owner, name, private=private, first=first)


def _namespace(hub: Hub, caller: Caller, name: str) -> str:
    """A namespace that the caller may make repositories in, as it is written. Raises ForbiddenError."""
    owner = hub.catalog.accounts.user(name)
    if owner is not None and may_create(caller, name):
        return owner.name
    if caller.token is not None and caller.token.role != "write":
        raise ForbiddenError("this token may only read; make a repository with one that may write")
    if caller.token is not None and caller.token.repositories is not None:
        raise ForbiddenError("this token is for some repositories; make one with a token for all")
    where = " and ".join([repr(caller.name), *(each for each, role in caller.roles.items() if role != "read")])
    raise ForbiddenError(f"{caller.name} may not make repositories in {name[:100]!r}, only in {where}")


def move(hub: Hub, caller: Caller, *, source: str, target: str) -> Repo:
    """Give a repository another name; the old one goes on leading to it."""
    repo = find_repo(hub, caller, source, Action.ADMINISTER)
    namespace, _, name = target.partition("/")
    check_namespace(namespace)
    check_repo_name(name)
    owner = _namespace(hub, caller, namespace)
    check_move(hub, repo, owner)
    try:
        hub.catalog.repositories.move(repo.id, owner, name)
    except TakenError:
        raise ConflictError(f"A model repository called {target} already exists") from None
    return hub.catalog.repositories.by_id(repo.id) or repo


def change_settings(
    hub: Hub, caller: Caller, full_name: str, *, private: bool | None = None, gated: Gated | None = None
) -> Repo:
    """Show it to others or to its owner alone; None leaves a setting as it is."""
    repo = find_repo(hub, caller, full_name, Action.ADMINISTER)
    hub.catalog.repositories.update(repo.id, private=private, gated=gated)
    return hub.catalog.repositories.by_id(repo.id) or repo


def remove(hub: Hub, caller: Caller, full_name: str) -> None:
    """Forget a repository. What it held stays on the disk until that is tidied."""
    repo = find_repo(hub, caller, full_name, Action.ADMINISTER)
    if repo.full_name.lower() != full_name.lower():  # a name it had once is not enough to lose it by
        raise RepoNotFoundError(f"{full_name[:200]!r} is called {repo.full_name} now; delete it by that name")
    hub.catalog.repositories.remove(repo.id)
