"""No other site changes anything in a visitor's name, at any address that takes a form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tars_hub.server.table import table
from tests.server.pages.visiting import Visit, visit
from tests.server.running import Site, memory_hub, site

PARTS = {
    "{namespace}": "ann",
    "{name}": "model",
    "{revision:revision}": "main",
    "{path:rest}": "README.md",
    "{organisation}": "team",
}
# What each form says besides, so that it would change something were it believed.
FIELDS: dict[str, dict[str, str]] = {
    "/logout": {},
    "/settings/tokens": {"role": "write", "label": "more", "days": "7"},
    "/settings/tokens/{token}/revoke": {},
    "/settings/members/{organisation}": {"user": "bob", "role": "read"},
    "/new": {"namespace": "ann", "name": "made", "visibility": "public"},
    "/{namespace}/{name}/settings/visibility": {"visibility": "public", "gated": "auto"},
    "/{namespace}/{name}/settings/move": {"namespace": "ann", "name": "moved"},
    "/{namespace}/{name}/settings/access": {"user": "bob", "answer": "accept"},
    "/{namespace}/{name}/settings/delete": {"confirm": "ann/model"},
    "/{namespace}/{name}/like": {},
    "/{namespace}/{name}/ask-access": {},
    "/{namespace}/{name}/upload/{revision:revision}": {"parent": "{head}", "summary": "Upload"},
    "/{namespace}/{name}/delete/{revision:revision}/{path:rest}": {"parent": "{head}"},
}
# For programs: a token says who asks, or a ticket, and never a cookie.
FOR_PROGRAMS = ("/api/", "/cas/", "/{namespace}/{name}.git/")


def form_addresses() -> list[str]:
    return [
        route.path  # type: ignore[attr-defined]
        for route in table()
        if "POST" in route.methods and not route.path.startswith(FOR_PROGRAMS)  # type: ignore[attr-defined]
    ]


def without_elsewhere(paths: list[str]) -> list[str]:
    """Not those that answer one and the same 404 to everything."""
    kinds = ("datasets", "spaces", "kernels", "buckets", "collections", "papers")
    return [path for path in paths if path.strip("/").partition("/")[0] not in kinds]


ADDRESSES = [path for path in without_elsewhere(form_addresses()) if path != "/login"]


def test_no_form_is_forgotten() -> None:
    assert sorted(ADDRESSES) == sorted(FIELDS), "tell here what a new form sends, so that it is tried below"


class World:
    """Ann's private model in which bob waits to be let in, an organisation of hers, and all there is to change."""

    def __init__(self, running: Site) -> None:
        self.site = running
        accounts = running.hub.catalog.accounts
        running.add("ann", "bob")
        self.org = accounts.add_user("team", organisation=True)
        self.ann = accounts.user("ann")
        assert self.ann is not None
        accounts.set_member(self.org.id, self.ann.id, "admin")
        running.create("ann/model", "ann", private=True, gated=True)
        self.head = running.put("ann/model", "ann", {"README.md": b"# hello"})
        bob = accounts.user("bob")
        repo = running.hub.catalog.repositories.find("ann/model")
        assert bob is not None
        assert repo is not None
        running.hub.catalog.audience.request(repo.id, bob.id, "pending")
        self.repo_id = repo.id

    def state(self) -> Any:
        """Whatever a form could change."""
        catalog = self.site.hub.catalog
        assert self.ann is not None
        return (
            catalog.accounts.tokens(self.ann.id),
            catalog.accounts.members(self.org.id),
            [repo.full_name for repo in catalog.repositories.all(0, 100)],
            catalog.repositories.by_id(self.repo_id),
            catalog.history.refs(self.repo_id),
            catalog.audience.requests(self.repo_id, statuses=["pending", "accepted", "rejected"]),
            catalog.audience.likers(self.repo_id),
        )

    def send(self, visitor: Visit, address: str, csrf: str | None, headers: dict[str, str | None]) -> Any:
        path = address
        for part, value in PARTS.items():
            path = path.replace(part, value)
        if "{token}" in path:
            assert self.ann is not None
            spare = self.site.hub.catalog.accounts.tokens(self.ann.id)[1]
            path = path.replace("{token}", str(spare.id))
        fields = {name: value.replace("{head}", self.head) for name, value in FIELDS[address].items()}
        fields = {"x": "y", **fields} if csrf is None else {"csrf": csrf, **fields}
        files = {"files": [("files", ("x.txt", b"new", "text/plain"))]} if "/upload/" in path else {}
        return visitor.raw_post(path, fields, headers=headers, **files)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with site() as running:
        yield World(running)


