"""Models: one described, and many found."""

from __future__ import annotations

import re
from dataclasses import replace

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import HubError, RevisionNotFoundError
from tars_hub.server.gitobjects import pointer
from tars_hub.server.records import MAIN, Commit, Facts, Repo, Search, Sort
from tars_hub.server.routes.about import PAGES, About
from tars_hub.server.routes.repos import MODEL
from tars_hub.server.routes.web import Ask, next_link, route
from tars_hub.server.rules import cards, revisions
from tars_hub.server.rules.access import downloadable, find_repo, visible
from tars_hub.server.wire.models import FileLine, ModelView, model_info, model_line

_PAGE = 1000
_LONGEST = 200  # letters of what is searched for; no full name has as many
_MOST = (1 << 63) - 1  # the largest number that a database takes
_LONG_PAGE = 100  # of models with all that their cards say
# What is trending nobody knows here: it comes as it was last changed.
_SORTS: dict[str, Sort] = {
    "lastModified": "updated_at",
    "last_modified": "updated_at",
    "createdAt": "created_at",
    "created_at": "created_at",
    "id": "name",
    "downloads": "downloads",
    "likes": "likes",
    "trendingScore": "updated_at",
    "trending_score": "updated_at",
}
_ELSEWHERE = ("apps", "inference", "inference_provider")  # what no model here has
_NEEDS_FILES = {"siblings", "usedStorage"}


def routes() -> list[BaseRoute]:
    return [
        route("/api/models", "GET", _search, by_cookie=True, about=_SEARCH),
        route(MODEL, "GET", _model, by_cookie=True, about=_MAIN),
        route(f"{MODEL}/revision/{{revision:revision}}", "GET", _model, by_cookie=True, about=_AT),
    ]


_SEARCH = About(
    says="Find models",
    query={
        **PAGES,
        "search": "part of a model's full name",
        "author": "the owner",
        "filter": "tags that they all have, with commas",
        "pipeline_tag": "the task, such as image-classification",
        "gated": "true or false",
        "downloadable": "true leaves out those whose files you may not have",
        "num_parameters": "such as min:6M,max:100M",
        "sort": ", ".join(dict.fromkeys(_SORTS)),
        "direction": "1 turns the order round",
        "full": "true gives all that is known",
        "config": "true adds what is known of config.json",
        "cardData": "true adds the facts of the card",
        "expand": "names of fields, with commas, instead of the usual ones",
    },
    gives="A list of models; the private ones among them that you may see",
)
_DETAIL = {
    "expand": "names of fields, with commas, instead of the usual ones",
    "blobs": "true adds sizes and ids of files",
    "securityStatus": "true adds that nothing here scans files",
}
_WHAT = "Its commit, files, tags, card and counts"
_MAIN = About(says="Describe a model as its main branch has it", query=_DETAIL, gives=_WHAT)
_AT = About(says="Describe a model at a revision", query=_DETAIL, gives=_WHAT)


def _model(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    named = "revision" in ask.request.path_params
    commit = revisions.commit_at(ask.hub, repo, ask.part("revision") if named else "main")
    facts = cards.facts_of(ask.hub, commit) if named else repo.facts
    view = model_view(ask, repo, commit, facts)
    return JSONResponse(
        model_info(view, expand=ask.words("expand"), blobs=ask.flag("blobs"), security=ask.flag("securityStatus"))
    )


def model_view(ask: Ask, repo: Repo, commit: Commit, facts: Facts) -> ModelView:
    """A model at one revision, its files included."""
    files = [entry for entry in revisions.entries(ask.hub, commit) if entry.file is not None]
    lines = [_file_line(entry) for entry in files]
    return ModelView(repo=repo, commit=commit, files=lines, facts=facts, used_bytes=revisions.used_bytes(files))


def _file_line(entry: revisions.Entry) -> FileLine:
    file = entry.file
    if file is None:
        raise ValueError(f"{entry.path} is a folder")
    if not file.lfs:
        return FileLine(path=entry.path, size=file.size, oid=entry.oid)
    length = len(pointer(file.sha256, file.size))
    return FileLine(path=entry.path, size=file.size, oid=entry.oid, sha256=file.sha256, pointer_size=length)


def _search(ask: Ask) -> Response:
    expand, full, card = ask.words("expand"), ask.flag("full"), ask.flag("cardData")
    most = _LONG_PAGE if full or card or expand else _PAGE
    offset, limit = ask.rows(most=most)
    if any(ask.words(name) for name in _ELSEWHERE):
        return JSONResponse([])
    found = ask.hub.catalog.repositories.search(_wanted(ask, offset, limit + 1))
    with_files = full or bool(_NEEDS_FILES & set(expand))
    lines = [
        model_line(view, expand=expand, full=full, config=ask.flag("config"), card=card)
        for repo in found[:limit]
        if (view := _listed(ask, repo, with_files)) is not None
    ]
    headers = next_link(ask, cursor=offset + limit) if len(found) > limit else {}
    return JSONResponse(lines, headers=headers)


def _listed(ask: Ask, repo: Repo, with_files: bool) -> ModelView | None:
    """What a list says of a model; None where it was removed since it was found."""
    try:
        commit = revisions.commit_at(ask.hub, repo, MAIN)
    except RevisionNotFoundError:
        return None
    if with_files:
        return model_view(ask, repo, commit, repo.facts)
    return ModelView(repo=repo, commit=commit, facts=repo.facts)


def _wanted(ask: Ask, offset: int, limit: int) -> Search:
    params = ask.request.query_params
    sort = params.get("sort", "trendingScore")
    if sort not in _SORTS:
        raise HubError(f"models cannot be sorted by {sort[:40]!r}; {', '.join(sorted(_SORTS))} are known")
    return replace(
        # Not of huggingface.co: the page that shows models asks for it.
        downloadable(ask.caller) if ask.flag("downloadable") else visible(ask.caller),
        text=params.get("search", "").strip()[:_LONGEST],
        author=params.get("author", "").strip(),
        tags=tuple(ask.words("filter")),
        pipeline_tag=params.get("pipeline_tag", ""),
        gated=ask.flag("gated") if "gated" in params else None,
        parameters=_bounds(params.get("num_parameters", "")),
        sort=_SORTS[sort],
        ascending=params.get("direction", "-1") == "1",
        offset=offset,
        limit=limit,
    )


_BOUND = re.compile(r"(min|max):([0-9]{1,12}(?:\.[0-9]{1,6})?)([KMBT]?)", re.IGNORECASE)
_SCALES = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def _bounds(text: str) -> tuple[int | None, int | None]:
    """ "min:6B,max:128B" to numbers."""
    bounds: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        found = _BOUND.fullmatch(part.strip())
        if found is None:
            raise HubError(f"num_parameters={text[:60]!r} cannot be read; min:6M,max:100M could")
        bounds[found[1].lower()] = min(int(float(found[2]) * _SCALES[found[3].upper()]), _MOST)
    return bounds.get("min"), bounds.get("max")
