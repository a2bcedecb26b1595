"""What every test of the page stands on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tars_hub.predict import Predictor
from tests.browsers import chromium
from tests.ui import pictures
from tests.ui.alone import one_model, page_alone

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.ui.visitor import Visitor


@pytest.fixture(scope="session", autouse=True)
def _no_stray_event_loops() -> Iterator[None]:
    """Gradio makes an event loop for each app, for the sake of an asyncio.Event, and never closes it.

    Since Python 3.10 the Event needs none. Left so, a test far away fails when the loop is collected.
    """
    pytest.importorskip("gradio", reason="the page needs gradio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradio.utils.safe_get_stop_event", asyncio.Event)
        patch.setattr("gradio.utils.safe_get_lock", asyncio.Lock)
        patch.setattr("gradio.queueing.safe_get_lock", asyncio.Lock)
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    """One for all visitors of a page: what it is made of comes from its cache after the first."""
    with chromium() as made:
        yield made.new_context(locale="en-US", viewport={"width": 1280, "height": 860})


# The page alone with the model of colours; a module that wants another makes its own of the same name.


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    return pictures.train_on_colours()


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def url(predictor: Predictor, uploads: Path) -> Iterator[str]:
    with page_alone(one_model(predictor), uploads) as address:
        yield address


@pytest.fixture
def visitor(browser: BrowserContext, url: str) -> Iterator[Visitor]:
    """Arrived; whatever the test did, the console stayed clean and no request left the machine."""
    from tests.ui.visitor import Visitor  # only where there are browsers

    page = browser.new_page()
    visitor = Visitor(page, url)
    visitor.arrive()
    yield visitor
    page.close()
    assert visitor.problems == []


@pytest.fixture
def arrive(browser: BrowserContext, url: str) -> Iterator[Callable[..., Page]]:
    """Brings visitors to the tab "Many pictures", each to a page of their own."""
    from tests.ui.many import arriving  # only where there are browsers

    with arriving(browser, url) as come:
        yield come
