"""Two revisions of a repository side by side."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import RevisionNotFoundError
from tars_hub.server.pages.look import page
from tars_hub.server.records import BRANCHES, MAIN, TAGS, Commit, Repo
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import revisions
from tars_hub.server.rules.access import Action, find_repo, permits
from tars_hub.server.rules.comparison import Comparison, compare

_CHOICES = 100
_LONGEST = 300
_SHORT = 12  # digits of a commit's id, of 40
_MAIN = MAIN.removeprefix(BRANCHES)


def routes() -> list[BaseRoute]:
    top = "/{namespace}/{name}/compare"
    return [
        route(top, "GET", _compare, by_cookie=True),
        route(f"{top}/{{revisions:rest}}", "GET", _compare, by_cookie=True),
    ]


def _compare(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    names = _names(ask, repo)
    old, new = (_commit(ask, repo, name) for name in names)
    missing = [name for name, commit in zip(names, (old, new), strict=True) if commit is None]
    found: Comparison | None = None
    if old is not None and new is not None and old.oid != new.oid:
        details = permits(ask.caller, repo, Action.DOWNLOAD)
        found = compare(ask.hub, old, new, details=details, all_metrics=True)
    return page(
        ask,
        "compare.html",
        status=404 if missing else 200,
        repo=repo,
        revision=names[1] if new else _MAIN,
        commit=None,
        tab="Compare",
        names=names,
        old=old,
        new=new,
        missing=missing,
        found=found,
        choices=_choices(ask, repo),
        latest=ask.hub.catalog.history.log(repo.id, new.oid, skip=1, limit=5) if new and found is None else [],
    )


def _names(ask: Ask, repo: Repo) -> tuple[str, str]:
    """The two revisions that were asked for: in the address, in the form's fields, or one there and one `with` it.

    Where none is named as the first, it is what the second came after.
    """
    params = ask.request.query_params
    said = ask.part("revisions") if "revisions" in ask.request.path_params else ""
    old, dots, new = said.partition("...")
    if not dots:
        old, new = params.get("old", ""), params.get("new", said)
        old = params.get("with", old)
    new = (new.strip() or _MAIN)[:_LONGEST]
    return old.strip()[:_LONGEST] or _before(ask, repo, new), new


def _before(ask: Ask, repo: Repo, name: str) -> str:
    commit = _commit(ask, repo, name)
    return commit.parents[0][:_SHORT] if commit and commit.parents else _MAIN


def _commit(ask: Ask, repo: Repo, name: str) -> Commit | None:
    try:
        return revisions.commit_at(ask.hub, repo, name)
    except RevisionNotFoundError:
        return None


def _choices(ask: Ask, repo: Repo) -> list[str]:
    """Branches and tags that the form offers."""
    refs = ask.hub.catalog.history.refs(repo.id)
    return [ref.short for ref in refs if ref.name.startswith((BRANCHES, TAGS))][:_CHOICES]
