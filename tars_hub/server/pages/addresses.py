"""Addresses within a repository, and the way down to a file."""

from __future__ import annotations

from dataclasses import dataclass

from tars_hub.server.pages.wording import path_text, segment
from tars_hub.server.records import BRANCHES, Commit, Repo
from tars_hub.server.routes.web import Ask
from tars_hub.server.rules import revisions
from tars_hub.server.rules.access import Action, permits


@dataclass(frozen=True)
class Crumb:
    """A step of the way; the last has no address."""

    word: str
    href: str


def crumbs(repo: Repo, revision: str, path: str) -> list[Crumb]:
    """From the top of a revision down to a path."""
    names = path.split("/") if path else []
    steps = [Crumb(repo.name, tree_address(repo, revision))]
    steps += [Crumb(name, tree_address(repo, revision, "/".join(names[: at + 1]))) for at, name in enumerate(names)]
    return [*steps[:-1], Crumb(steps[-1].word, "")]


def tree_address(repo: Repo, revision: str, folder: str = "") -> str:
    """Where a folder is shown; without one, the top."""
    top = f"/{repo.full_name}/tree/{segment(revision)}"
    return f"{top}/{path_text(folder)}" if folder else top


def is_writable(ask: Ask, repo: Repo, revision: str) -> bool:
    """Whether the caller may commit to this: a branch that is there, not a tag, nor a commit."""
    if not permits(ask.caller, repo, Action.WRITE):
        return False
    full = revision if revision.startswith(BRANCHES) else f"{BRANCHES}{revision}"
    return ask.hub.catalog.history.ref(repo.id, full) is not None


def resolve_address(repo: Repo, commit: Commit, path: str) -> str:
    """Where a file's bytes are, whatever becomes of the branch."""
    return f"/{repo.full_name}/resolve/{commit.oid}/{path_text(path)}"


def commit_asked(ask: Ask, repo: Repo) -> tuple[str, Commit]:
    """The revision of the address as it was asked for, and its commit. Raises RevisionNotFoundError."""
    revision = ask.part("revision")
    return revision, revisions.commit_at(ask.hub, repo, revision)
