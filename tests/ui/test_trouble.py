"""What a visitor reads where there is no answer: calm words in the card, never the old answer beside a new picture."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect

from tars_hub.exhibits import Exhibit, OneModel
from tars_hub.predict import Prediction, Predictor
from tests.browsers import CHROMIUM
from tests.ui import pictures
from tests.ui.alone import page_alone
from tests.ui.endpoint import upload
from tests.ui.visitor import Visitor

pytest.importorskip("gradio", reason="the page needs gradio")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")
WITHIN_S = 60


class Gated:
    """A batcher that answers while its gate is open."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor, self.gate, self.begun = predictor, threading.Event(), threading.Semaphore(0)
        self.gate.set()

    def answer(self, pixels: Any, top_k: int) -> Prediction:
        self.begun.release()
        assert self.gate.wait(WITHIN_S)
        return self._predictor.answer([pixels], top_k)[0]


@pytest.fixture
def batcher(predictor: Predictor) -> Gated:
    return Gated(predictor)


@pytest.fixture
def models(predictor: Predictor, batcher: Gated) -> OneModel:
    return OneModel(Exhibit(predictor=predictor, name="colours", batcher=batcher))  # type: ignore[arg-type]


@pytest.fixture
def red(tmp_path: Path) -> Path:
    return pictures.save(tmp_path / "red.png", "red")


@pytest.fixture
def server(models: OneModel, tmp_path: Path) -> Iterator[tuple[ExitStack, str]]:
    """What ends it, and where it answers."""
    with ExitStack() as stack:
        yield stack, stack.enter_context(page_alone(models, tmp_path))


@pytest.fixture
def visitor(browser: BrowserContext, server: tuple[ExitStack, str]) -> Iterator[Visitor]:
    visitor = Visitor(browser.new_page(), server[1])
    visitor.arrive()
    yield visitor
    visitor.page.close()


def test_a_full_queue_is_said_in_the_card_and_not_as_sizes(
    visitor: Visitor, server: tuple[ExitStack, str], batcher: Gated, red: Path
) -> None:
    assert visitor.choose(red).top[0][0] == "red"
    batcher.gate.clear()
    url, path = server[1], upload(server[1], red)
    body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}
    for _ in range(200):  # until every place is taken
        answer = httpx.post(f"{url}gradio_api/call/classify", json=body)
        if answer.status_code != 200:
            break
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json() == {"detail": "Too many questions are waiting just now; ask again in a moment."}
    visitor.let_go(red)
    expect(visitor.card()).to_have_attribute("data-state", "error", timeout=1000 * WITHIN_S)
    expect(visitor.card()).to_have_text("Too many pictures are waiting just now. Give it again in a moment.")
    assert "size is" not in visitor.page.locator("body").inner_text()
    batcher.gate.set()


def test_a_server_that_goes_while_it_answers_and_comes_back(
    visitor: Visitor, server: tuple[ExitStack, str], models: OneModel, batcher: Gated, red: Path, tmp_path: Path
) -> None:
    stack, url = server
    assert visitor.choose(red).top[0][0] == "red"
    assert batcher.begun.acquire(timeout=WITHIN_S)
    batcher.gate.clear()
    visitor.let_go(red)
    assert batcher.begun.acquire(timeout=WITHIN_S)
    batcher_opens = threading.Timer(1, batcher.gate.set)  # the end waits for what is in the network
    batcher_opens.start()
    stack.close()
    expect(visitor.card()).to_have_attribute("data-state", "error", timeout=1000 * WITHIN_S)
    expect(visitor.card()).to_have_text("The server does not answer. Give the picture again when it is back.")
    port = int(url.rstrip("/").rpartition(":")[2])
    with page_alone(models, tmp_path, port=port):
        visitor.arrive()
        assert visitor.choose(red).top[0][0] == "red"


def test_a_picture_too_large_is_said_before_it_is_sent(visitor: Visitor, red: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.write(red.read_bytes())
        file.truncate(65 << 20)
    visitor.page.locator("input[type=file]").set_input_files(large)
    expect(visitor.page.get_by_text("exceed the maximum allowed size of 64.0 Mb").first).to_be_visible()
    assert visitor.shown().state == "empty"
