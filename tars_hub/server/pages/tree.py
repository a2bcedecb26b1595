"""A folder of a revision: what lies in it, how large it is and what it was last changed by."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.pages.addresses import commit_asked, crumbs, is_writable, resolve_address
from tars_hub.server.pages.look import page
from tars_hub.server.pages.wording import path_text, segment
from tars_hub.server.records import Commit, File, Repo
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import revisions
from tars_hub.server.rules.access import Action, find_repo, permits
from tars_hub.server.rules.lastly import last_commits
from tars_hub.server.trees import Place

_PAGE = 100  # each entry's history is walked


@dataclass(frozen=True, kw_only=True)
class Row:
    """An entry of a folder; `file` is None for a folder."""

    name: str
    path: str
    href: str
    file: File | None
    download: str
    last: Commit


def routes() -> list[BaseRoute]:
    tree = "/{namespace}/{name}/tree/{revision:revision}"
    return [
        route(tree, "GET", _tree, by_cookie=True),
        route(f"{tree}/{{path:rest}}", "GET", _tree, by_cookie=True),
    ]


def _tree(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    revision, commit = commit_asked(ask, repo)
    path = ask.part("path").strip("/") if "path" in ask.request.path_params else ""
    places = sorted(revisions.places(ask.hub, commit, path), key=_order)
    number = ask.page
    shown = places[number * _PAGE : (number + 1) * _PAGE]
    found = revisions.entries_of(ask.hub, shown)
    last = last_commits(ask.hub, repo.id, commit, [entry.path for entry in found])
    return page(
        ask,
        "tree.html",
        repo=repo,
        revision=revision,
        commit=commit,
        tab="Files",
        path=path,
        crumbs=crumbs(repo, revision, path),
        rows=[_row(repo, revision, commit, entry, last[entry.path]) for entry in found],
        count=len(places),
        number=number,
        pages=-(-len(places) // _PAGE),
        writable=is_writable(ask, repo, revision),
        may_download=permits(ask.caller, repo, Action.DOWNLOAD),
    )


def _order(place: Place) -> tuple[bool, str, str]:
    """Folders first, then files, by name without regard to case."""
    return not place.is_tree, place.path.lower(), place.path


def _row(repo: Repo, revision: str, commit: Commit, entry: revisions.Entry, last: Commit) -> Row:
    kind = "tree" if entry.file is None else "blob"
    return Row(
        name=entry.path.rpartition("/")[2],
        path=entry.path,
        href=f"/{repo.full_name}/{kind}/{segment(revision)}/{path_text(entry.path)}",
        file=entry.file,
        download=resolve_address(repo, commit, entry.path),
        last=last,
    )