WRONG: dict[str, tuple[str | None, dict[str, str | None]]] = {
    "no token": (None, {}),
    "empty token": ("", {}),
    "wrong token": ("0" * 64, {}),
    "token of another session": ("{other}", {}),
    "another site": ("{own}", {"Origin": "https://evil.example"}),
    "another port": ("{own}", {"Origin": "http://127.0.0.1:1"}),
    "no site at all": ("{own}", {"Origin": "null"}),
    "neither Origin nor Referer": ("{own}", {"Origin": None}),
    "another site's Referer": ("{own}", {"Origin": None, "Referer": "https://evil.example/{url}"}),
    "the browser says cross-site": ("{own}", {"Sec-Fetch-Site": "cross-site"}),
    "the browser says same-site": ("{own}", {"Sec-Fetch-Site": "same-site"}),
}


@pytest.mark.parametrize("why", WRONG)
@pytest.mark.parametrize("address", FIELDS)
def test_what_was_not_sent_from_here_changes_nothing(world: World, address: str, why: str) -> None:
    own, other = visit(world.site, "ann"), visit(world.site, "ann")
    token, headers = WRONG[why]
    token = token and token.replace("{own}", own.csrf).replace("{other}", other.csrf)
    before = world.state()
    answer = world.send(own, address, token, headers)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert world.state() == before
    assert own.get("/settings/tokens").status_code == 200, "the session goes on"


@pytest.mark.parametrize("address", FIELDS)
def test_a_bearer_token_sends_no_forms(world: World, address: str) -> None:
    before = world.state()
    headers: dict[str, str | None] = {"Authorization": f"Bearer {world.site.tokens['ann']}"}
    answer = world.send(visit(world.site), address, "0" * 64, headers)
    assert answer.status_code == 403
    assert world.state() == before


@pytest.mark.parametrize("address", FIELDS)
@pytest.mark.parametrize("who", ["ann:read", "ann:elsewhere"])
def test_a_session_may_no_more_than_its_token(world: World, address: str, who: str) -> None:
    """Not the one that may only read, nor the one that is for another repository."""
    if who not in world.site.tokens:
        repo = world.site.hub.catalog.repositories.find("ann/other")
        if repo is None:
            world.site.create("ann/other", "ann")
            repo = world.site.hub.catalog.repositories.find("ann/other")
        assert repo is not None
        from tars_hub.server.rules.tokens import create_token

        world.site.tokens[who] = create_token(world.site.hub, "ann", role="write", repositories=[repo])
    visitor = visit(world.site, who)
    before = world.state()
    answer = world.send(visitor, address, visitor.csrf, {})
    stranger = who == "ann:elsewhere" and "{name}" in address  # to whom a private model is not there
    assert answer.status_code == (303 if address == "/logout" else 404 if stranger else 403), answer.text
    assert world.state() == before


@pytest.mark.parametrize("address", FIELDS)
def test_what_was_sent_from_here_is_done(address: str) -> None:
    """Else the refusals above would show nothing."""
    with site() as running:
        world = World(running)
        visitor = visit(running, "ann")
        before = world.state()
        answer = world.send(visitor, address, visitor.csrf, {})
        assert answer.status_code == (200 if address == "/settings/tokens" else 303), answer.text
        if address == "/logout":
            assert visitor.get("/settings/tokens").status_code == 303
        elif not address.endswith("/ask-access"):  # its owner has nothing to ask for
            assert world.state() != before


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None, "Referer": "{url}/new?x=y"},
        {"Sec-Fetch-Site": None},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_browsers_say_it_in_several_ways(world: World, headers: dict[str, str | None]) -> None:
    visitor = visit(world.site, "ann")
    given = {name: value and value.replace("{url}", world.site.url) for name, value in headers.items()}
    assert world.send(visitor, "/logout", visitor.csrf, given).status_code == 303


@pytest.mark.parametrize(
    ("public_url", "origin", "status"),
    [
        ("https://hub.example", "https://hub.example", 303),
        ("https://hub.example:443", "https://hub.example", 303),
        ("https://Hub.example/models", "https://hub.example", 303),
        ("https://hub.example", "http://hub.example", 403),
        ("https://hub.example", "https://hub.example:8443", 403),
        ("https://hub.example", "https://hub.example.evil.example", 403),
        ("https://hub.example", "https://hub.example@evil.example", 403),
        ("https://hub.example", "{url}", 403),
        ("https://hub.example", "https://[", 403),
    ],
)
def test_the_hub_goes_by_its_public_address(public_url: str, origin: str, status: int) -> None:
    with memory_hub(public_url=public_url) as hub, site(hub) as running:
        running.add("ann")
        visitor = visit(running, "ann")
        answer = visitor.post("/logout", headers={"Origin": origin.replace("{url}", running.url)})
        assert answer.status_code == status
        if status == 403:
            assert public_url in answer.text


def test_a_hub_without_an_address_is_nobodys(world: World) -> None:
    """What cannot be read on either side is not the same."""
    visitor = visit(world.site, "ann")
    headers: dict[str, str | None] = {"Host": "127.0.0.1:99999", "Origin": "null"}
    assert world.send(visitor, "/logout", visitor.csrf, headers).status_code == 403
