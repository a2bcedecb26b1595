"""The one rule, held against every kind of caller, every address and every way to say who asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tars_hub.server.pages.forms import FormRoute
from tars_hub.server.records import Caller, Gated
from tars_hub.server.routes.web import route
from tars_hub.server.rules.access import Action, permits
from tars_hub.server.rules.tokens import caller_of_session
from tests.server.rules import access_table
from tests.server.rules.access_table import Address, addresses
from tests.server.rules.crowd import AT_ADDRESSES, LIKE, MAY, NO_TOKENS, STATES, Crowd, May, crowd
from tests.server.running import Site, site

WHO = ["owner", "owner:read", "other", "other:read", "", "no-such-token"]
ADDRESSES = addresses()
PRINTED = "TARS_ACCESS_TABLE"


@pytest.fixture(scope="module")
def everybody() -> Iterator[Crowd]:
    with crowd() as found:
        yield found


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("who", MAY)
def test_the_rule(everybody: Crowd, who: str, state: str) -> None:
    repo = everybody.found(who, state)
    may = MAY[who][STATES.index(state)] - {LIKE}
    callers = [everybody.caller(who) if who != "nobody" else Caller()]
    if who != "nobody":
        callers.append(caller_of_session(everybody.site.hub, everybody.sessions[who]))
    for caller in callers:
        assert {action for action in Action if permits(caller, repo, action)} == may


@pytest.mark.parametrize("who", MAY)
def test_a_list_of_what_can_be_downloaded_asks_the_rule(everybody: Crowd, who: str) -> None:
    """By token, and by session too: pages ask for it."""
    path = "/api/models?downloadable=true&author=" + everybody.repo(who, "").partition("/")[0]
    asked = [everybody.by_token(who, "GET", path), everybody.by_session(who, "GET", path)]
    expected = {
        everybody.repo(who, state) for state, may in zip(STATES, MAY[who], strict=True) if Action.DOWNLOAD in may
    }
    for answer in asked:
        assert {model["id"] for model in answer.json() if not model["id"].endswith("/side")} == expected


@pytest.mark.parametrize("who", NO_TOKENS[1:])
def test_a_session_ends_with_its_token(everybody: Crowd, who: str) -> None:
    assert caller_of_session(everybody.site.hub, everybody.sessions[who]) == Caller()


@pytest.mark.parametrize("address", [each for each in ADDRESSES if not each.form], ids=str)
def test_every_address_asks_the_rule_by_token(everybody: Crowd, address: Address) -> None:
    for who in AT_ADDRESSES:
        _check(everybody, address, who, MAY[who], lambda path, who=who: _by_token(everybody, address, who, path))
    for who in NO_TOKENS:
        for state in (*STATES, "missing"):
            answer = _by_token(everybody, address, who, f"owner/{state}")
            assert answer.status_code == 401, (who, state)
            assert answer.headers["X-Error-Message"] == "Invalid credentials in Authorization header"
            assert "X-Error-Code" not in answer.headers  # the client would take it for a missing repository


@pytest.mark.parametrize("address", [each for each in ADDRESSES if not each.form], ids=str)
def test_every_address_asks_the_rule_by_session(everybody: Crowd, address: Address) -> None:
    """Where a cookie does not count, its holder is nobody, whatever they could otherwise."""
    for who in [*AT_ADDRESSES, *NO_TOKENS[1:]] if address.cookie else ["owner", "member: write"]:
        may = MAY[who if address.cookie and who in MAY else "nobody"]
        _check(everybody, address, who, may, lambda path, who=who: _by_session(everybody, address, who, path))


@pytest.mark.parametrize("address", [each for each in ADDRESSES if each.form], ids=str)
def test_every_form_asks_the_rule(everybody: Crowd, address: Address) -> None:
    for who in set(AT_ADDRESSES) - {"nobody"}:
        _check(everybody, address, who, MAY[who], lambda path, who=who: _by_form(everybody, address, who, path))
    for who in ("nobody", *NO_TOKENS[1:]):
        for state in (*STATES, "missing"):
            assert _by_form(everybody, address, who, f"owner/{state}").status_code == 403, (who, state)


@pytest.mark.parametrize("address", [each for each in ADDRESSES if each.form], ids=str)
def test_no_form_is_taken_by_token_nor_from_elsewhere(everybody: Crowd, address: Address) -> None:
    path = address.sample.format(repo="owner/public")
    asked = [
        everybody.by_token("owner", address.method, path, data={"csrf": "0" * 64}),
        everybody.by_form("owner", path, csrf="0" * 64),
        everybody.by_form("owner", path, csrf=""),
    ]
    assert [answer.status_code for answer in asked] == [403, 403, 403]


def _by_token(everybody: Crowd, address: Address, who: str, repo: str) -> httpx.Response:
    return everybody.by_token(who, address.method, address.sample.format(repo=repo), **address.options)


def _by_session(everybody: Crowd, address: Address, who: str, repo: str) -> httpx.Response:
    return everybody.by_session(who, address.method, address.sample.format(repo=repo), **address.options)


def _by_form(everybody: Crowd, address: Address, who: str, repo: str) -> httpx.Response:
    return everybody.by_form(who, address.sample.format(repo=repo))


def _check(everybody: Crowd, address: Address, who: str, may: tuple[May, May, May], ask: Any) -> None:
    """Each repository answers as the table says; one that may not be read as one that is not there."""
    namespace = everybody.repo(who, "x").partition("/")[0]
    missing = ask(f"{namespace}/missing")
    assert (missing.status_code, missing.headers["X-Error-Code"]) == (404, "RepoNotFound"), who
    for state, allowed in zip(STATES, may, strict=True):
        answer, case = ask(f"{namespace}/{state}"), (who, state)
        code = answer.headers.get("X-Error-Code")
        if Action.READ not in allowed:
            assert _shown(answer, state) == _shown(missing, "missing"), case
        elif address.need in allowed:
            assert answer.status_code not in (401, 403), (case, answer.text)
            assert code not in ("RepoNotFound", "GatedRepo"), (case, answer.text)
        elif state == "gated" and address.need in (Action.DOWNLOAD, Action.PROPOSE):
            assert (answer.status_code, code) == (403, "GatedRepo"), case
        else:
            nobody = may is MAY["nobody"]
            assert (answer.status_code, code) == (401 if nobody else 403, None), (case, answer.text)


def _shown(answer: Any, name: str) -> tuple[int, str, dict[str, str]]:
    headers = {key: value for key, value in answer.headers.items() if key not in ("date", "content-length")}
    plain = {key: value.replace(name, "NAME") for key, value in headers.items()}
    return answer.status_code, answer.text.replace(name, "NAME"), plain


def test_no_address_of_a_repository_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the API that no line names is an error; pages are looked at and forms change, unless a line says more."""
    new = {
        "/api/models/{namespace}/{name}/secrets": None,
        "/{namespace}/{name}/secrets": (Action.READ, False),
        "/{namespace}/{name}/settings/secrets": (Action.ADMINISTER, False),
    }
    for path, expected in new.items():
        monkeypatch.setattr(access_table, "table", lambda path=path: [route(path, "GET", lambda _: None)])  # type: ignore[arg-type,return-value]
        if expected is None:
            with pytest.raises(KeyError, match="secrets"):
                addresses()
        else:
            assert [(each.need, each.form) for each in addresses() if "secrets" in each.path] == [expected]
    form = FormRoute("/{namespace}/{name}/secrets", lambda _: None, methods=["POST"])
    monkeypatch.setattr(access_table, "table", lambda: [form])
    assert [(each.need, each.form) for each in addresses() if "secrets" in each.path] == [(Action.WRITE, True)]


