"""The page of the API: all of /openapi.json, in the hub's own look."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import pytest

from tars_hub.http_described import OPERATIONS, PATH
from tars_hub.listening import address_of, listening, serving
from tars_hub.server.additions import Addition
from tars_hub.server.app import create_app
from tests.browsers import chromium
from tests.server.pages.looking import check, links, look, text
from tests.server.running import Site, done, site


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    """With an address that another application answers."""

    async def nothing(*_: Any) -> None: ...

    with site() as plain, listening("127.0.0.1", 0) as listener:
        addition = Addition(path=PATH, app=nothing, operations=OPERATIONS)
        with serving(create_app(plain.hub, additions=[addition]), listener):
            plain.add("ann")
            yield Site(plain.hub, address_of(listener), plain.client, plain.tokens)


def test_all_that_programs_are_told_stands_there(running: Site) -> None:
    found, page = running.get("/openapi.json").json(), look(running, "/docs")
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            assert f'<b class="mono">{method.upper()}</b> <code>{escape(path)}</code>' in page
            assert operation["summary"] in text(page)
    assert found["paths"][PATH]
    assert "how many classes are named, up to 100" in text(page)


def test_every_page_leads_there(running: Site) -> None:
    for path in ("/", "/ann", "/login"):
        assert "/docs" in links(look(running, path), "/docs")
    check(done(running.get("/docs", "ann", headers={"Accept": "text/html"})))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scripts_and_sideways_scrolling(running: Site, scheme: Any) -> None:
    with chromium() as browser:
        options: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "java_script_enabled": False}
        page = browser.new_context(color_scheme=scheme, **options).new_page()
        asked, said = list[str](), list[str]()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{running.url}/docs")
        page.get_by_text("Say what is on a picture").click()
        page.get_by_text("how many classes are named, up to 100").wait_for()
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(250, 248, 245)" if scheme == "light" else "rgb(22, 20, 18)")
        assert all(url.startswith(running.url) for url in asked)
        assert not said
