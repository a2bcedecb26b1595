"""What axe-core says of each tab, in light and dark, wide and narrow; and how far a keyboard alone gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tars_hub.predict import Predictor
from tests.browsers import CHROMIUM
from tests.ui import pictures
from tests.ui.alone import one_model, page_alone
from tests.ui.visitor import Visitor

pytest.importorskip("gradio", reason="the page needs gradio")
sync_playwright = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core comes with it")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")

TABS = ("One picture", "Live camera", "Many pictures", "Use from code")
# What a mouse can reach and the key Tab did not; within a row of tabs the arrow keys go on.
_UNREACHED = """
() => [...document.querySelectorAll("button, a[href], input, select, textarea, summary, [role=button], [role=slider]")]
  .filter((each) => each.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !each.disabled)
  .filter((each) => each.type !== "file" && !each.closest("[data-reached], [role=tablist]"))
  .map((each) => each.outerHTML.slice(0, 200))
"""
_MARK = "() => { document.activeElement.dataset.reached = ''; return document.activeElement.tagName; }"


@pytest.fixture(scope="module")
def rose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures.save(tmp_path_factory.mktemp("pictures") / "rose.png", "red")


@pytest.fixture(scope="module")
def url(predictor: Predictor, rose: Path, uploads: Path) -> Iterator[str]:
    with page_alone(one_model(predictor), uploads, examples=[rose]) as address:
        yield address


@pytest.fixture
def visitor(browser: BrowserContext, url: str) -> Iterator[Visitor]:
    visitor = Visitor(browser.new_page(), url)
    yield visitor
    visitor.page.close()


def violations(page: Page) -> list[str]:
    """Each rule that something breaks, with the element; Gradio's own elements are not left out."""
    page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {})))")
    found = sync_playwright.Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]


def open_tab(page: Page, name: str) -> None:
    """On a phone some of them are in a menu."""
    tab = page.get_by_role("tab", name=name)
    if not tab.is_visible():
        page.locator(".tars-rooms > .tab-wrapper .overflow-menu > button").click()
        page.locator(".overflow-dropdown").get_by_role("button", name=name).click()
        return
    tab.click()
    expect(tab).to_have_attribute("aria-selected", "true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_of_ours(visitor: Visitor, rose: Path, scheme: Any, width: int) -> None:
    page = visitor.page
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    visitor.arrive()
    visitor.choose(rose)
    page.get_by_label("Show where the model looked").check()
    page.wait_for_selector(".tars-seen[data-state=shown]")
    for name in TABS:
        open_tab(page, name)
        assert violations(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_axe_would_find_something(visitor: Visitor) -> None:
    visitor.arrive()
    visitor.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x><button></button>')")
    assert {each.partition(":")[0] for each in violations(visitor.page)} >= {"image-alt", "button-name"}


def test_a_keyboard_reaches_everything(visitor: Visitor, rose: Path) -> None:
    page = visitor.page
    visitor.arrive()
    visitor.choose(rose)
    for name in TABS:
        page.get_by_role("tab", name=name).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        page.evaluate("document.activeElement.blur()")
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate(_MARK) == "BODY":
                break
        assert page.evaluate(_UNREACHED) == [], name


def test_a_class_can_be_asked_about_with_the_keyboard_alone(visitor: Visitor, rose: Path) -> None:
    visitor.arrive()
    visitor.choose(rose)
    visitor.page.get_by_role("button", name="green").focus()
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_selector(".tars-seen[data-state=shown][data-label=green]")
