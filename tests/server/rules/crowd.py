"""Every kind of caller and repository, what each may do, and a hub with all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, TypeAlias

import httpx

from tars_hub.server.hub import Hub
from tars_hub.server.pages.csrf import FIELD, token_of
from tars_hub.server.records import Caller, Repo
from tars_hub.server.routes.web import SESSION_COOKIE
from tars_hub.server.rules.access import Action
from tars_hub.server.rules.accounts import add_organisation
from tars_hub.server.rules.audience import grant_access
from tars_hub.server.rules.tokens import Wish, begin_session, caller_of, create_own_token, create_token
from tests.server.running import Site, done, site

R, D, P, W, A = Action.READ, Action.DOWNLOAD, Action.PROPOSE, Action.WRITE, Action.ADMINISTER
LIKE = "like"
"""To like a repository, or ask for access to it: who may read it may, with a token that may write and is for it."""
Need: TypeAlias = "Action | str"
May: TypeAlias = frozenset[Need]
STATES = ("private", "public", "gated")


def _may(*needs: Need) -> May:
    return frozenset(needs)


_NOTHING, _ALL, _READS = _may(), _may(R, D, P, W, A, LIKE), _may(R, D)
_TAKES_PART, _SEES, _LIKES = _may(R, D, P, LIKE), _may(R), _may(R, LIKE)
# What each may do with a repository that is private, public, gated.
MAY: dict[str, tuple[May, May, May]] = {
    "owner": (_ALL, _ALL, _ALL),
    "owner, reading": (_READS, _READS, _READS),
    "owner, for this repository": (_ALL, _ALL, _ALL),
    "owner, for another repository": (_NOTHING, _READS, _SEES),
    "member: admin": (_ALL, _ALL, _ALL),
    "member: admin, reading": (_READS, _READS, _READS),
    "member: write": (_ALL, _ALL, _ALL),
    "member: read": (_TAKES_PART, _TAKES_PART, _TAKES_PART),
    "member: admin, for another repository": (_NOTHING, _READS, _SEES),
    "other": (_NOTHING, _TAKES_PART, _LIKES),
    "other, reading": (_NOTHING, _READS, _SEES),
    "let in": (_NOTHING, _TAKES_PART, _TAKES_PART),
    "let in, reading": (_NOTHING, _READS, _READS),
    "let in, for another repository": (_NOTHING, _READS, _SEES),
    "refused": (_NOTHING, _TAKES_PART, _LIKES),
    "nobody": (_NOTHING, _READS, _SEES),
}
# The rule is asked about all of them; each address by these, who between them may all that differs.
AT_ADDRESSES = (
    "owner",
    "owner, reading",
    "owner, for this repository",
    "owner, for another repository",
    "member: write",
    "member: read",
    "other",
    "other, reading",
    "let in",
    "let in, reading",
    "nobody",
)
NO_TOKENS = ("no such token", "ended", "revoked")


@dataclass
class Crowd:
    """All of them at one hub.

    Attributes:
        tokens, sessions: texts, by who has them; of `NO_TOKENS` those that were good once, but the first.
    """

    site: Site
    tokens: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)

    def repo(self, who: str, state: str) -> str:
        """The repository that somebody's row is about."""
        return f"{'lab' if who.startswith('member') else 'owner'}/{state}"

    def found(self, who: str, state: str) -> Repo:
        repo = self.site.hub.catalog.repositories.find(self.repo(who, state))
        assert repo is not None
        return repo

    def caller(self, who: str) -> Caller:
        return caller_of(self.site.hub, self.tokens.get(who))

    def by_token(self, who: str, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}
        return self.site.ask(method, path, headers=headers, **options)

    def by_session(self, who: str, method: str, path: str, **options: Any) -> httpx.Response:
        """A browser's request."""
        session = self.sessions.get(who, "")
        headers = {"Origin": self.site.url, **({"Cookie": f"{SESSION_COOKIE}={session}"} if session else {})}
        return self.site.ask(method, path, headers=headers, **options)

    def by_form(self, who: str, path: str, **fields: str) -> httpx.Response:
        """What a browser sends from a page of this hub."""
        form = {FIELD: token_of(self.site.hub, self.sessions.get(who, "")), **fields}
        if "/upload/" in path:
            return self.by_session(who, "POST", path, files={name: (None, text) for name, text in form.items()})
        return self.by_session(who, "POST", path, data=form)


