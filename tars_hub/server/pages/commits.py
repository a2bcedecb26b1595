"""The history of a revision, with the branches and tags there are."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.pages.addresses import commit_asked
from tars_hub.server.pages.look import page
from tars_hub.server.records import BRANCHES, TAGS, Ref, Repo
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules.access import find_repo

_PAGE = 50
_REFS = 100
_KINDS = {"Branches": BRANCHES, "Tags": TAGS}


def routes() -> list[BaseRoute]:
    return [route("/{namespace}/{name}/commits/{revision:revision}", "GET", _commits, by_cookie=True)]


def _commits(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    revision, head = commit_asked(ask, repo)
    number = ask.page
    found = ask.hub.catalog.history.log(repo.id, head.oid, skip=number * _PAGE, limit=_PAGE + 1)
    refs = _refs(ask, repo)
    return page(
        ask,
        "commits.html",
        repo=repo,
        revision=revision,
        commit=head,
        tab="Commits",
        commits=found[:_PAGE],
        names=_by_commit(refs),
        refs={kind: named[:_REFS] for kind, named in refs.items()},
        more_refs={kind: max(len(named) - _REFS, 0) for kind, named in refs.items()},
        number=number,
        has_more=len(found) > _PAGE,
    )


def _refs(ask: Ask, repo: Repo) -> dict[str, list[Ref]]:
    """Branches and tags, by what each kind is called."""
    found = ask.hub.catalog.history.refs(repo.id)
    return {kind: [ref for ref in found if ref.name.startswith(prefix)] for kind, prefix in _KINDS.items()}


def _by_commit(refs: dict[str, list[Ref]]) -> dict[str, list[str]]:
    """The first few names of each commit that has any."""
    names: dict[str, list[str]] = {}
    for ref in (ref for kind in refs.values() for ref in kind):
        if len(names.setdefault(ref.commit, [])) < 5:
            names[ref.commit].append(ref.short)
    return names
