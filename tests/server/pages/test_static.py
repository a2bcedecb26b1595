"""The hub's own few files."""

from __future__ import annotations

import re

import pytest

from tars_hub.server.pages import static
from tests.server.running import Site, done


def test_pages_name_files_that_browsers_may_keep(shared: Site) -> None:
    page = done(shared.get("/")).text
    found = re.findall(r'(?:href|src)="(/static/[^"]*)"', page)
    assert {link.split("?")[0] for link in found} >= {"/static/hub.css", "/static/hub.js", "/static/icon.svg"}
    for link in found:
        answer = done(shared.get(link))
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_old_address_is_not_kept(shared: Site) -> None:
    for query in ("", "?v=0123456789ab"):
        assert done(shared.get(f"/static/hub.css{query}")).headers["Cache-Control"] == "no-cache"


def test_an_icon(shared: Site) -> None:
    assert done(shared.get("/favicon.ico")).headers["Content-Type"].startswith("image/svg+xml")


@pytest.mark.parametrize("name", ["none.css", "..%2Fstatic.py", "%2e%2e%2flook.py", "%2Fetc%2Fpasswd", "base.html"])
def test_nothing_else_is_there(shared: Site, name: str) -> None:
    assert shared.get(f"/static/{name}").status_code == 404


def test_a_file_that_is_missing_is_noticed_at_once() -> None:
    with pytest.raises(KeyError):
        static.address("none.css")


def test_nothing_is_loaded_from_elsewhere() -> None:
    for name, data in static._files().items():
        text = data.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//\w|@import|url\(", text.replace("// ", "")), name
