"""A visitor's whole way through the pages that change something: a real browser, without JavaScript, at a real hub."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tars_hub.server.settings import Settings
from tars_hub.server.start import opened
from tests.browsers import chromium
from tests.server.running import Site, done, site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MIB = 1 << 20
LARGE_BYTES = 30 * MIB
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One that keeps things on the disk; owner is an admin of team."""
    with opened(Settings(data=tmp_path_factory.mktemp("hub"))) as kept, site(kept) as running:
        running.add("owner")
        team = kept.catalog.accounts.add_user("team", organisation=True)
        owner = kept.catalog.accounts.user("owner")
        assert owner is not None
        kept.catalog.accounts.set_member(team.id, owner.id, "admin")
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture
def page(browser: Browser, hub: Site) -> Iterator[Page]:
    """A phone without JavaScript; whatever it asks for lies on the hub."""
    context = browser.new_context(java_script_enabled=False, viewport=PHONE, base_url=hub.url)  # type: ignore[arg-type]
    asked: list[str] = []
    found = context.new_page()
    found.set_default_timeout(60_000)
    found.on("request", lambda request: asked.append(request.url))
    yield found
    context.close()
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(hub.url).netloc}


def press(page: Page, button: str) -> None:
    """Send a form, and wait for the page that it leads to: a click alone is done as soon as the browser has asked."""
    with page.expect_navigation():
        page.get_by_role("button", name=button).click()


def log_in(page: Page, hub: Site) -> None:
    page.goto("/login")
    page.get_by_label("Access token").fill(hub.tokens["owner"])
    press(page, "Log in")


def test_the_whole_way(page: Page, hub: Site, tmp_path: Path) -> None:
    page.goto("/new")
    assert "/login?next=%2Fnew" in page.url
    page.get_by_label("Access token").fill(hub.tokens["owner"])
    press(page, "Log in")
    assert urlsplit(page.url).path == "/new", "where one wanted to go"

    page.get_by_label("Name").fill("first-model")
    press(page, "Make it")
    assert urlsplit(page.url).path == "/owner/first-model"

    upload(page, tmp_path)
    found = done(hub.get("/owner/first-model/resolve/main/weights/model.safetensors", "owner"))
    assert hashlib.sha256(found.content).hexdigest() == digest(tmp_path / "model.safetensors")
    page.goto("/owner/first-model/tree/main/weights")
    assert page.get_by_text("model.safetensors").first.is_visible()

    page.goto("/owner/first-model/delete/main/weights/notes.txt")
    press(page, "Delete")
    assert urlsplit(page.url).path == "/owner/first-model/tree/main/weights"
    assert page.get_by_role("link", name="notes.txt", exact=True).count() == 0

    settings(page, hub)
    tokens(page, hub)
    press(page, "Log out")
    page.goto("/settings/tokens")
    assert urlsplit(page.url).path == "/login"


def upload(page: Page, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(os.urandom(LARGE_BYTES))
    (tmp_path / "notes.txt").write_text("hello")
    page.goto("/owner/first-model/upload/main")
    page.get_by_label("Into folder").fill("weights")
    page.get_by_label("What changes").fill("The first weights")
    page.get_by_label("Files", exact=False).last.set_input_files(
        [tmp_path / "model.safetensors", tmp_path / "notes.txt"]
    )
    press(page, "Upload")
    assert urlsplit(page.url).path == "/owner/first-model/tree/main/weights"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def settings(page: Page, hub: Site) -> None:
    """Private, public, and by another name."""
    at = "/owner/first-model"
    assert hub.get(at).status_code == 404
    page.goto("/owner/first-model/settings")
    page.get_by_label("Public").check()
    press(page, "Save")
    assert hub.get(at).status_code == 200
    page.get_by_label("Private").check()
    press(page, "Save")
    assert hub.get(at).status_code == 404
    page.get_by_label("Name").fill("better-name")
    press(page, "Rename")
    assert urlsplit(page.url).path == "/owner/better-name/settings"
    page.get_by_label("to delete it").fill("owner/other")
    press(page, "Delete it")
    assert "type owner/better-name to delete it" in page.get_by_role("alert").inner_text()


def tokens(page: Page, hub: Site) -> None:
    """Make one, use it, revoke it."""
    page.goto("/settings/tokens")
    page.get_by_label("What for").fill("laptop")
    page.get_by_label("Only these repositories").fill("owner/better-name")
    press(page, "Make the token")
    made = page.locator("#new-token").inner_text()
    at = "/api/models/owner/better-name"
    assert hub.get(at, made).status_code == 200
    press(page, "Revoke laptop")
    assert page.get_by_text("laptop").count() == 0
    assert hub.get(at, made).status_code == 401


def test_the_lines_of_a_new_token_log_in(page: Page, hub: Site, tmp_path: Path) -> None:
    """As they are printed, in a real shell, with the real client."""
    log_in(page, hub)
    page.goto("/settings/tokens")
    press(page, "Make the token")
    lines = page.locator("#made pre").last.inner_text()
    env = {**os.environ, "HF_HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = f"{lines}\nhf auth whoami\n"
    ended = subprocess.run(["bash", "-ec", script], env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "owner" in ended.stdout


def test_nothing_lies_beside_a_phones_screen(page: Page, hub: Site) -> None:
    name = hub.create("owner/" + "wide" * 20, "owner", gated=True)
    path = "long-" * 40 + ".txt"
    hub.put(name, "owner", {path: b"x"})
    log_in(page, hub)
    ways = ("/login", "/new", "/settings/tokens", f"/{name}/upload/main", f"/{name}/settings")
    for way in (*ways, f"/{name}/delete/main/{path}", "/settings/members/team"):
        answer = page.goto(way)
        assert answer is not None
        assert answer.status == 200
        assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"], way
