"""The page of a model: its card, what is known of it, how good it is, and how it is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.catalog.facts import backbone_of
from tars_hub.server.errors import HubError
from tars_hub.server.pages.look import page
from tars_hub.server.pages.markdown import Place
from tars_hub.server.pages.metrics import Figure, results_of
from tars_hub.server.pages.sheet import Sheet, card_html, is_cut, sheet_of
from tars_hub.server.pages.snippets import Use, snippets
from tars_hub.server.records import Commit, Facts, Repo
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import audience, cards, revisions
from tars_hub.server.rules.access import Action, find_repo, permits

_LONGEST_REVISION = 300
_TAGS_SHOWN = 40


def routes() -> list[BaseRoute]:
    return [route("/{namespace}/{name}", "GET", _model, by_cookie=True)]


@dataclass(frozen=True, kw_only=True)
class About:
    """What everybody may know who may read a repository, its files apart."""

    task: str
    backbone: str
    classes: int | None
    parameters: int
    library: str
    licences: tuple[str, ...]
    tags: tuple[str, ...]
    figures: tuple[Figure, ...]


def _model(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name, Action.READ)
    revision = _revision(ask)
    commit = revisions.commit_at(ask.hub, repo, revision)
    facts = repo.facts if revision == "main" else cards.facts_of(ask.hub, commit)
    sheet = sheet_of(ask.hub, commit) if permits(ask.caller, repo, Action.DOWNLOAD) else None
    return page(
        ask,
        "model.html",
        repo=repo,
        revision=revision,
        commit=commit,
        tab="Model",
        about=_about(facts, sheet),
        sheet=sheet,
        card=_card(ask, repo, revision, commit, sheet),
        cut=bool(sheet and sheet.card and is_cut(sheet.card)),
        snippets=snippets(_use(ask, repo, revision, sheet)) if sheet else [],
        try_it=_try_it(ask, repo, revision, sheet),
        **_standing(ask, repo),
    )


def _revision(ask: Ask) -> str:
    revision = ask.request.query_params.get("rev") or "main"
    if len(revision) > _LONGEST_REVISION:
        raise HubError(f"rev={revision[:60]!r}… is no branch, tag or commit; it is too long")
    return revision


def _about(facts: Facts, sheet: Sheet | None) -> About:
    licences = tuple(tag.partition(":")[2] for tag in facts.tags if tag.startswith("license:"))
    return About(
        task=facts.pipeline_tag,
        backbone=backbone_of(facts),
        classes=facts.config.get("num_classes", len(sheet.classes) if sheet and sheet.classes else None),
        parameters=sum(facts.parameters.values()),
        library=facts.library_name,
        licences=licences,
        tags=tuple(tag for tag in facts.tags if not tag.startswith("license:"))[:_TAGS_SHOWN],
        figures=(sheet.figures if sheet else ()) or results_of(facts.model_index),
    )


def _card(ask: Ask, repo: Repo, revision: str, commit: Commit, sheet: Sheet | None) -> Markup:
    """The card, which is clean; empty without one."""
    if sheet is None or sheet.card is None:
        return Markup()
    place = Place(repo.full_name, revision, commit.oid)
    return Markup(card_html(ask.hub, sheet.card, place))  # noqa: S704  # cleaned by `markdown.render`


def _use(ask: Ask, repo: Repo, revision: str, sheet: Sheet) -> Use:
    return Use(
        base=ask.base,
        repo=repo.full_name,
        revision="" if revision == "main" else revision,
        needs_token=repo.private or bool(repo.gated),
        tars=sheet.tars,
        timm=sheet.timm,
    )


def _try_it(ask: Ask, repo: Repo, revision: str, sheet: Sheet | None) -> str:
    """The address where this model answers; empty where it cannot."""
    if not ask.demo or sheet is None or not sheet.tars:
        return ""
    query = {"model": repo.full_name} | ({} if revision == "main" else {"revision": revision})
    return f"{ask.demo}/?{urlencode(query, quote_via=quote)}"


def _standing(ask: Ask, repo: Repo) -> dict[str, Any]:
    """What this caller is to the repository."""
    writes = ask.caller.token is not None and ask.caller.token.role == "write" and bool(ask.session)
    return {
        "likes_it": audience.likes(ask.hub, ask.caller, repo),
        "access": audience.standing(ask.hub, ask.caller, repo) if repo.gated else None,
        "acts": writes,
        "may_write": permits(ask.caller, repo, Action.WRITE),
    }
