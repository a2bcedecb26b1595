"""The page of a model that declines: what it says before, what on the card, what to programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext

from tars_hub.card import Measured
from tars_hub.config import Calibration
from tars_hub.model import TarsClassifier
from tars_hub.predict import Predictor
from tars_hub.ui.answer import percent
from tests.browsers import CHROMIUM
from tests.ui import pictures
from tests.ui.alone import one_model, page_alone
from tests.ui.endpoint import call, upload
from tests.ui.visitor import TOLERANCE, Visitor, agrees

pytest.importorskip("gradio", reason="the page needs gradio")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")

MEASURED = Measured(accuracy=0.9642, pictures=120, dataset="colours", split="val")


@pytest.fixture(scope="module")
def choosy(predictor: Predictor) -> Predictor:
    """A model with a temperature, and a threshold that flat colours reach and some mixtures do not."""
    calibration = Calibration(temperature=1.2, threshold=0.0, error=0.05)
    config = replace(predictor.config, calibration=calibration)
    read = Predictor(TarsClassifier(config, predictor.model.backbone), device="cpu")
    sure = min(read(pictures.flat(colour)).probability for colour in pictures.COLOURS)
    doubted = read(pictures.undecided(read, at_least=0.5)).probability
    assert sure - doubted > 0.05
    threshold = (sure + doubted) / 2
    read.model.config = replace(config, calibration=replace(calibration, threshold=threshold))
    return read


@pytest.fixture(scope="module")
def url(choosy: Predictor, uploads: Path) -> Iterator[str]:
    with page_alone(one_model(choosy, "choosy", measured=MEASURED), uploads) as address:
        yield address


def test_a_model_with_a_threshold_declines_below_it_and_says_when(
    browser: BrowserContext, choosy: Predictor, url: str, tmp_path: Path
) -> None:
    doubtful = tmp_path / "doubtful.png"
    Image.fromarray(pictures.undecided(choosy, at_least=0.5)).save(doubtful)
    page = browser.new_page()
    visitor = Visitor(page, url)
    visitor.arrive()
    threshold = choosy.calibration.threshold
    assert threshold is not None
    assert f"Declines to answer below {percent(threshold)}." in page.locator("header").inner_text()
    declined = visitor.choose(doubtful)
    assert declined.state == "unsure"
    assert declined.text.startswith("Not sure: nearest is\n")
    assert 0.5 < declined.top[0][1] < threshold
    agrees(declined, choosy, doubtful)
    red = pictures.save(tmp_path / "red.png", "red")
    sure = visitor.hand(red)
    assert sure.state == "ok"
    assert "Not sure" not in sure.text
    agrees(sure, choosy, red)
    assert visitor.problems == []
    page.close()


def test_the_endpoint_of_a_model_that_declines_keeps_its_shape(choosy: Predictor, url: str, tmp_path: Path) -> None:
    doubtful = tmp_path / "unsure.png"
    Image.fromarray(pictures.undecided(choosy, at_least=0.5)).save(doubtful)
    kind, data = call(url, {"path": upload(url, doubtful)})
    top = [{"label": label, "score": pytest.approx(score, abs=TOLERANCE)} for label, score in choosy(doubtful).top]
    assert (kind, data) == ("complete", [top])
