"""Discussions and pull requests to read, at the addresses that clients print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import HubError
from tars_hub.server.pages.look import page
from tars_hub.server.pages.markdown import Place, render
from tars_hub.server.records import MAIN, Discussion, DiscussionStatus, Event, Proposal, Repo
from tars_hub.server.routes.proposals import number_asked
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import discussions, proposals, revisions
from tars_hub.server.rules.access import Action, find_repo, permits
from tars_hub.server.rules.comparison import Comparison, compare
from tars_hub.server.rules.turns import turn

_PAGE, _EVENTS = 50, 100
_RENDERED = 128 << 10  # letters of Markdown in one page
_LONG = 32 << 10  # of them take a turn to be rendered
# Drafts are open ones that wait, and what was merged is closed.
_STATUSES: dict[str, tuple[DiscussionStatus, ...]] = {
    "open": ("open", "draft"),
    "closed": ("closed", "merged"),
    "all": (),
}


def routes() -> list[BaseRoute]:
    top = "/{namespace}/{name}/discussions"
    return [
        route(top, "GET", _list, by_cookie=True),
        route(f"{top}/{{number}}", "GET", _one, by_cookie=True),
    ]


def _list(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    status = ask.request.query_params.get("status", "open")
    if status not in _STATUSES:
        raise HubError(f"status={status[:40]!r} is none of {', '.join(_STATUSES)}")
    number = ask.page
    found, count = ask.hub.catalog.discussions.search(
        repo.id, statuses=_STATUSES[status], offset=number * _PAGE, limit=_PAGE
    )
    return page(
        ask,
        "discussions.html",
        repo=repo,
        revision="main",
        commit=None,
        tab="Discussions",
        found=found,
        count=count,
        which=status,
        statuses=list(_STATUSES),
        number=number,
        pages=-(-count // _PAGE),
    )


def _one(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    found = discussions.find(ask.hub, repo, number_asked(ask))
    proposal = found.proposal
    told = proposals.events(ask.hub, repo, found)
    number = ask.page
    shown = told[number * _EVENTS : (number + 1) * _EVENTS]
    return page(
        ask,
        "discussion.html",
        repo=repo,
        revision="main",
        commit=None,
        tab="Discussions",
        talk=found,
        events=list(zip(shown, _said(ask, repo, shown), strict=True)),
        number=number,
        pages=-(-len(told) // _EVENTS),
        conflicts=proposals.conflicts(ask.hub, repo, found, proposal) if proposal else (),
        **(_changes(ask, repo, found, proposal) if proposal else {"found": None}),
    )


def _said(ask: Ask, repo: Repo, events: Sequence[Event]) -> list[Markup | str]:
    """What comments say, as cleaned HTML; much of it as it was written, where too many ask for such at once."""
    if sum(len(event.text) for event in events if event.kind == "comment") <= _LONG:
        return list(_texts(ask, repo, events, _LONG + 1))
    with turn(ask.hub) as mine:
        return list(_texts(ask, repo, events, _RENDERED if mine else 0))


def _texts(ask: Ask, repo: Repo, events: Sequence[Event], left: int) -> Iterator[Markup | str]:
    """What comments say, as cleaned HTML; from so many letters on as they were written."""
    commit = ask.hub.catalog.history.ref(repo.id, MAIN) or ""
    place = Place(repo=repo.full_name, revision="main", commit=commit)
    for event in events:
        left -= len(event.text) if event.kind == "comment" else 0
        is_markdown = event.kind == "comment" and not event.hidden and left > 0
        yield Markup(render(event.text, place)) if is_markdown else event.text  # noqa: S704  # it was cleaned


def _changes(ask: Ask, repo: Repo, talk: Discussion, proposal: Proposal) -> dict[str, object]:
    """What a pull request changes, since where it began."""
    old = revisions.commit_at(ask.hub, repo, proposal.start)
    new = proposals.head_of(ask.hub, repo, talk, proposal)
    details = permits(ask.caller, repo, Action.DOWNLOAD)
    found: Comparison = compare(ask.hub, old, new, details=details)
    return {"old": old, "new": new, "found": found}
