"""Make a repository at the target equal to what is staged: one commit, and the branch or tag that names it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace

from huggingface_hub import CommitOperationAdd, CommitOperationDelete

from tars_hub.errors import DownloadError
from tars_hub.mirror.content import ATTRIBUTES, Difference, File, same
from tars_hub.mirror.reading import Source, Target
from tars_hub.mirror.staging import Staged


def push(source: Source, target: Target, change: Difference, staged: Mapping[str, Staged], *, private: bool) -> str:
    """Make the one commit that is needed, and the branch or tag; the commit's id.

    Until the commit is made nobody sees anything of it but, where there was none, an empty repository.

    Args:
        private: for a repository that is made now.

    Raises:
        UsageError, DownloadError: and the target's files are as they were.
    """
    with target.hub.asked(target.repo), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # what the target would like better in a card, which is the source's
        target = _created(target, private=private)
        head = _committed(source, target, change, staged) if change else _branch_at_head(target)
        if source.kind == "tag":
            _tag(source, target, head)
    return head


def _created(target: Target, *, private: bool) -> Target:
    """The target, with its first commit where it was missing."""
    if target.head:
        return target
    target.hub.api.create_repo(target.repo, private=private, exist_ok=True)
    head = str(target.hub.api.model_info(target.repo).sha)
    return replace(target, head=head, exists=target.branch == "main")


def _committed(source: Source, target: Target, change: Difference, staged: Mapping[str, Staged]) -> str:
    api = target.hub.api
    additions = [
        CommitOperationAdd(path_in_repo=file.path, path_or_fileobj=staged[file.key].path) for file in change.changed
    ]
    deletions = [CommitOperationDelete(path_in_repo=path, is_folder=False) for path in change.gone]
    # The long part comes before a branch is made, which until the commit holds other files than it should.
    api.preupload_lfs_files(target.repo, additions=additions, revision=_starts_from(target), free_memory=False)
    with _branch(target):
        commit = api.create_commit(
            target.repo,
            operations=[*deletions, *additions],
            revision=target.branch,
            parent_commit=target.head,
            commit_message=f"Mirror {source.wanted} ({source.sha[:12]}) from {source.hub.address}",
            commit_description=f"Source commit: {source.sha}",
        )
    return str(commit.oid)


def _starts_from(target: Target) -> str:
    return target.branch if target.exists else "main"


@contextmanager
def _branch(target: Target) -> Iterator[None]:
    """The branch is there within the block; where it was made for it and the block fails, it goes again."""
    if target.exists:
        yield
        return
    target.hub.api.create_branch(target.repo, branch=target.branch, revision=target.head)
    try:
        yield
    except BaseException:
        with suppress(Exception):  # the block's own error says more
            target.hub.api.delete_branch(target.repo, branch=target.branch)
        raise


def _branch_at_head(target: Target) -> str:
    if not target.exists:
        target.hub.api.create_branch(target.repo, branch=target.branch, revision=target.head)
    return target.head


def _tag(source: Source, target: Target, head: str) -> None:
    if target.tagged == head:
        return
    if target.tagged:  # it stood for other files
        target.hub.api.delete_tag(target.repo, tag=source.wanted.revision)
    target.hub.api.create_tag(target.repo, tag=source.wanted.revision, revision=head)


def landed(source: Source, target: Target, head: str, staged: Mapping[str, Staged]) -> tuple[File, ...]:
    """The files that the target has now.

    Raises:
        DownloadError: they are not all that was sent.
    """
    with target.hub.asked(target.repo):
        found = target.hub.files(target.repo, head)
    there = {file.path: file for file in found}
    seen = {each.names.sha256: each.names.blob for each in staged.values()}
    # A hub may add to its `.gitattributes`.
    sent = [file for file in source.files if file.key in staged and file.path != ATTRIBUTES]
    wrong = [file.path for file in sent if not same(file, there.get(file.path), seen)]
    if wrong:
        raise DownloadError(
            f"{target.hub.address} did not take all of {target.repo} as it was sent: {', '.join(wrong[:3])}; "
            "a .gitignore there may leave files out"
        )
    return found
