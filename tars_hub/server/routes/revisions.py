"""Branches, tags, commits: names of revisions, and the way between them."""

from __future__ import annotations

from html import escape
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.records import BRANCHES, TAGS, Repo
from tars_hub.server.routes.about import TEXT, About, Token
from tars_hub.server.routes.repos import MODEL
from tars_hub.server.routes.web import Ask, next_link, route, text_of
from tars_hub.server.rules import proposals, revisions, squash
from tars_hub.server.rules.access import Action, find_repo
from tars_hub.server.wire.times import stamp

_COMMITS_A_PAGE = 1000


def routes() -> list[BaseRoute]:
    return [
        route(f"{MODEL}/refs", "GET", _refs, by_cookie=True, about=_REFS),
        route(f"{MODEL}/commits/{{revision:revision}}", "GET", _commits, about=_COMMITS),
        route(f"{MODEL}/branch/{{branch:rest}}", "POST", _add_branch, about=_ADD_BRANCH),
        route(f"{MODEL}/branch/{{branch:rest}}", "DELETE", _remove_branch, about=_REMOVE_BRANCH),
        route(f"{MODEL}/tag/{{revision:rest}}", "POST", _add_tag, about=_ADD_TAG),
        route(f"{MODEL}/tag/{{revision:rest}}", "DELETE", _remove_tag, about=_REMOVE_TAG),
        route(f"{MODEL}/super-squash/{{revision:revision}}", "POST", _super_squash, about=_SQUASH),
    ]


_REFS = About(
    says="List a model's branches and tags",
    query={"include_prs": "true names pull requests as well"},
    gives="Names and the commits that they stand at",
)
_COMMITS = About(
    says="List the commits of a revision, the last first",
    query={
        "limit": "how many; the header Link leads to the next",
        "p": "which page of so many, from 0",
        "expand": "formatted gives titles and messages as HTML as well",
    },
    gives="A list: id, title, message, date and authors of each",
)
_NAMING = {409: "There is one of this name", 422: "The name cannot be one"}
_ADD_BRANCH = About(
    says="Make a branch",
    token=Token.MUST,
    fields={"startingPoint?": "the revision that it begins at; without it the main branch"},
    kind=TEXT,
    refuses=_NAMING,
)
_REMOVE_BRANCH = About(says="Remove a branch", token=Token.MUST, kind=TEXT)
_ADD_TAG = About(
    says="Give a revision a tag",
    token=Token.MUST,
    fields={"tag": "its name"},
    kind=TEXT,
    refuses=_NAMING,
)
_REMOVE_TAG = About(says="Remove a tag", token=Token.MUST, kind=TEXT)
_SQUASH = About(
    says="Make one commit of a branch's whole history",
    token=Token.MUST,
    fields={"message?": "of the one commit"},
    kind=TEXT,
)


def _refs(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    found = ask.hub.catalog.history.refs(repo.id)

    def named(kind: str) -> list[dict[str, str]]:
        return [
            {"name": ref.name.removeprefix(kind), "ref": ref.name, "targetCommit": ref.commit}
            for ref in found
            if ref.name.startswith(kind)
        ]

    facts: dict[str, list[dict[str, str]]] = {
        "branches": named(BRANCHES),
        "converts": named("refs/convert/"),
        "tags": named(TAGS),
    }
    if ask.flag("include_prs"):
        facts["pullRequests"] = [{**ref, "name": ref["ref"]} for ref in named("refs/pr/")]
    return JSONResponse(facts)


def _commits(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    start = revisions.commit_at(ask.hub, repo, ask.part("revision"))
    limit = max(ask.number("limit", _COMMITS_A_PAGE, most=_COMMITS_A_PAGE), 1)
    page = ask.page
    found = ask.hub.catalog.history.log(repo.id, start.oid, skip=page * limit, limit=limit + 1)
    formatted = "formatted" in ask.words("expand")
    lines = []
    for commit in found[:limit]:
        title, _, message = commit.message.partition("\n")
        line: dict[str, Any] = {
            "id": commit.oid,
            "title": title,
            "message": message.strip(),
            "date": stamp(commit.at),
            "authors": [{"user": commit.author}],
        }
        if formatted:
            line["formatted"] = {"title": escape(title), "message": escape(message.strip())}
        lines.append(line)
    headers = next_link(ask, p=page + 1) if len(found) > limit else {}
    return JSONResponse(lines, headers=headers)


def _writable(ask: Ask) -> Repo:
    return find_repo(ask.hub, ask.caller, ask.repo_name, Action.WRITE)


def _add_branch(ask: Ask) -> Response:
    start = text_of(ask.json(), "startingPoint", "")
    revisions.add_branch(ask.hub, _writable(ask), ask.part("branch"), start or None)
    return PlainTextResponse("OK")


def _remove_branch(ask: Ask) -> Response:
    revisions.remove_branch(ask.hub, _writable(ask), ask.part("branch"))
    return PlainTextResponse("OK")


def _add_tag(ask: Ask) -> Response:
    revisions.add_tag(ask.hub, _writable(ask), text_of(ask.json(), "tag"), ask.part("revision"))
    return PlainTextResponse("OK")


def _remove_tag(ask: Ask) -> Response:
    revisions.remove_tag(ask.hub, _writable(ask), ask.part("revision"))
    return PlainTextResponse("OK")


def _super_squash(ask: Ask) -> Response:
    message = text_of(ask.json(), "message", "")
    repo = _writable(ask)
    proposals.require_pusher(ask.hub, ask.caller, repo, revisions.branch_ref(ask.hub, repo, ask.part("revision")))
    squash.squash(ask.hub, ask.caller, repo, ask.part("revision"), message)
    return PlainTextResponse("OK")
