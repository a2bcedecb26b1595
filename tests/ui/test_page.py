"""The page in a real browser, with a model that truly tells pictures apart."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tars_hub.card import Measured
from tars_hub.config import ModelConfig
from tars_hub.errors import PictureError
from tars_hub.exhibits import Exhibit, OneModel
from tars_hub.model import TarsClassifier
from tars_hub.predict import Predictor
from tars_hub.preprocess import decode
from tests.browsers import CHROMIUM
from tests.ui import pictures
from tests.ui.alone import one_model, page_alone
from tests.ui.endpoint import call, upload
from tests.ui.pictures import DIFFICULT, HOSTILE
from tests.ui.visitor import TOLERANCE, Visitor, agrees

gr = pytest.importorskip("gradio", reason="the page needs gradio")

from tars_hub.ui.page import build_page  # noqa: E402  # only where gradio is there

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")

MEASURED = Measured(accuracy=0.9642, pictures=120, dataset="colours", split="val")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, Path]:
    names = {"red": "rose.png", "green": "leaf.png", HOSTILE: "sky.png"}
    return {colour: pictures.save(folder / name, colour) for colour, name in names.items()}


@pytest.fixture(scope="module")
def url(predictor: Predictor, files: dict[str, Path], uploads: Path) -> Iterator[str]:
    models = one_model(predictor, "colours-resnet18", measured=MEASURED)
    with page_alone(models, uploads, examples=list(files.values())) as address:
        yield address


def test_on_arrival_it_says_what_it_knows_and_how_well(visitor: Visitor) -> None:
    expect(visitor.page).to_have_title("colours-resnet18 · Tars Hub")
    header = visitor.page.locator("header").inner_text()
    assert f"Knows 3 classes: red, green and {HOSTILE}." in header
    assert "Right on 96.4 % of 120 validation pictures of colours." in header
    assert visitor.shown().state == "empty"


@pytest.mark.parametrize("colour", pictures.COLOURS)
def test_a_chosen_file_is_answered(visitor: Visitor, predictor: Predictor, files: dict[str, Path], colour: str) -> None:
    shown = visitor.choose(files[colour])
    assert (shown.state, shown.top[0][0]) == ("ok", colour)
    agrees(shown, predictor, files[colour])
    assert re.search(r"colours-resnet18 · prepare [\d.]+ ms · model [\d.]+ ms · cpu", shown.text)


def test_dropped_and_pasted_pictures_are_answered(
    visitor: Visitor, predictor: Predictor, files: dict[str, Path]
) -> None:
    agrees(visitor.hand(files["red"]), predictor, files["red"])
    agrees(visitor.hand(files["green"], event="paste"), predictor, files["green"])


@pytest.mark.parametrize("kind", DIFFICULT)
def test_files_easily_read_wrong_are_read_as_by_the_library(
    visitor: Visitor, predictor: Predictor, folder: Path, kind: str
) -> None:
    file = DIFFICULT[kind](folder)
    agrees(visitor.choose(file), predictor, file)


@pytest.mark.parametrize("kind", ["EXIF-rotated JPEG", "16-bit PNG", "transparent PNG"])
def test_these_files_would_betray_a_wrong_reading(predictor: Predictor, tmp_path: Path, kind: str) -> None:
    file = DIFFICULT[kind](tmp_path)
    misread = np.asarray(Image.open(file).convert("RGB"))
    assert abs(predictor(misread).probability - predictor(file).probability) > 10 * TOLERANCE


def test_a_broken_file_gets_a_calm_sentence_and_the_page_lives_on(
    visitor: Visitor, predictor: Predictor, files: dict[str, Path], folder: Path
) -> None:
    broken = folder / "holiday.png"
    broken.write_bytes(files["red"].read_bytes()[:200])
    shown = visitor.choose(broken)
    assert shown.state == "error"
    assert re.fullmatch(r"“holiday\.png” cannot be read: [^\n]+\.", shown.text.strip())
    assert "Traceback" not in shown.text
    agrees(visitor.hand(files["green"]), predictor, files["green"])


def test_a_hostile_file_name_stays_text(visitor: Visitor, folder: Path) -> None:
    hostile = folder / '<img src=x onerror="alert(1)">${1+1}.png'
    hostile.write_bytes(b"no picture")
    shown = visitor.choose(hostile)
    assert shown.text.startswith('“<img src=x onerror="alert(1)">${1+1}.png” cannot be read')
    assert visitor.card().locator("img").count() == 0


def test_hostile_class_names_stay_text(visitor: Visitor, files: dict[str, Path]) -> None:
    assert HOSTILE in visitor.choose(files[HOSTILE]).text
    assert visitor.page.locator("header img, .tars-answer img").count() == 0


def test_an_unsure_answer_says_so(visitor: Visitor, predictor: Predictor, folder: Path) -> None:
    file = folder / "mixed.png"
    Image.fromarray(pictures.undecided(predictor)).save(file)
    shown = visitor.choose(file)
    assert shown.state == "unsure"
    assert shown.text.startswith("Not sure: nearest is\n")


def test_a_model_without_a_threshold_says_nothing_of_declining(visitor: Visitor) -> None:
    assert "Declines" not in visitor.page.locator("header").inner_text()


def test_the_number_of_classes_can_be_changed(visitor: Visitor, files: dict[str, Path]) -> None:
    assert len(visitor.choose(files["red"]).top) == 3
    for number in (1, 2):
        run = visitor.run()
        visitor.page.get_by_label("number input for Classes shown").fill(str(number))
        visitor.page.keyboard.press("Enter")
        assert len(visitor.answer_after(run).top) == number


def test_clearing_empties_the_card(visitor: Visitor, files: dict[str, Path]) -> None:
    visitor.choose(files["red"])
    run = visitor.run()
    visitor.page.get_by_label("Remove Image").click()
    assert visitor.answer_after(run).state == "empty"


def test_an_example_is_answered_at_a_click(visitor: Visitor, predictor: Predictor, files: dict[str, Path]) -> None:
    run = visitor.run()
    visitor.page.get_by_role("button", name="Example leaf.png").click()
    agrees(visitor.answer_after(run), predictor, files["green"])
    source = visitor.page.locator(".tars-picture img").get_attribute("src")
    assert "/uploads" in unquote(source or "")  # a copy; the folder of examples is not served


def test_a_drawing_is_answered_at_each_stroke(visitor: Visitor) -> None:
    visitor.take_the_pad()
    first = visitor.stroke((0.2, 0.2), (0.8, 0.2))
    second = visitor.stroke((0.8, 0.2), (0.4, 0.9))
    assert {first.state, second.state} <= {"ok", "unsure"}
    assert first.top != second.top
    run = visitor.run()
    visitor.page.get_by_role("button", name="Clear", exact=True).click()
    assert visitor.answer_after(run).state == "empty"


def test_a_drawing_is_answered_as_the_library_would(visitor: Visitor, predictor: Predictor) -> None:
    visitor.take_the_pad()
    shown = visitor.stroke((0.3, 0.3), (0.7, 0.7))
    png = b64decode(visitor.page.evaluate("document.querySelector('.tars-pad canvas').toDataURL()").split(",")[1])
    agrees(shown, predictor, png)
    ink = (decode(png) < 128).mean()
    assert 0.03 < ink < 0.1  # a line of a fifteenth of the pad's width, through half of it


def test_on_a_phone_the_answer_comes_before_the_examples(visitor: Visitor, files: dict[str, Path]) -> None:
    visitor.page.set_viewport_size({"width": 390, "height": 844})
    visitor.choose(files[HOSTILE])
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390
    tops = [
        visitor.page.locator(place).bounding_box()
        for place in (".tars-picture", ".tars-answer:visible", ".tars-examples")
    ]
    heights = [box["y"] for box in tops if box]
    assert len(heights) == 3
    assert heights == sorted(heights)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(visitor: Visitor, files: dict[str, Path], scheme: Any) -> None:
    visitor.page.emulate_media(color_scheme=scheme)
    visitor.arrive()
    assert (visitor.page.locator("body.dark").count() == 1) == (scheme == "dark")
    assert visitor.faint_texts() == []
    visitor.choose(files["red"])
    assert visitor.faint_texts() == []


def test_what_can_be_pressed_has_a_name(visitor: Visitor) -> None:
    buttons = visitor.page.locator("button:visible").all()
    names = [button.get_attribute("aria-label") or button.inner_text().strip() for button in buttons]
    assert len(names) > 5
    assert all(names), names


def test_the_page_about_the_endpoint_asks_no_other_machine(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="Use via API").click()
    expect(visitor.page.get_by_text("/classify").first).to_be_visible()


class TestEndpoint:
    """`/classify`, asked over plain HTTP."""

    def test_a_picture_gives_labels_and_scores(self, url: str, predictor: Predictor, files: dict[str, Path]) -> None:
        kind, data = call(url, {"path": upload(url, files["red"])})
        expected = [
            {"label": label, "score": pytest.approx(score, abs=TOLERANCE)}
            for label, score in predictor(files["red"]).top
        ]
        assert (kind, data) == ("complete", [expected])

    def test_a_broken_picture_gives_one_sentence(self, url: str, folder: Path) -> None:
        broken = folder / "broken.png"
        broken.write_bytes(b"no picture")
        kind, data = call(url, {"path": upload(url, broken), "orig_name": "broken.png"})
        assert kind == "error"
        assert data["error"].startswith("broken.png: ")

    def test_files_of_the_server_are_out_of_reach(self, url: str, files: dict[str, Path]) -> None:
        assert call(url, {"path": str(files["red"])})[0] == "error"

    def test_no_address_is_fetched(self, url: str) -> None:
        kind, data = call(url, {"path": "https://example.com/cat.jpg"})
        assert (kind, data["error"]) == ("error", "send the picture itself; addresses are not fetched")

    def test_it_is_the_only_one_listed(self, url: str) -> None:
        listed = httpx.get(f"{url}gradio_api/info").json()
        assert (list(listed["named_endpoints"]), listed["unnamed_endpoints"]) == (["/classify"], {})


class _Silent(Predictor):
    def answer(self, *_: Any) -> Any:
        raise RuntimeError("out of memory")


def test_a_failing_model_does_not_leave_the_old_answer(
    files: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    from tars_hub.ui.desk import Desk
    from tars_hub.ui.inputs import Upload

    silent = _Silent(TarsClassifier(ModelConfig(backbone="resnet18", classes=("a", "b"))))
    desk = Desk(OneModel(Exhibit(predictor=silent, name="broken")))
    card = desk.card(Upload(files["red"], "rose.png"), 5, "", gr.Request(headers={}, query_params={}))
    assert 'data-state="error"' in card
    assert "The model failed on this picture" in card
    assert "out of memory" not in card
    assert "out of memory" in caplog.text


def test_the_pad_is_there_for_drawings_alone() -> None:
    plain = Predictor(TarsClassifier.create("resnet18", ["a", "b"]), device="cpu")
    page = build_page(OneModel(Exhibit(predictor=plain, name="plain")))
    components = page.get_config_file()["components"]
    tabs = [each["props"]["label"] for each in components if each["type"] == "tabitem"]
    assert tabs == ["One picture", "Live camera", "Many pictures", "Use from code"]


def test_an_unreadable_example_is_named_at_once(predictor: Predictor, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"broken\.png"):
        build_page(OneModel(Exhibit(predictor=predictor, name="colours")), examples=[broken])
