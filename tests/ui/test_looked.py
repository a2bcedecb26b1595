"""The panel of where the model looked: its text, pictures and states, and its slider in a real browser."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tars_hub.errors import TarsError
from tars_hub.explain import Heat
from tars_hub.quiet import cv2
from tars_hub.ui import looked
from tars_hub.ui.looked import Seen, looked_card
from tests.ui.reader import HOSTILE, Reader

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


def seen(side: int = 32, label: str = "cat", *, cold: bool = False) -> Seen:
    """Noise, and over it a heat that grows from the left to the right."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    weights = np.tile(np.linspace(0, 1, side, dtype=np.float32), (side, 1))
    return Seen(pixels=pixels, heat=Heat(weights * (not cold)), label=label)


def images(html: str) -> list[tuple[str, NDArray[Any]]]:
    """The class and the pixels of each, as OpenCV reads them."""
    found = re.findall(r'<img class="([\w -]+)" src="data:image/(?:png|jpeg);base64,([\w+/=]+)" alt="">', html)
    assert len(found) == html.count("<img")
    return [
        (name, cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED))
        for name, data in found
    ]


def test_it_names_the_class_and_shows_crop_and_heat() -> None:
    reader = Reader(looked_card(seen(), run=7))
    assert reader.text.startswith("Where it looked for “cat”: bright places spoke for it.")
    section = reader.tags[0][1]
    assert (section["data-state"], section["data-run"], section["data-label"]) == ("shown", "7", "cat")
    pictures = [attributes for _, attributes in reader.tags if attributes.get("role") == "img"]
    assert [picture["aria-label"] for picture in pictures] == [
        "The part of the picture that the model saw, with the places that spoke for “cat” coloured."
    ]


def test_a_small_crop_is_exact() -> None:
    (crop, pixels), _ = images(looked_card(seen(), run=1))
    assert crop == "tars-crop tars-exact"
    np.testing.assert_array_equal(pixels[..., ::-1], seen().pixels)


def test_the_hotter_the_brighter_and_the_less_transparent() -> None:
    _, (name, heat) = images(looked_card(seen(), run=1))
    assert (name, heat.shape) == ("tars-heat", (32, 32, 4))
    light = cv2.cvtColor(heat[:1, :, :3], cv2.COLOR_BGR2LAB)[0, :, 0].astype(int)
    assert heat[0, [0, -1], 3].tolist() == [0, 255]
    assert np.all(np.diff(heat[0, :, 3].astype(int)) > 0)
    assert np.all(np.diff(light) >= 0)
    assert light[-1] > light[0] + 100


def test_large_pictures_are_made_small() -> None:
    html = looked_card(seen(3000), run=1)
    (crop, pixels), (_, heat) = images(html)
    assert (crop, pixels.shape, heat.shape) == ("tars-crop", (640, 640, 3), (256, 256, 4))
    assert len(html) < 1_000_000


def test_where_nothing_speaks_for_the_class_it_says_so_and_shows_the_crop_alone() -> None:
    html = looked_card(seen(cold=True), run=1)
    assert Reader(html).text == "No place in the picture spoke for “cat”."
    assert [name for name, _ in images(html)] == ["tars-crop tars-exact"]
    assert "range" not in html


def test_empty_and_error() -> None:
    empty, error = looked_card(None, run=0), looked_card(TarsError("a < b"), run=4)
    assert (Reader(empty).text, Reader(error).text) == ("", "a < b")
    states = [Reader(html).tags[0][1] for html in (empty, error)]
    assert [(state["data-state"], state["data-run"], state["data-label"]) for state in states] == [
        ("empty", "0", ""),
        ("error", "4", ""),
    ]


def test_every_state_has_the_same_skeleton() -> None:
    cards = [looked_card(outcome, run=1) for outcome in (None, TarsError("x"), seen(label=""))]
    assert len({re.sub(r'data-state="\w+"', "", card)[:110] for card in cards}) == 1


@pytest.mark.parametrize("html", [looked_card(seen(label=HOSTILE), run=1), looked_card(TarsError(HOSTILE), run=1)])
def test_hostile_names_stay_text(html: str) -> None:
    reader = Reader(html)
    assert HOSTILE in reader.text
    assert "script" not in {tag for tag, _ in reader.tags}
    assert not any(name.startswith("on") for _, attributes in reader.tags for name in attributes)
    assert all((attributes["src"] or "").startswith("data:") for tag, attributes in reader.tags if tag == "img")


# --- In the browser. `element` is what Gradio hands to the script: the root, which outlives what is in it. ---

_PAGE = """<!doctype html><html lang="en"><title>Looked</title><style>{style}</style>
<body class="gradio-container {mode}"><main><div id="root">{card}</div></main>
<script>{{ const element = document.querySelector("#root"); {script} }}</script></body></html>"""


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def show(page: Page, card: str, mode: str = "") -> None:
    room = Path(looked.__file__).parent
    style = "\n".join((room / name).read_text(encoding="utf-8") for name in ("style.css", "looked.css"))
    script = (room / "looked.js").read_text(encoding="utf-8")
    page.set_content(_PAGE.format(style=style, script=script, card=card, mode=mode))


def opacity(page: Page) -> float:
    return float(page.locator(".tars-heat").evaluate("image => getComputedStyle(image).opacity"))


def test_the_slider_fades_the_heat_and_keeps_what_it_was_set_to(page: Page) -> None:
    show(page, looked_card(seen(), run=1))
    slider = page.get_by_label("Strength of the colours")
    assert (slider.input_value(), opacity(page)) == (str(looked.STRENGTH), looked.STRENGTH / 100)
    slider.focus()
    page.keyboard.press("Home")
    assert opacity(page) == 0
    page.keyboard.press("ArrowRight")
    assert opacity(page) == 0.05
    page.evaluate("html => document.querySelector('#root').innerHTML = html", looked_card(seen(label="dog"), run=2))
    page.wait_for_function("document.querySelector('.tars-strength input').value === '5'")
    assert opacity(page) == 0.05
    slider.fill("100")
    assert opacity(page) == 1


@pytest.mark.parametrize("mode", ["", "dark"])
def test_it_fits_a_phone_and_the_heat_lies_on_the_crop(page: Page, mode: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    show(page, looked_card(seen(label="x" * 200), run=1), mode)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    crop, heat = page.locator(".tars-crop").bounding_box(), page.locator(".tars-heat").bounding_box()
    assert crop is not None
    assert crop == heat
    assert crop["width"] == crop["height"] > 200
    assert page.locator(".tars-crop").evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"


def test_the_empty_panel_takes_no_room(page: Page) -> None:
    show(page, looked_card(None, run=0))
    box = page.locator(".tars-seen").bounding_box()
    assert box is not None
    assert box["height"] == 0
