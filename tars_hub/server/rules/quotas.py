"""Quotas: the most that an owner's repositories may keep in all.

What counts is every content that one of them holds, once for each owner, with its whole size: all revisions, and what
was uploaded and is not committed yet. It is counted when an upload is offered and again before it is kept. Between that
count and the note that the content is there, others may pass the same count: an owner can be beyond the quota by what
arrives at the very same moment, which is one request's content for each other request that ends then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tars_hub.server.errors import QuotaError
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller, File, Repo
from tars_hub.server.rules.access import Action, permits

_FOR_OTHERS = 0.9  # of a quota: who only proposes changes leaves the owner room to work


def quota_of(hub: Hub, namespace: str) -> int | None:
    """The most bytes that an owner may keep; None for no end."""
    owner = hub.catalog.accounts.user(namespace)
    own = owner.quota_bytes if owner is not None else None
    return own if own is not None else hub.limits.owner_bytes


def check_room(hub: Hub, repo: Repo, extra_bytes: int, *, caller: Caller | None = None) -> None:
    """Refuse what the owner of a repository has no room for.

    Args:
        extra_bytes: how much more is to be kept; nothing more always has room, whatever is kept already.
        caller: who wants to; one who may only propose changes fills nine tenths of the quota at most.

    Raises:
        QuotaError: there is no room.
    """
    quota = quota_of(hub, repo.namespace) if extra_bytes > 0 else None
    if quota is None:
        return
    writes = caller is None or permits(caller, repo, Action.WRITE)
    most = quota if writes else int(quota * _FOR_OTHERS)
    used = hub.catalog.contents.used_bytes(repo.namespace)
    if used + extra_bytes > most:
        raise QuotaError(_refusal(repo, extra_bytes, used, quota, caller if writes else None))


def check_contents(hub: Hub, repo: Repo, sizes: Mapping[str, int], *, caller: Caller | None = None) -> None:
    """`check_room` for contents, by their SHA-256; those that the owner holds already take no more room.

    To who may not know what the owner's other repositories hold, theirs count as new: what has room would tell.
    """
    if not sizes or quota_of(hub, repo.namespace) is None:
        return
    kept = hub.catalog.contents
    held = kept.held(repo.namespace, sizes) if _knows_all(caller, repo) else kept.linked(repo.id, list(sizes))
    check_room(hub, repo, sum(size for sha256, size in sizes.items() if sha256 not in held), caller=caller)


def check_files(hub: Hub, repo: Repo, files: Iterable[File], *, caller: Caller) -> None:
    """`check_contents` for the files of a commit."""
    check_contents(hub, repo, {file.sha256: file.size for file in files}, caller=caller)


def check_sizes(hub: Hub, repo: Repo, sizes: Iterable[int], *, caller: Caller) -> None:
    """Refuse files before anything of them but their sizes is known, and only what is sure to have no room.

    One that has the size of a content that is held may be that very content, and takes no room then; if it is not,
    its upload is refused. Who may not know what is held is told nothing here.
    """
    wanted = list(sizes)
    if not wanted or quota_of(hub, repo.namespace) is None or not _knows_all(caller, repo):
        return
    known = hub.catalog.contents.sizes_held(repo.namespace, set(wanted))
    check_room(hub, repo, sum(size for size in set(wanted) if size not in known), caller=caller)


def check_move(hub: Hub, repo: Repo, namespace: str) -> None:
    """Refuse to move a repository to an owner who has no room for it. Raises QuotaError."""
    quota = quota_of(hub, namespace)
    if quota is None or namespace.lower() == repo.namespace.lower():
        return
    if hub.catalog.contents.used_bytes(namespace, also=repo.id) > quota:
        raise QuotaError(f"{namespace} may keep {quota:,} bytes, and has no room for {repo.full_name}")


def _knows_all(caller: Caller | None, repo: Repo) -> bool:
    """Whether a caller may write to all that the owner of a repository has; the hub itself is None."""
    if caller is None:
        return True
    return caller.token is not None and caller.token.repositories is None and permits(caller, repo, Action.WRITE)


def _refusal(repo: Repo, extra_bytes: int, used: int, quota: int, caller: Caller | None) -> str:
    """How much there is of an owner's is told to those alone who may write to all of it."""
    if caller is None or caller.token is None or caller.token.repositories is not None:
        return f"{repo.namespace} has no room here for {extra_bytes:,} bytes more"
    return (
        f"{repo.namespace} keeps {used:,} of {quota:,} bytes here and has no room for {extra_bytes:,} more; "
        "remove a repository, or ask whoever runs the hub for a larger quota"
    )
