"""Who may do what with a repository: one function, asked on every request."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from tars_hub.server.errors import ForbiddenError, GatedError, RepoNotFoundError, UnauthorizedError
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller, Repo, Search, Token


class Action(Enum):
    """What somebody wants to do."""

    READ = "read"
    DOWNLOAD = "download files of"
    PROPOSE = "propose a change to"
    WRITE = "write to"
    ADMINISTER = "change the settings of"


def permits(caller: Caller, repo: Repo, action: Action) -> bool:
    """The one rule.

    The owner of a namespace may do everything in it, and so may members of an organisation that may write; its other
    members read. Everybody reads what is public, but its files not where it is gated, unless they were let to them;
    and who may download may propose changes. A token for reading does nothing else, whoever it belongs to, and one
    for some repositories makes a stranger of its holder elsewhere.
    """
    token, known = caller.token, covers(caller, repo)
    role = caller.role_in(repo.namespace) if known else None
    reads = role is not None or not repo.private
    if action is Action.READ:
        return reads
    downloads = role is not None or (reads and (not repo.gated or (known and repo.id in caller.granted)))
    if action is Action.DOWNLOAD:
        return downloads
    if token is None or token.role != "write" or not known:
        return False
    return downloads if action is Action.PROPOSE else role in ("write", "admin")


def covers(caller: Caller, repo: Repo) -> bool:
    """Whether the caller has a token that is for this repository."""
    if caller.token is None:
        return False
    return caller.token.repositories is None or repo.id in caller.token.repositories


def may_create(caller: Caller, namespace: str) -> bool:
    """Whether the caller may make repositories there; a token for some repositories makes none."""
    if caller.token is None or not caller.token.is_whole:
        return False
    return caller.role_in(namespace) in ("write", "admin")


def visible(caller: Caller) -> Search:
    """The search whose private repositories are those that `permits` lets the caller read; the rest is to be added."""
    if caller.token is None:
        return Search()
    return Search(namespaces=(caller.name, *caller.roles), within=caller.token.repositories)


def downloadable(caller: Caller) -> Search:
    """As `visible`; of these it finds the ones alone whose files `permits` lets the caller download."""
    return replace(visible(caller), granted=caller.granted)


def find_repo(hub: Hub, caller: Caller, full_name: str, action: Action = Action.READ) -> Repo:
    """The repository, if the caller may do this with it.

    Raises:
        RepoNotFoundError: there is none, or the caller may not even read it; the two look the same.
        UnauthorizedError: nobody in particular asks for more than to read.
        ForbiddenError: the caller may read it, and not this.
    """
    repo = hub.catalog.repositories.find(full_name)
    if repo is None or not permits(caller, repo, Action.READ):
        raise RepoNotFoundError(f"there is no repository {full_name[:200]!r} here, or you may not read it")
    require(caller, repo, action)
    return repo


def require(caller: Caller, repo: Repo, action: Action) -> None:
    """Raises like `find_repo` for a repository that the caller may read."""
    if permits(caller, repo, action):
        return
    if repo.gated and action in (Action.DOWNLOAD, Action.PROPOSE):
        raise GatedError(f"access to {repo.full_name} is restricted; its owner can open it")
    require_writing(caller, repo, action.value)
    raise ForbiddenError(f"{caller.name} may not {action.value} {repo.full_name}")


def require_writing(caller: Caller, repo: Repo, what: str) -> Token:
    """The caller's token, which must be good for changes of this repository, whatever its holder may do with it.

    Raises:
        UnauthorizedError, ForbiddenError: it is not.
    """
    if caller.token is None:
        raise UnauthorizedError(f"log in to {what} {repo.full_name}")
    if caller.token.role == "read":
        raise ForbiddenError(f"this token may only read; {what} {repo.full_name} with one that may write")
    if not covers(caller, repo):
        raise ForbiddenError(f"this token is for other repositories than {repo.full_name}")
    return caller.token
