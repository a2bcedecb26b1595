"""Log in with a token; the session may what the token may, and ends with it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from http.cookies import SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx
import pytest

from tars_hub.server.pages.csrf import LOGIN_COOKIE
from tars_hub.server.pages.forms import local_path
from tars_hub.server.rules.accounts import find_person, remove_user
from tars_hub.server.rules.tokens import create_token, end_session
from tests.server.pages.visiting import Visit, visit
from tests.server.running import Site, memory_hub, site

HTML = {"Accept": "text/html"}


class Door:
    """The login page, as a browser without a session sees it."""

    def __init__(self, running: Site, jar: httpx.Client, after: str = "") -> None:
        self.site, self.jar = running, jar
        self.shown = self.jar.get(f"{running.url}/login" + (f"?next={quote(after, safe='')}" if after else ""))
        self.csrf = hidden(self.shown.text, "csrf", action="/login")
        self.after = hidden(self.shown.text, "next", action="/login")

    def knock(self, token: str, *, origin: str = "", **more: str) -> httpx.Response:
        fields = {"csrf": self.csrf, "next": self.after, "token": token} | more
        headers = {"Origin": origin or self.site.url}
        return self.jar.post(f"{self.site.url}/login", data=fields, headers=headers)


Doors: TypeAlias = Callable[..., Door]


@pytest.fixture
def doors() -> Iterator[Doors]:
    """Browsers that come to the login page, each with cookies of its own."""
    with ExitStack() as stack:

        def door(running: Site, after: str = "") -> Door:
            return Door(running, stack.enter_context(httpx.Client(trust_env=False, headers=HTML, timeout=60)), after)

        yield door


def hidden(page: str, name: str, *, action: str) -> str:
    form = page[page.index(f'action="{action}"') :]
    found = re.search(rf'name="{name}" value="([^"]*)"', form)
    assert found, page
    return found[1]


def cookies(answer: httpx.Response) -> dict[str, Any]:
    found = SimpleCookie()
    for text in answer.headers.get_list("set-cookie"):
        found.load(text)
    return dict(found)


def test_in_and_out(shared: Site, doors: Doors) -> None:
    door = doors(shared, "/new")
    answer = door.knock(f"  {shared.tokens['ann']}\n")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/new")
    session = cookies(answer)["tars_session"]
    assert (session["httponly"], session["samesite"], session["path"], session["secure"]) == (True, "lax", "/", "")
    assert 29 * 86_400 < int(session["max-age"]) <= 30 * 86_400
    assert len(session.value) == 43, "32 random bytes"
    assert shared.tokens["ann"] not in str(answer.headers)
    browser = Visit(shared, session.value)
    assert "ann" in browser.get("/").text
    out = browser.post("/logout")
    assert (out.status_code, out.headers["Location"]) == (303, "/")
    assert cookies(out)["tars_session"]["max-age"] == "0"
    assert browser.get("/settings/tokens").headers["Location"] == "/login?next=%2Fsettings%2Ftokens"
    assert browser.post("/new", {"name": "x"}).status_code == 403


def test_the_catalogue_keeps_no_session_that_could_be_used(tmp_path: Any) -> None:
    from tars_hub.server.settings import Settings
    from tars_hub.server.start import opened

    with opened(Settings(data=tmp_path)) as hub, site(hub) as running:
        running.add("ann")
        text = visit(running, "ann").session
        with sqlite3.connect(tmp_path / "catalog.sqlite") as database:
            rows = str(database.execute("SELECT * FROM sessions").fetchall())
        database.close()
        assert text not in rows
        assert len(rows) > 64


@pytest.mark.parametrize("token", ["", "hf_none", "x" * 5000, "\0", "é" * 40, "hf_" + "a" * 40])
def test_a_wrong_token(shared: Site, doors: Doors, token: str) -> None:
    door = doors(shared, "/new")
    answer = door.knock(token)
    assert answer.status_code == 401
    assert "nobody here has this token" in answer.text
    assert "tars_session" not in cookies(answer)
    again = hidden(answer.text, "csrf", action="/login")
    assert door.knock(shared.tokens["ann"], csrf=again).headers["Location"] == "/new", "where one wanted to go"


def test_a_login_form_is_of_its_own_browser(shared: Site, doors: Doors) -> None:
    """Else somebody could have a visitor work in a session that is not theirs."""
    token = shared.tokens["bob"]
    one, other = doors(shared), doors(shared)
    for answer in (
        one.knock(token, csrf=other.csrf),
        one.knock(token, csrf=""),
        one.knock(token, csrf="x" * 5000),
        one.knock(token, origin="https://evil.example"),
        shared.client.post(
            f"{shared.url}/login", data={"csrf": one.csrf, "token": token}, headers={"Origin": shared.url}
        ),
    ):
        assert answer.status_code == 403
        assert "tars_session" not in cookies(answer)
    assert one.knock(token).status_code == 303
    cookie = cookies(other.shown)[LOGIN_COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/login")


def test_two_tabs_may_show_the_form(shared: Site, doors: Doors) -> None:
    door = doors(shared)
    door.jar.get(f"{shared.url}/login")
    assert door.knock(shared.tokens["ann"]).status_code == 303


def test_a_form_does_not_wait_for_ever(shared: Site, doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    door = doors(shared)
    monkeypatch.setattr("tars_hub.server.pages.csrf._LOGIN_S", -1)
    assert door.knock(shared.tokens["ann"]).status_code == 403


def test_logging_in_always_begins_a_new_session(shared: Site, doors: Doors) -> None:
    """Nobody can give a browser a session that they know."""
    planted = visit(shared, "bob").session
    door = doors(shared)
    door.jar.cookies.set("tars_session", planted)
    answer = door.knock(shared.tokens["ann"])
    fresh = cookies(answer)["tars_session"].value
    assert fresh != planted
    assert 'href="/ann"' in Visit(shared, fresh).get("/").text
    assert Visit(shared, planted).get("/settings/tokens").status_code == 303, "the one before has ended"


def test_cookies_go_by_https_alone_where_the_hub_does() -> None:
    with memory_hub(public_url="https://hub.example") as hub, site(hub) as running:
        running.add("ann")
        shown = running.client.get(f"{running.url}/login", headers=HTML)
        cookie = cookies(shown)[LOGIN_COOKIE]
        assert cookie["secure"] is True
        fields = {"csrf": hidden(shown.text, "csrf", action="/login"), "token": running.tokens["ann"]}
        headers = {"Origin": "https://hub.example", "Cookie": f"{LOGIN_COOKIE}={cookie.value}"}
        answer = running.client.post(f"{running.url}/login", data=fields, headers=headers)
        assert answer.status_code == 303
        assert cookies(answer)["tars_session"]["secure"] is True


@pytest.mark.parametrize(
    "text",
    [
        *("//evil.example", "https://evil.example", "/\\evil.example", "\\/evil.example", "/\t/evil.example", ""),
        *("/\n/evil.example", "evil.example", "javascript:alert(1)", " //evil.example", "/x\r\nSet-Cookie: a=b", "/é"),
        *("/x\\..\\..", "///evil.example", "/" + "x" * 5000, "/ /evil.example", "\x00/x"),
    ],
)
def test_after_it_one_stays_here(shared: Site, doors: Doors, text: str) -> None:
    assert local_path(text) == "/"
    door = doors(shared)
    answer = door.knock(shared.tokens["ann"], next=text)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize("text", ["/", "/new", "/ann/model/tree/refs%2Fpr%2F1?x=y&z=//a", "/a:b@c"])
def test_after_it_one_goes_where_one_wanted(text: str) -> None:
    assert local_path(text) == text


class TestTheEndOfASession:
    """It is over with its token, whatever that ends by."""

    @staticmethod
    def works(visitor: Visit) -> bool:
        read = visitor.get("/settings/tokens").status_code == 200
        private = visitor.get("/ann/secret/settings").status_code == 200
        changed = visitor.post("/ann/secret/like").status_code == 303
        assert len({read, private, changed}) == 1
        return read

    @pytest.fixture
    def running(self) -> Any:
        with site() as found:
            found.add("ann", "bob")
            found.create("ann/secret", "ann", private=True)
            yield found

    def test_revoked(self, running: Site) -> None:
        text = create_token(running.hub, "ann", role="write", label="other")
        running.tokens["other"] = text
        visitor, owner = visit(running, "other"), visit(running, "ann")
        assert self.works(visitor)
        token = next(each for each in running.hub.catalog.accounts.tokens(1) if each.label == "other")
        assert owner.post(f"/settings/tokens/{token.id}/revoke").status_code == 303
        assert not self.works(visitor)
        assert self.works(owner)

    def test_revoked_by_itself(self, running: Site) -> None:
        visitor = visit(running, "ann")
        assert visitor.post("/settings/tokens/1/revoke").status_code == 303
        assert not self.works(visitor)

    def test_expired(self, running: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        soon = datetime.now(timezone.utc) + timedelta(hours=1)
        running.tokens["brief"] = create_token(running.hub, "ann", role="write", expires_at=soon)
        visitor = visit(running, "brief")
        assert self.works(visitor)

        class Later(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return datetime.now(tz) + timedelta(hours=2)

        monkeypatch.setattr("tars_hub.server.catalog.accounts.datetime", Later)
        assert not self.works(visitor)

    def test_its_user_is_removed(self, running: Site) -> None:
        visitor = visit(running, "ann")
        assert self.works(visitor)
        remove_user(running.hub, find_person(running.hub, "ann"), with_models=True)
        assert not self.works(visitor)

    def test_logged_out_elsewhere(self, running: Site) -> None:
        one, other = visit(running, "ann"), visit(running, "ann")
        end_session(running.hub, one.session)
        assert not self.works(one)
        assert self.works(other)


def test_a_session_is_no_token_and_a_token_no_session(shared: Site) -> None:
    visitor = visit(shared, "ann")
    assert shared.get("/api/whoami-v2", visitor.session).status_code == 401
    assert Visit(shared, shared.tokens["ann"]).get("/settings/tokens").status_code == 303
    api = visitor.raw_post("/api/repos/create", {}, content=b'{"name": "made"}')
    assert api.status_code == 401, "programs' addresses take no cookie for a change"


@pytest.mark.parametrize("fields", [{f"x{number}": "" for number in range(300)}, {"token": "x" * (70 << 10)}])
def test_no_form_is_endless(shared: Site, fields: dict[str, str]) -> None:
    assert visit(shared, "ann").post("/new", fields).status_code in (400, 413)


def test_a_form_of_another_kind(shared: Site) -> None:
    answer = visit(shared, "ann").raw_post("/new", {}, json={"csrf": visit(shared, "ann").csrf})
    assert answer.status_code == 400
