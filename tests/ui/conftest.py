"""What every test of the page stands on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest


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
