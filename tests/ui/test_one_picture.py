"""The tab for one picture, beyond its answer: camera, clipboard, pad, and where the model looked."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, expect

from tars_hub.explain import Heat
from tars_hub.predict import Predictor
from tests.browsers import CHROMIUM, chromium
from tests.ui import pictures
from tests.ui.visitor import Visitor, agrees

pytest.importorskip("gradio", reason="the page needs gradio")

from tars_hub.ui import explaining  # it needs gradio

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")

_CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
_TO_CLIPBOARD = """
async (data) => {
  const blob = await (await fetch(`data:image/png;base64,${data}`)).blob();
  await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    return {colour: pictures.save(folder / f"{colour}.png", colour) for colour in ("red", "green")}


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    """Of somebody who lets the page use camera and clipboard."""
    with chromium(*_CAMERA) as made:
        yield made.new_context(locale="en-US", permissions=["camera", "clipboard-read", "clipboard-write"])


def panel(visitor: Visitor, state: str, **data: str) -> str:
    """Wait until the panel of where it looked has this state and data; gives its text."""
    wanted = "".join(f"[data-{name}='{value}']" for name, value in {"state": state, **data}.items())
    visitor.page.wait_for_selector(f".block.tars-looked:not(.tars-stale) .tars-seen{wanted}", state="attached")
    return visitor.page.locator(".tars-seen").inner_text()


def test_the_camera_takes_a_picture(visitor: Visitor) -> None:
    run = visitor.run()
    visitor.page.get_by_label("Capture from camera").click()
    visitor.page.get_by_role("button", name="Click to Access Webcam").click()
    visitor.page.wait_for_function("document.querySelector('.tars-picture video')?.videoWidth > 0")
    visitor.page.get_by_label("capture photo").click()
    assert visitor.answer_after(run).state in {"ok", "unsure"}


def test_the_button_pastes_from_the_clipboard(visitor: Visitor, predictor: Predictor, files: dict[str, Path]) -> None:
    visitor.page.evaluate(_TO_CLIPBOARD, base64.b64encode(files["green"].read_bytes()).decode())
    run = visitor.run()
    visitor.page.get_by_label("Paste from clipboard").click()
    agrees(visitor.answer_after(run), predictor, files["green"])


@pytest.mark.parametrize("tab", ["Live camera", "Use from code"])
def test_what_is_pasted_elsewhere_comes_to_the_first_tab(
    visitor: Visitor, predictor: Predictor, files: dict[str, Path], tab: str
) -> None:
    visitor.take_the_pad()
    run = visitor.run()
    visitor.page.get_by_role("tab", name=tab).click()
    expect(visitor.page.locator(".tars-picture")).to_be_hidden()
    visitor.let_go(files["green"], event="paste")
    expect(visitor.page.locator(".tars-picture")).to_be_visible()
    visitor.page.wait_for_selector(f".tars-card .tars-answer[data-state=ok]:not([data-run='{run}'])")
    agrees(visitor.shown(), predictor, files["green"])


def test_what_is_pasted_among_many_joins_them(visitor: Visitor, files: dict[str, Path]) -> None:
    visitor.page.get_by_role("tab", name="Many pictures").click()
    visitor.page.locator(".tars-drop").wait_for()
    visitor.let_go(files["green"], event="paste")
    expect(visitor.page.locator(".tars-many tbody tr")).to_contain_text("green.png")


def test_a_file_that_browsers_cannot_show_leaves_nothing_behind(visitor: Visitor, tmp_path: Path) -> None:
    picture = tmp_path / "scan.tif"
    Image.fromarray(pictures.flat("red")).save(picture)
    unseen = visitor.page.locator(".tars-unseen .image-container:has(img)")
    assert visitor.choose(picture).top[0][0] == "red"
    expect(unseen).to_have_count(1)
    visitor.page.get_by_label("Remove Image").click()
    expect(unseen).to_have_count(0)


def test_picture_and_pad_have_an_answer_each(visitor: Visitor, predictor: Predictor, files: dict[str, Path]) -> None:
    visitor.choose(files["red"])
    assert visitor.take_the_pad().state == "empty"  # nothing is drawn yet
    assert visitor.stroke((0.2, 0.2), (0.8, 0.8)).state in {"ok", "unsure"}
    run = visitor.run()
    visitor.page.get_by_role("tab", name="Picture", exact=True).click()
    agrees(visitor.answer_after(run), predictor, files["red"])


class TestWhereItLooked:
    def test_nothing_is_shown_unless_it_is_asked_for(self, visitor: Visitor, files: dict[str, Path]) -> None:
        visitor.choose(files["red"])
        assert panel(visitor, "empty") == ""

    def test_the_box_shows_it_of_the_likeliest_class_of_each_picture(
        self, visitor: Visitor, files: dict[str, Path]
    ) -> None:
        visitor.choose(files["red"])
        visitor.page.get_by_label("Show where the model looked").check()
        assert "red" in panel(visitor, "shown", label="red")
        visitor.hand(files["green"])
        panel(visitor, "shown", label="green")
        visitor.page.get_by_label("Show where the model looked").uncheck()
        assert panel(visitor, "empty") == ""

    def test_a_press_on_a_class_shows_what_speaks_for_it(self, visitor: Visitor, files: dict[str, Path]) -> None:
        visitor.choose(files["red"])
        for colour in ("green", "red"):
            visitor.page.get_by_role("button", name=colour, exact=True).click()
            panel(visitor, "shown", label=colour)
        expect(visitor.page.get_by_label("Show where the model looked")).to_be_checked()
        visitor.hand(files["green"])
        panel(visitor, "shown", label="green")

    def test_it_is_the_crop_that_the_model_saw(
        self, visitor: Visitor, predictor: Predictor, files: dict[str, Path]
    ) -> None:
        visitor.choose(files["red"])
        visitor.page.get_by_role("button", name="red", exact=True).click()
        panel(visitor, "shown")
        source = visitor.page.locator(".tars-seen img").first.get_attribute("src") or ""
        assert source.startswith("data:image/")
        side = predictor.config.preprocess.crop_size
        size = visitor.page.locator(".tars-seen img").first.evaluate("e => [e.naturalWidth, e.naturalHeight]")
        assert size == [side, side]

    def test_the_overlay_fades_in_the_browser_alone(
        self, visitor: Visitor, predictor: Predictor, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # A network that was trained on flat colours sees something in them or nothing, as the processor rounds.
        side = predictor.config.preprocess.crop_size
        monkeypatch.setattr(explaining, "explain", lambda *_: Heat(np.eye(side, dtype=np.float32)))
        visitor.choose(files["red"])
        visitor.page.get_by_role("button", name="red", exact=True).click()
        panel(visitor, "shown")
        heat = visitor.page.locator(".tars-seen img").nth(1)
        asked: list[str] = []
        visitor.page.on("request", lambda request: asked.append(request.url))
        visitor.page.locator(".tars-seen input[type=range]").fill("0")
        expect(heat).to_have_css("opacity", "0")
        assert asked == []

    def test_who_asks_for_it_is_shown_it_below_the_fold_too(self, visitor: Visitor, files: dict[str, Path]) -> None:
        visitor.page.set_viewport_size({"width": 1280, "height": 700})
        visitor.choose(files["red"])
        visitor.page.get_by_role("button", name="red", exact=True).click()
        panel(visitor, "shown")
        expect(visitor.page.locator(".tars-seen")).to_be_in_viewport(ratio=0.9)

    def test_a_removed_picture_takes_it_along(self, visitor: Visitor, files: dict[str, Path]) -> None:
        visitor.choose(files["red"])
        visitor.page.get_by_role("button", name="red", exact=True).click()
        panel(visitor, "shown")
        visitor.page.get_by_label("Remove Image").click()
        panel(visitor, "empty")

    def test_a_broken_picture_leaves_nothing_of_the_one_before(
        self, visitor: Visitor, files: dict[str, Path], tmp_path: Path
    ) -> None:
        visitor.choose(files["red"])
        visitor.page.get_by_role("button", name="red", exact=True).click()
        panel(visitor, "shown")
        broken = tmp_path / "broken.png"
        broken.write_bytes(b"no picture")
        assert visitor.hand(broken).state == "error"
        panel(visitor, "empty")

    def test_hostile_class_names_stay_text(self, visitor: Visitor, files: dict[str, Path]) -> None:
        visitor.choose(files["red"])
        visitor.page.get_by_role("button", name=pictures.HOSTILE, exact=True).click()
        assert pictures.HOSTILE in panel(visitor, "shown")
        assert visitor.page.locator(".tars-seen img[src=x]").count() == 0

    def test_a_class_that_there_is_not_gets_one_sentence(self, visitor: Visitor, files: dict[str, Path]) -> None:
        visitor.choose(files["red"])
        visitor.page.locator(".tars-row").first.evaluate("row => { row.dataset.label = 'purple'; }")
        visitor.page.locator(".tars-row .tars-why").first.click()
        assert "colours has no class purple." in panel(visitor, "error")
