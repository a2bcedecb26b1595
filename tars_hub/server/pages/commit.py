"""One commit: what it says of itself, and what it changed."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import NotFoundError
from tars_hub.server.pages.addresses import commit_asked
from tars_hub.server.pages.look import page
from tars_hub.server.records import Commit, Repo
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules.access import Action, find_repo, permits
from tars_hub.server.rules.comparison import compare


def routes() -> list[BaseRoute]:
    return [route("/{namespace}/{name}/commit/{revision:revision}", "GET", _commit, by_cookie=True)]


def _commit(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    _, commit = commit_asked(ask, repo)
    number = max(ask.number("parent", 1, most=100), 1)
    parent = _parent(ask, repo, commit, number)
    details = permits(ask.caller, repo, Action.DOWNLOAD)
    return page(
        ask,
        "commit.html",
        repo=repo,
        revision=commit.oid,
        commit=commit,
        tab="Commits",
        message=commit.message.partition("\n")[2].strip(),
        parent=parent,
        number=number,
        old=parent,
        new=commit,
        found=compare(ask.hub, parent, commit, details=details),
    )


def _parent(ask: Ask, repo: Repo, commit: Commit, number: int) -> Commit | None:
    """The commit that it is compared with; None for the first of all. Raises NotFoundError."""
    if not commit.parents:
        return None
    if number > len(commit.parents):
        raise NotFoundError(f"commit {commit.oid[:8]} has {len(commit.parents)} parents, and no {number}th")
    return ask.hub.catalog.history.find_commit(repo.id, commit.parents[number - 1])