@contextmanager
def crowd(hub: Hub | None = None) -> Iterator[Crowd]:
    """A hub with everybody of the table, each with a token and a browser's session; one in memory if none is given."""
    with site(hub) as running:
        found = Crowd(running)
        running.add("owner", "other", "boss", "writer", "reader", "friend", "stranger")
        add_organisation(running.hub, "lab", {"boss": "admin", "writer": "write", "reader": "read"})
        for namespace, who in (("owner", "owner"), ("lab", "boss")):
            for state in STATES:
                _make(running, namespace, state, who)
        _let_in(running)
        _add_tokens(found)
        for who, token in found.tokens.items():
            found.sessions[who] = begin_session(running.hub, token)[0]
        _end_tokens(found)
        yield found


def _make(running: Site, namespace: str, state: str, who: str) -> None:
    visibility = "private" if state == "private" else "public"
    wanted = {"name": state, "organization": namespace, "visibility": visibility}
    done(running.ask("POST", "/api/repos/create", who, json=wanted))
    repo = f"{namespace}/{state}"
    if state == "gated":
        done(running.ask("PUT", f"/api/models/{repo}/settings", who, json={"gated": "manual"}))
    running.put(repo, who, {"README.md": b"# hello", "folder/x": b"y", "config.json": b"{}"})


def _let_in(running: Site) -> None:
    owner = running.caller("owner")
    for name in ("friend", "stranger"):
        grant_access(running.hub, owner, "owner/gated", name)
    done(
        running.ask(
            "POST",
            "/api/models/owner/gated/user-access-request/handle",
            "owner",
            json={"user": "stranger", "status": "rejected"},
        )
    )


def _add_tokens(found: Crowd) -> None:
    hub, people = found.site.hub, {"owner": "owner", "member: admin": "boss", "other": "other", "let in": "friend"}
    for who, name in {**people, "member: write": "writer", "member: read": "reader", "refused": "stranger"}.items():
        found.tokens[who] = found.site.tokens[name]
    for who, name in people.items():
        found.tokens[f"{who}, reading"] = found.site.tokens[f"{name}:read"]
        if who == "other":
            continue
        found.site.create(f"{name}/side", name)
        elsewhere = Wish(role="write", repositories=[f"{name}/side"])
        found.tokens[f"{who}, for another repository"] = create_own_token(hub, found.caller(who), elsewhere)
    here = Wish(role="write", repositories=[f"owner/{state}" for state in STATES])
    found.tokens["owner, for this repository"] = create_own_token(hub, found.caller("owner"), here)
    for who in NO_TOKENS[1:]:
        soon = datetime.now(timezone.utc) + timedelta(seconds=3600)
        found.tokens[who] = create_token(hub, "owner", role="write", label=who, expires_at=soon)


def _end_tokens(found: Crowd) -> None:
    """Time passes, and one is taken back; their sessions are still in browsers."""
    from sqlalchemy import update

    from tars_hub.server.catalog.schema import tokens

    catalog: Any = found.site.hub.catalog
    past = datetime.now(timezone.utc) - timedelta(seconds=1)
    with catalog.database.writing() as connection:
        connection.execute(update(tokens).where(tokens.c.label == "ended").values(expires_at=past))
    revoked = catalog.accounts.token(hashlib.sha256(found.tokens["revoked"].encode()).hexdigest())
    catalog.accounts.remove_token(revoked.id)
    found.tokens["no such token"] = "hf_nobodyhasthis"
