"""What the source has, and what the target has of it. Reads only."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from huggingface_hub.errors import RepositoryNotFoundError

from tars_hub.errors import DownloadError, ModelNotFoundError, UsageError
from tars_hub.mirror.content import File
from tars_hub.mirror.hubs import Hub
from tars_hub.mirror.names import Wanted, check_paths

_TIMEOUT_S = 10.0
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_WHOLE_COMMIT = re.compile(r"[0-9a-f]{40}")

Kind = Literal["commit", "tag", "branch"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One revision, pinned.

    Attributes:
        sha: the commit that the revision stood for when it was asked.
        public: anybody may read it, without asking for access.
    """

    hub: Hub
    wanted: Wanted
    kind: Kind
    sha: str
    public: bool
    files: tuple[File, ...]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A repository that is to be made equal to a source.

    Attributes:
        branch: where a commit goes.
        head: the commit it goes onto; empty while there is no such repository.
        exists: the branch is there; else it starts at `head`.
        files: of `head`.
        tagged: the commit that the source's tag names here; empty where there is none.
        tagged_files: of `tagged`.
    """

    hub: Hub
    repo: str
    branch: str
    head: str = ""
    exists: bool = False
    files: tuple[File, ...] = ()
    tagged: str = ""
    tagged_files: tuple[File, ...] = ()


def read_source(hub: Hub, wanted: Wanted) -> Source:
    """
    Raises:
        ModelNotFoundError, UsageError, DownloadError: not there, not for this token, no answer or an odd one.
    """
    with hub.asked(str(wanted)):
        info = hub.api.model_info(wanted.repo, revision=wanted.revision, timeout=_TIMEOUT_S)
        sha = str(info.sha)
        if not _WHOLE_COMMIT.fullmatch(sha):  # it becomes a folder's name in the client's cache
            raise DownloadError(f"{hub.address} calls the commit of {wanted} {sha[:60]!r}, which is no commit's id")
        kind = _kind(hub, wanted, sha)
        if info.gated:
            hub.api.auth_check(wanted.repo)
        files = hub.files(wanted.repo, sha)
        check_paths(file.path for file in files)
    return Source(hub=hub, wanted=wanted, kind=kind, sha=sha, public=not (info.private or info.gated), files=files)


def _kind(hub: Hub, wanted: Wanted, sha: str) -> Kind:
    refs = hub.api.list_repo_refs(wanted.repo)
    if wanted.revision in {branch.name for branch in refs.branches}:
        return "branch"
    if wanted.revision in {tag.name for tag in refs.tags}:
        return "tag"
    if _COMMIT.fullmatch(wanted.revision) and sha.startswith(wanted.revision):
        return "commit"
    raise ModelNotFoundError(f"{wanted} is no branch, tag or commit of its own at {hub.address}")


def read_target(hub: Hub, repo: str, source: Source) -> Target:
    """
    Raises:
        UsageError: this token may not write there.
        DownloadError: no answer.
    """
    branch = source.wanted.revision if source.kind == "branch" else "main"
    with hub.asked(repo):
        if hub.token is None:
            raise UsageError(f"{hub.address} wants a token to write {repo}; {hub.variable} names one")
        try:
            head = str(hub.api.model_info(repo, timeout=_TIMEOUT_S).sha)
        except RepositoryNotFoundError:
            _check_may_create(hub, repo)
            return Target(hub=hub, repo=repo, branch=branch)
        _check_may_write(hub, repo)
        return _as_it_is(hub, repo, source, Target(hub=hub, repo=repo, branch=branch, head=head))


def _as_it_is(hub: Hub, repo: str, source: Source, target: Target) -> Target:
    """The target with what it holds; its `head` is that of main yet."""
    refs = hub.api.list_repo_refs(repo)
    exists = target.branch in {each.name for each in refs.branches}
    head = target.head
    if exists and target.branch != "main":
        head = str(hub.api.model_info(repo, revision=target.branch).sha)
    tagged = ""
    if source.kind == "tag" and source.wanted.revision in {each.name for each in refs.tags}:
        tagged = str(hub.api.model_info(repo, revision=source.wanted.revision).sha)
    return replace(
        target,
        head=head,
        exists=exists,
        files=hub.files(repo, head),
        tagged=tagged,
        tagged_files=hub.files(repo, tagged) if tagged else (),
    )


def _check_may_write(hub: Hub, repo: str) -> None:
    _check_role(hub, repo, hub.api.whoami())
    hub.api.auth_check(repo, write=True)


def _check_may_create(hub: Hub, repo: str) -> None:
    who = hub.api.whoami()
    _check_role(hub, repo, who)
    own = [str(who["name"]), *(str(each["name"]) for each in who.get("orgs", []))]
    if repo.partition("/")[0].lower() not in {name.lower() for name in own}:
        raise UsageError(
            f"{hub.address} has no {repo} that you may write, and you are {own[0]} there: "
            f"--as {own[0]} copies into your own namespace"
        )


def _check_role(hub: Hub, repo: str, who: dict[str, Any]) -> None:
    if who.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise UsageError(f"the token for {hub.address} may only read, and {repo} is to be written")
