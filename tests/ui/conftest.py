"""What every test of the page stands on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browsers import chromium

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext


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
