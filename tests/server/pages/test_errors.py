"""What goes wrong is a page for people, and what it always was for programs."""

from __future__ import annotations

import re

import pytest

from tests.server.pages.looking import check, text
from tests.server.pages.visiting import visit
from tests.server.running import Site

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
PROGRAMS = ["", "*/*", "application/json", "application/json, text/html", "text/html;q=0.2, application/json", "text/*"]


@pytest.fixture(scope="module", autouse=True)
def _repos(shared: Site) -> None:
    shared.create("ann/in-hiding", "ann", private=True)
    shared.create("ann/gated", "ann", gated=True)
    shared.put("ann/gated", "ann", {"README.md": b"# secret"})


@pytest.mark.parametrize("accept", PROGRAMS)
def test_programs_get_json(shared: Site, accept: str) -> None:
    answer = shared.get("/ann/none", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == "application/json"
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RepoNotFound")
    assert "ann/none" in answer.json()["error"]
    assert shared.get("/no/such/address/here", headers={"Accept": accept}).json()["error"].startswith("nothing at GET")


@pytest.mark.parametrize("path", ["/api/models/ann/none", "/api/none", "/cas/none", "/static/none.css"])
def test_what_programs_ask_for_is_never_a_page(shared: Site, path: str) -> None:
    answer = shared.get(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")


def test_people_get_a_page(shared: Site) -> None:
    answer = shared.get("/ann/none", headers=BROWSER)
    check(answer)
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RepoNotFound")
    assert "ann/none" in text(answer.text)
    assert 'href="/login?next=%2Fann%2Fnone"' in answer.text
    unknown = shared.get("/no/such/address/<here>", headers=BROWSER)
    check(unknown)
    assert unknown.status_code == 404


def test_missing_and_forbidden_look_the_same(shared: Site) -> None:
    for who in ("", "bob"):
        pages = [
            visit(shared, who).get(f"/ann/{name}").text.replace(name, "NAME") for name in ("in-hiding", "not-there")
        ]
        pages = [re.sub(r'value="[^"]*"', "", page) for page in pages]
        assert pages[0] == pages[1]
        assert "Nothing here" in pages[0]
    assert visit(shared, "ann").get("/ann/in-hiding").status_code == 200


def test_where_to_log_in(shared: Site) -> None:
    answer = visit(shared).get("/settings/tokens")
    if answer.status_code == 401:  # or it leads there at once
        assert 'href="/login?next=%2Fsettings%2Ftokens"' in answer.text
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    gated = visit(shared).get("/ann/gated/resolve/main/README.md")
    assert (gated.status_code, gated.headers["X-Error-Code"]) == (403, "GatedRepo")
    check(gated)
    assert "secret" not in gated.text


def test_a_bad_token_or_host_is_a_page_too(shared: Site) -> None:
    answer = shared.get("/", "no-such-token", headers=BROWSER)
    check(answer)
    assert answer.status_code == 401
    host = shared.get("/", headers={**BROWSER, "Host": "<script>"})
    check(host)
    assert host.status_code in (400, 421)


def test_what_a_query_asks_wrongly(shared: Site) -> None:
    for query in ("sort=best", "classes=7", "page=0", "page=x", "page=99999999999999999999"):
        answer = shared.get(f"/?{query}", headers=BROWSER)
        check(answer)
        assert answer.status_code == 400
        assert query.split("=")[1][:40] in text(answer.text)


def test_from_a_file_that_is_not_open_one_gets_back_to_its_model(shared: Site) -> None:
    page = shared.get("/ann/gated/blob/main/README.md", headers=BROWSER)
    assert page.status_code == 403
    assert '<a href="/ann/gated">ann/gated</a>' in page.text
    assert 'href="/login?next=' in page.text
    assert 'href="/ann/in-hiding"' not in shared.get("/ann/in-hiding/blob/main/x", headers=BROWSER).text
