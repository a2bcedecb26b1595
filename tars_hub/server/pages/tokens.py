"""One's own tokens in the browser: listed, made and revoked."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import HubError, NotFoundError
from tars_hub.server.pages.forms import Form, form_route, go, log_in_first
from tars_hub.server.pages.look import page
from tars_hub.server.records import Role, Token
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules.access import Action, permits
from tars_hub.server.rules.tokens import Wish, create_own_token, revoke
from tars_hub.server.wire.reading import read_number

_ROLES: dict[str, Role] = {"read": "read", "write": "write"}
_DAYS: dict[str, int | None] = {"7": 7, "30": 30, "90": 90, "365": 365, "never": None}
_SHOWN = 200
_REPOSITORIES_SHOWN, _MOST_REPOSITORIES = 20, 50


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A token as the page shows it.

    Attributes:
        repositories: full names of those it is for that the caller may see.
        others: how many it is for besides.
        current: the one that this session began with.
    """

    token: Token
    repositories: tuple[str, ...]
    others: int
    current: bool
    ended: bool


def routes() -> list[BaseRoute]:
    return [
        route("/settings/tokens", "GET", _show, by_cookie=True),
        form_route("/settings/tokens", _make),
        form_route("/settings/tokens/{token}/revoke", _revoke),
    ]


def _show(ask: Ask) -> Response:
    if ask.caller.token is None:
        return log_in_first(ask)
    return _list(ask, Form())


def _list(ask: Ask, form: Form, *, error: str = "", status: int = 200, made: Sequence[str] = ()) -> Response:
    found = _own(ask)
    return page(
        ask,
        "tokens.html",
        status=status,
        tokens=[_shown(ask, token) for token in found[:_SHOWN]],
        more=max(len(found) - _SHOWN, 0),
        may_change=ask.caller.token is not None and ask.caller.token.is_whole,
        days=list(_DAYS),
        form=form,
        error=error,
        made=made,
    )


def _own(ask: Ask) -> list[Token]:
    """The caller's tokens, newest first; one for some repositories knows nothing of the others."""
    token = ask.caller.token
    if token is None:
        return []
    if token.repositories is not None:
        return [token]
    return ask.hub.catalog.accounts.tokens(token.user.id)[::-1]


def _shown(ask: Ask, token: Token) -> Shown:
    names = list[str]()
    ids = sorted(token.repositories or ())
    for repo_id in ids[:_REPOSITORIES_SHOWN]:
        repo = ask.hub.catalog.repositories.by_id(repo_id)
        if repo is not None and permits(ask.caller, repo, Action.READ):
            names.append(repo.full_name)
    return Shown(
        token=token,
        repositories=tuple(names),
        others=len(ids) - len(names),
        current=ask.caller.token is not None and token.id == ask.caller.token.id,
        ended=token.expires_at is not None and token.expires_at <= datetime.now(timezone.utc),
    )


def _make(ask: Ask, form: Form) -> Response:
    try:
        text = create_own_token(ask.hub, ask.caller, _wish(form))
    except HubError as error:
        return _list(ask, form, error=str(error), status=error.status)
    # Not by a redirect: this answer is the one place where the token is ever to be seen.
    lines = [f"export HF_ENDPOINT={shlex.quote(ask.base)}", f"hf auth login --token {text}"]
    return _list(ask, Form(), made=[text, "\n".join(lines)])


def _wish(form: Form) -> Wish:
    names = form.text("repositories").replace(",", " ").split()
    if len(names) > _MOST_REPOSITORIES:
        raise HubError(f"a token is for all repositories, or for up to {_MOST_REPOSITORIES}; these are {len(names)}")
    return Wish(
        role=form.choice("role", _ROLES),
        label=form.text("label"),
        repositories=names,
        days=form.choice("days", _DAYS),
    )


def _revoke(ask: Ask, _: Form) -> Response:
    number = read_number(ask.part("token"), digits=18)
    if number is None:
        raise NotFoundError(f"you have no token {ask.part('token')[:40]!r}")
    revoke(ask.hub, ask.caller, number)
    return go("/settings/tokens")
