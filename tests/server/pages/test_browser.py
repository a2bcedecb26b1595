"""The lists and a model's page in a real browser: at a phone's width, in the dark, without JavaScript."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tars_hub.server.pages import static
from tests.browsers import chromium
from tests.server.running import Site, site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LONG = "a-name-that-is-as-long-as-names-may-be-" + "x" * 57
# 1 x 1, grey
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c636800000082008177cd72b60000000049454e44ae426082"
)
CARD = f"""---
license: mit
pipeline_tag: image-classification
tags: ["{"long-tag-" * 12}", flowers]
---
# {"Averylongword" * 20}

{"unbreakable" * 60} `{"code" * 100}`

![near](near.png) ![far](https://far.test/a.png) <img src="https://far.test/b.png" width="4000">
<div style="background: url(https://far.test/c.png); width: 4000px">x</div>

| {" | ".join("a wide column" for _ in range(20))} |
| {" | ".join("---" for _ in range(20))} |
| {" | ".join("cell" for _ in range(20))} |

```
{"a long line of code " * 30}
```
""".encode()
PATHS = [
    "/",
    "/?search=a&tag=flowers&classes=3-10",
    "/ann",
    f"/ann/{LONG}",
    "/ann/gated",
    "/none/none",
    f"/ann/{LONG}?rev=v1",
]


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with site() as found:
        found.add("ann", "bob")
        name = found.create(f"ann/{LONG}", "ann")
        names = {str(index): "class " * 8 + str(index) for index in range(10)}
        config = {"library_name": "tars-hub", "backbone": "resnet18", "num_classes": 10, "id2label": names}
        metrics = {"top1": 0.9, "top1_interval": [0.8, 0.95], "pictures": 10}
        files = {"config.json": config, "training/metrics.json": metrics}
        found.put(name, "ann", {path: json.dumps(data).encode() for path, data in files.items()})
        found.put(name, "ann", {"README.md": CARD, "near.png": PNG})
        found.ask("POST", f"/api/models/{name}/tag/main", "ann", json={"tag": "v1"})
        found.create("ann/gated", "ann", gated=True)
        for number in range(35):
            found.create(f"bob/m-{number}", "bob")
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def opened(browser: Browser, **options: Any) -> tuple[Page, list[str], list[str]]:
    """A page, with the addresses that it asks for and what the browser complains of."""
    page = browser.new_context(**options).new_page()
    asked, said = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    return page, asked, said


@pytest.mark.parametrize("scripts", [True, False])
def test_a_phone_needs_no_scrolling_sideways(running: Site, browser: Browser, scripts: bool) -> None:
    page, asked, said = opened(browser, viewport={"width": 390, "height": 844}, java_script_enabled=scripts)
    for path in PATHS:
        page.goto(running.url + path)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 390, path
    assert all(url.startswith(running.url) for url in asked), asked
    wrong = [text for text in said if "404" not in text]
    assert not wrong, "nothing that the page's own policy refuses stands in it"


def test_pictures_of_the_card_are_shown(running: Site, browser: Browser) -> None:
    from playwright.sync_api import expect

    page, asked, _ = opened(browser)
    page.goto(f"{running.url}/ann/{LONG}")
    # It comes after the page. wait_for_function would ask a second time by `eval`, which the page's policy refuses.
    expect(page.get_by_alt_text("near", exact=True)).to_have_js_property("naturalWidth", 1)
    assert [url for url in asked if "/resolve/" in url]
    assert page.get_by_role("link", name="far ↗").get_attribute("href") == "https://far.test/a.png"


def test_everything_works_without_scripts(running: Site, browser: Browser) -> None:
    from playwright.sync_api import expect

    page, _, _ = opened(browser, java_script_enabled=False)
    page.goto(running.url)
    page.get_by_label("Search by name").fill("m-1")
    page.get_by_label("Sort by").select_option("name")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("ol.models > li")).to_have_count(11)  # a click does not wait for the page it leads to
    page.get_by_title("Remove this filter").click()
    page.get_by_role("link", name="Next").click()
    page.get_by_role("link", name="Previous").click()
    page.get_by_role("link", name="ann/a-name").click()
    expect(page.locator("h1").first).to_have_text(re.compile(f"{LONG}$"))
    page.get_by_text("Revision main").click()
    page.get_by_role("link", name="v1 (tag)").click()
    page.wait_for_url(re.compile(r"\?rev=v1$"))
    page.get_by_text("Shell", exact=True).click()
    expect(page.get_by_text("tars predict")).to_be_visible()
    assert not page.get_by_role("button", name="Copy").count()


def test_commands_can_be_copied(running: Site, browser: Browser) -> None:
    page, _, said = opened(browser, permissions=["clipboard-read", "clipboard-write"])
    page.clock.install()
    page.goto(f"{running.url}/ann/{LONG}")
    page.clock.pause_at("2100-01-01")  # it says so for two seconds, which a busy browser may miss
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("from tars_hub import Predictor\n")
    assert not said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_focus_can_be_seen_and_colours_follow_the_system(running: Site, browser: Browser, scheme: Any) -> None:
    page, _, _ = opened(browser, color_scheme=scheme)
    page.goto(running.url)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(250, 248, 245)" if scheme == "light" else "rgb(22, 20, 18)")
    page.keyboard.press("Tab")
    assert page.get_by_text("Skip to the page").bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Tab")
    assert page.locator(":focus").evaluate("element => getComputedStyle(element).outlineWidth") == "3px"


def _palettes() -> Iterator[dict[str, str]]:
    text = static._files()["hub.css"].decode()
    light = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", text.split("@media")[0]))
    yield light
    yield light | dict(
        re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", text.split("prefers-color-scheme: dark")[1].split("*,")[0])
    )


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", list(_palettes()), ids=["light", "dark"])
def test_contrast(palette: dict[str, str]) -> None:
    """By WCAG: text 4.5 : 1 on whatever it stands on, what surrounds a field 3 : 1."""
    for text in ("ink", "quiet", "accent", "danger"):
        for ground in ("ground", "paper", *(["track"] if text != "danger" else [])):
            assert _contrast(palette[text], palette[ground]) >= 4.5, (text, ground)
    for ground in ("added", "removed"):
        assert _contrast(palette["ink"], palette[ground]) >= 4.5
    assert _contrast(palette["on-accent"], palette["accent"]) >= 4.5
    assert _contrast(palette["edge"], palette["paper"]) >= 3


def test_the_same_colours_as_the_page_that_tries_models() -> None:
    theirs = (Path(__file__).parents[3] / "tars_hub" / "ui" / "style.css").read_text(encoding="utf-8")
    ours = static._files()["hub.css"].decode()
    for name, colour in re.findall(r"--tars-([a-z]+): (#[0-9a-f]{6});", theirs):
        assert f"--{name}: {colour};" in ours, name