def test_a_cookie_is_never_enough_for_a_change() -> None:
    with pytest.raises(ValueError, match="more than a cookie"):
        route("/x", "POST", lambda _: None, by_cookie=True)  # type: ignore[arg-type,return-value]
    pages = [each for each in ADDRESSES if each.method == "POST" and not each.path.startswith("/api/")]
    assert all(each.form for each in pages if ".git/" not in each.path)


def test_the_table_can_be_printed(everybody: Crowd) -> None:
    """Into a file, where the environment names one."""
    text = "\n".join(access_table.lines(everybody)) + "\n"
    if os.environ.get(PRINTED):
        Path(os.environ[PRINTED]).write_text(text, encoding="utf-8")
    assert len(text.splitlines()) == 2 + len(MAY) + len(ADDRESSES)


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with site() as found:
        found.add("owner", "other")
        for state in STATES:
            repo = found.create(f"owner/{state}", "owner", private=state == "private", gated=state == "gated")
            found.put(repo, "owner", {"README.md": b"# hello", "folder/x": b"y"})
        yield found


class TestRepositoriesByName:
    """Those whose address does not name them, but their body does."""

    @pytest.mark.parametrize("who", ["owner:read", "other", "other:read", ""])
    def test_delete(self, running: Site, who: str) -> None:
        def delete(name: str) -> Any:
            return running.ask("DELETE", "/api/repos/delete", who, json={"name": f"owner/{name}"})

        if who == "owner:read":
            assert delete("private").status_code == 403
        else:
            assert _shown(delete("private"), "private") == _shown(delete("missing"), "missing")
        assert delete("public").status_code == (403 if who else 401)
        assert running.get("/api/models/owner/public").status_code == 200

    @pytest.mark.parametrize("who", ["owner:read", "other", "other:read", ""])
    def test_move(self, running: Site, who: str) -> None:
        target = "other/taken" if who.startswith("other") else "owner/new"

        def move(name: str) -> Any:
            wanted = {"fromRepo": f"owner/{name}", "toRepo": target}
            return running.ask("POST", "/api/repos/move", who, json=wanted)

        assert move("public").status_code == (403 if who else 401)
        if who != "owner:read":
            assert _shown(move("private"), "private") == _shown(move("missing"), "missing")

    def test_nobody_moves_into_a_namespace_of_another(self, running: Site) -> None:
        wanted = {"fromRepo": "owner/public", "toRepo": "other/mine"}
        assert running.ask("POST", "/api/repos/move", "owner", json=wanted).status_code == 403

    @pytest.mark.parametrize(("who", "status"), [("owner:read", 403), ("", 401), ("other", 403), ("nobody", 401)])
    def test_create(self, running: Site, who: str, status: int) -> None:
        wanted = {"name": "fresh", "organization": "owner"}
        assert running.ask("POST", "/api/repos/create", who, json=wanted).status_code == status
        wanted = {"name": "private", "organization": "owner"}  # the answer does not say that it is there
        assert running.ask("POST", "/api/repos/create", who, json=wanted).status_code == status

    @pytest.mark.parametrize("who", WHO[:-1])
    def test_lists_show_what_may_be_read(self, running: Site, who: str) -> None:
        shown = {each["id"] for each in running.get("/api/models?full=true", who).json()}
        mine = {"owner/private"} if who.startswith("owner") else set()
        assert shown == {"owner/public", "owner/gated"} | mine
        page = running.get("/", who).text
        assert {f"owner/{state}" for state in STATES if f"owner/{state}" in page} == shown
        for hidden in ("?search=private", "?author=owner&search=private", "?sort=createdAt&direction=1"):
            found = {each["id"] for each in running.get(f"/api/models{hidden}", who).json()}
            assert found <= shown

    def test_own_repositories(self, running: Site) -> None:
        assert running.get("/api/settings/repositories").status_code == 401
        assert running.get("/api/settings/repositories", "other").json() == []
        assert len(running.get("/api/settings/repositories", "owner:read").json()) == 3


@pytest.mark.parametrize("gate", ["auto", "manual"])
def test_both_gates_are_closed(running: Site, gate: Gated) -> None:
    running.ask("PUT", "/api/models/owner/gated/settings", "owner", json={"gated": gate})
    answer = running.get("/owner/gated/resolve/main/README.md", "other")
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (403, "GatedRepo")


def test_a_gated_page_shows_no_files(running: Site) -> None:
    assert "hello" not in running.get("/owner/gated", "other").text
    assert "hello" in running.get("/owner/gated", "owner").text
