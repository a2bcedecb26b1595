"""Discussions and pull requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import HubError, NotFoundError
from tars_hub.server.records import Discussion, DiscussionStatus, Event, Repo
from tars_hub.server.routes.about import About, Token
from tars_hub.server.routes.repos import MODEL
from tars_hub.server.routes.web import Ask, route, text_of
from tars_hub.server.rules import comparing, discussions, proposals, revisions
from tars_hub.server.rules.access import Action, find_repo, permits
from tars_hub.server.wire import discussions as wire
from tars_hub.server.wire.reading import read_number

_A_PAGE = 50
_TYPES: Mapping[str, bool | None] = {"": None, "all": None, "discussion": False, "pull_request": True}
# Who asks for open ones gets drafts too, and merged ones count as closed.
_STATUSES: Mapping[str, tuple[DiscussionStatus, ...]] = {
    "": (),
    "all": (),
    "open": ("open", "draft"),
    "closed": ("closed", "merged"),
    "draft": ("draft",),
    "merged": ("merged",),
}


def routes() -> list[BaseRoute]:
    one = f"{MODEL}/discussions/{{number}}"
    return [
        route(f"{MODEL}/discussions", "GET", _list, about=_LIST),
        route(f"{MODEL}/discussions", "POST", _begin, about=_BEGIN),
        route(one, "GET", _details, about=_DETAILS),
        route(f"{one}/comment", "POST", _comment, about=_COMMENT),
        route(f"{one}/title", "POST", _rename, about=_RENAME),
        route(f"{one}/status", "POST", _change_status, about=_STATUS),
        route(f"{one}/merge", "POST", _merge, about=_MERGE),
        route(f"{one}/comment/{{event}}/edit", "POST", _edit, about=_EDIT),
        route(f"{one}/comment/{{event}}/hide", "POST", _hide, about=_HIDE),
    ]


_LIST = About(
    says="List a model's discussions and pull requests",
    query={
        "type": "discussion, pull_request or all",
        "status": "open, closed, draft, merged or all",
        "author": "a user's name",
        "p": f"which page of {_A_PAGE}, from 0",
    },
    gives="A page of them, and how many there are",
)
_BEGIN = About(
    says="Begin a discussion, or a pull request as a draft",
    token=Token.MUST,
    fields={"title": "its title", "description?": "its first text, in Markdown", "pullRequest?": "true or false"},
    gives="Its number and address",
)
_DETAILS = About(
    says="Show a discussion or pull request with all that was said",
    query={"diff": "true adds what a pull request changes, for those who may download the files"},
    gives="Its state, its events, and the files in which a pull request conflicts",
)
_COMMENT = About(
    says="Say something", token=Token.MUST, fields={"comment": "in Markdown"}, gives="The comment as an event"
)
_RENAME = About(
    says="Give it another title", token=Token.MUST, fields={"title": "the new one"}, gives="The change as an event"
)
_STATUS = About(
    says="Open or close it",
    token=Token.MUST,
    fields={"status": "open or closed", "comment?": "why, in Markdown"},
    gives="The change as an event",
)
_MERGE = About(
    says="Merge a pull request",
    token=Token.MUST,
    fields={"comment?": "in Markdown"},
    gives="The change as an event",
    refuses={409: "It conflicts with what the branch holds now"},
)
_EDIT = About(
    says="Change a comment", token=Token.MUST, fields={"content": "the new text"}, gives="The comment as an event"
)
_HIDE = About(says="Take a comment's text away for good", token=Token.MUST, gives="The comment as an event")


def _repo(ask: Ask) -> Repo:
    return find_repo(ask.hub, ask.caller, ask.repo_name)


def number_asked(ask: Ask) -> int:
    """The discussion of the address. Raises NotFoundError."""
    number = read_number(ask.part("number"), digits=9)
    if number is None:
        raise NotFoundError(f"{ask.part('number')[:40]!r} is no number of a discussion")
    return number


def _list(ask: Ask) -> Response:
    repo = _repo(ask)
    start = ask.page * _A_PAGE
    found, count = ask.hub.catalog.discussions.search(
        repo.id,
        pull_requests=_choice(ask, "type", _TYPES),
        statuses=_choice(ask, "status", _STATUSES),
        author=ask.request.query_params.get("author", ""),
        offset=start,
        limit=_A_PAGE,
    )
    lines = [wire.discussion(repo, each) for each in found]
    return JSONResponse({"discussions": lines, "count": count, "start": start})


def _choice(ask: Ask, name: str, choices: Mapping[str, Any]) -> Any:  # noqa: ANN401  # what the choices are
    word = ask.request.query_params.get(name, "")
    if word not in choices:
        raise HubError(f"{name}={word[:40]!r} is none of {', '.join(filter(None, choices))}")
    return choices[word]


def _begin(ask: Ask) -> Response:
    repo, wanted = _repo(ask), ask.json()
    is_proposal = wanted.get("pullRequest", False)
    if not isinstance(is_proposal, bool):
        raise HubError("'pullRequest' is true or false")
    begin = proposals.begin if is_proposal else discussions.begin
    made = begin(ask.hub, ask.caller, repo, text_of(wanted, "title"), text_of(wanted, "description", ""))
    url = f"{ask.base}/{repo.full_name}/discussions/{made.number}"
    return JSONResponse({**wire.discussion(repo, made), "pullRequest": made.proposal is not None, "url": url})


def _details(ask: Ask) -> Response:
    repo = _repo(ask)
    found = discussions.find(ask.hub, repo, number_asked(ask))
    conflicts: tuple[str, ...] = ()
    if found.proposal is not None:
        conflicts = proposals.conflicts(ask.hub, repo, found, found.proposal)
    facts = wire.details(repo, found, proposals.events(ask.hub, repo, found), conflicts)
    if found.proposal is not None and ask.flag("diff"):
        facts["diff"] = _diff(ask, repo, found)
    return JSONResponse(facts)


def _diff(ask: Ask, repo: Repo, found: Discussion) -> str:
    if found.proposal is None or not permits(ask.caller, repo, Action.DOWNLOAD):
        return ""  # it shows what is in files
    start = revisions.commit_at(ask.hub, repo, found.proposal.start)
    return comparing.diff(ask.hub, start, proposals.head_of(ask.hub, repo, found, found.proposal))


def _told(name: str, event: Event) -> Response:
    return JSONResponse({name: wire.event(event)})


def _comment(ask: Ask) -> Response:
    text = text_of(ask.json(), "comment")
    return _told("newMessage", discussions.comment(ask.hub, ask.caller, _repo(ask), number_asked(ask), text))


def _rename(ask: Ask) -> Response:
    title = text_of(ask.json(), "title")
    return _told("newTitle", discussions.rename(ask.hub, ask.caller, _repo(ask), number_asked(ask), title))


def _change_status(ask: Ask) -> Response:
    wanted = ask.json()
    found = discussions.change_status(
        ask.hub, ask.caller, _repo(ask), number_asked(ask), _status(wanted), text_of(wanted, "comment", "")
    )
    return _told("newStatus", found)


def _status(wanted: dict[str, Any]) -> Literal["open", "closed"]:
    match wanted.get("status"):
        case "open":
            return "open"
        case "closed":
            return "closed"
    raise HubError(f"'status' is open or closed, not {str(wanted.get('status'))[:40]!r}")


def _merge(ask: Ask) -> Response:
    text = text_of(ask.json(), "comment", "")
    return _told("newStatus", proposals.accept(ask.hub, ask.caller, _repo(ask), number_asked(ask), text))


def _edit(ask: Ask) -> Response:
    text = text_of(ask.json(), "content")
    found = discussions.edit(ask.hub, ask.caller, _repo(ask), number_asked(ask), ask.part("event"), text)
    return _told("updatedComment", found)


def _hide(ask: Ask) -> Response:
    found = discussions.hide(ask.hub, ask.caller, _repo(ask), number_asked(ask), ask.part("event"))
    return _told("updatedComment", found)
