"""What others make of a repository: they like it, and ask to be let to its files where it is gated.

Both are changes, so they take a token that may write, and that is for this repository; a browser's session may what
the token may that it began with.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tars_hub.server.errors import HubError, NotFoundError
from tars_hub.server.hub import Hub
from tars_hub.server.records import Access, AccessRequest, Caller, Repo, User
from tars_hub.server.rules.access import Action, find_repo, permits, require_writing, visible
from tars_hub.server.rules.accounts import find_person

PAGE = 1000


def like(hub: Hub, caller: Caller, full_name: str, liked: bool) -> Repo:
    """Like a repository, or no longer; doing it twice is as good as once. The repository with its new count.

    Raises:
        RepoNotFoundError, UnauthorizedError, ForbiddenError: the caller may not.
    """
    repo = find_repo(hub, caller, full_name)
    token = require_writing(caller, repo, "like")
    hub.catalog.audience.like(repo.id, token.user.id, liked=liked)
    return hub.catalog.repositories.by_id(repo.id) or repo


def likes(hub: Hub, caller: Caller, repo: Repo) -> bool:
    """Whether the caller likes it."""
    return caller.user is not None and hub.catalog.audience.likes(repo.id, caller.user.id)


def likers(hub: Hub, caller: Caller, full_name: str, *, offset: int = 0, limit: int = PAGE) -> list[User]:
    """Who likes a repository, by name. Raises RepoNotFoundError."""
    repo = find_repo(hub, caller, full_name)
    return hub.catalog.audience.likers(repo.id, offset=offset, limit=limit)


def liked_by(hub: Hub, caller: Caller, user_name: str, *, offset: int = 0, limit: int = PAGE) -> list[Repo]:
    """What a user likes, of what the caller may see, by name. Raises NotFoundError."""
    user = find_person(hub, user_name)
    search = replace(visible(caller), liked_by=user.id, sort="name", ascending=True, offset=offset, limit=limit)
    return hub.catalog.repositories.search(search)


def ask_access(hub: Hub, caller: Caller, full_name: str) -> Access:
    """Ask to be let to the files of a gated repository; how that stands now.

    Where its gate is "auto" that is granted at once. Whoever was answered before keeps the answer, and who may
    download without being let in has nothing to ask for: both are told so by what is returned.

    Raises:
        RepoNotFoundError, UnauthorizedError, ForbiddenError: the caller may not.
        HubError: the repository is not gated.
    """
    repo = find_repo(hub, caller, full_name)
    token = require_writing(caller, repo, "ask for access to")
    _require_gate(repo)
    if permits(caller, repo, Action.DOWNLOAD):
        return "accepted"
    open_gate = repo.gated == "auto"
    status = hub.catalog.audience.request(repo.id, token.user.id, "accepted" if open_gate else "pending")
    if open_gate and status == "pending":  # asked when the gate was another
        hub.catalog.audience.decide(repo.id, token.user.id, "accepted")
        return "accepted"
    return status


def standing(hub: Hub, caller: Caller, repo: Repo) -> Access | None:
    """What became of the caller's request; None where there is none."""
    return hub.catalog.audience.standing(repo.id, caller.user.id) if caller.user is not None else None


def access_requests(
    hub: Hub,
    caller: Caller,
    full_name: str,
    statuses: Collection[Access],
    *,
    offset: int = 0,
    limit: int = PAGE,
) -> list[AccessRequest]:
    """Who asked to be let to the files, oldest first; for those who may change the repository's settings.

    Raises:
        RepoNotFoundError, UnauthorizedError, ForbiddenError: the caller may not.
        HubError: the repository is not gated.
    """
    repo = find_repo(hub, caller, full_name, Action.ADMINISTER)
    _require_gate(repo)
    return hub.catalog.audience.requests(repo.id, statuses=statuses, offset=offset, limit=limit)


def decide_access(hub: Hub, caller: Caller, full_name: str, user_name: str, status: Access) -> None:
    """Answer somebody's request, or think otherwise of it; "pending" takes an answer back.

    Raises:
        RepoNotFoundError, UnauthorizedError, ForbiddenError: the caller may not.
        NotFoundError: no such user, or one who has not asked.
        HubError: the repository is not gated.
    """
    repo = find_repo(hub, caller, full_name, Action.ADMINISTER)
    _require_gate(repo)
    user = find_person(hub, user_name)
    if hub.catalog.audience.standing(repo.id, user.id) is None:
        raise NotFoundError(f"{user.name} has not asked for access to {repo.full_name}; you can grant it all the same")
    hub.catalog.audience.decide(repo.id, user.id, status)


def grant_access(hub: Hub, caller: Caller, full_name: str, user_name: str) -> None:
    """Let somebody to the files of a gated repository who need not have asked.

    Raises:
        RepoNotFoundError, UnauthorizedError, ForbiddenError: the caller may not.
        NotFoundError: no such user.
        HubError: the repository is not gated, or the user may download its files already.
    """
    repo = find_repo(hub, caller, full_name, Action.ADMINISTER)
    _require_gate(repo)
    user = find_person(hub, user_name)
    if hub.catalog.audience.standing(repo.id, user.id) == "accepted" or _belongs(hub, user, repo):
        raise HubError(f"{user.name} has access to {repo.full_name} already")
    hub.catalog.audience.decide(repo.id, user.id, "accepted")


def _require_gate(repo: Repo) -> None:
    if not repo.gated:
        raise HubError(f"{repo.full_name} is not gated: whoever may read it may download its files")


def _belongs(hub: Hub, user: User, repo: Repo) -> bool:
    """Whether the namespace is the user's own, or that of an organisation they are in."""
    owner = hub.catalog.accounts.user(repo.namespace)
    if owner is None:
        return False
    return owner.id == user.id or any(each.user.id == user.id for each in hub.catalog.accounts.members(owner.id))
