"""Who may do what with a repository: one function, asked on every request."""

from __future__ import annotations

from enum import Enum

from tars_hub.server.errors import ForbiddenError, GatedError, RepoNotFoundError, UnauthorizedError
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller, Repo


class Action(Enum):
    """What somebody wants to do."""

    READ = "read"
    DOWNLOAD = "download files of"
    PROPOSE = "propose a change to"
    WRITE = "write to"
    ADMINISTER = "change the settings of"


def permits(caller: Caller, repo: Repo, action: Action) -> bool:
    """The one rule.

    The owner of a namespace may do everything in it. Others read what is public, its files only where it is not
    gated, and who is known may propose changes to it. A token for reading does nothing else, whoever it belongs to.
    """
    owns = caller.name.lower() == repo.namespace.lower() if caller.name else False
    reads = owns or not repo.private
    if action is Action.READ:
        return reads
    if action is Action.DOWNLOAD:
        return owns or (reads and not repo.gated)
    if caller.token is None or caller.token.role != "write":
        return False
    return owns or (action is Action.PROPOSE and reads and not repo.gated)


def find_repo(hub: Hub, caller: Caller, full_name: str, action: Action = Action.READ) -> Repo:
    """The repository, if the caller may do this with it.

    Raises:
        RepoNotFoundError: there is none, or the caller may not even read it; the two look the same.
        UnauthorizedError: nobody in particular asks for more than to read.
        ForbiddenError: the caller may read it, and not this.
    """
    repo = hub.catalog.repositories.find(full_name)
    if repo is None or not permits(caller, repo, Action.READ):
        raise RepoNotFoundError(f"there is no repository {full_name[:200]!r} here, or the token may not read it")
    require(caller, repo, action)
    return repo


def require(caller: Caller, repo: Repo, action: Action) -> None:
    """Raises like `find_repo` for a repository that the caller may read."""
    if permits(caller, repo, action):
        return
    if repo.gated and action in (Action.DOWNLOAD, Action.PROPOSE):
        raise GatedError(f"access to {repo.full_name} is restricted; its owner can open it")
    if caller.token is None:
        raise UnauthorizedError(f"log in to {action.value} {repo.full_name}")
    if caller.token.role == "read":
        raise ForbiddenError(f"this token may only read; {action.value} {repo.full_name} with one that may write")
    raise ForbiddenError(f"{caller.name} may not {action.value} {repo.full_name}")
