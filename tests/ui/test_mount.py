"""The page below a path of a server that runs already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tars_hub.listening import address_of, listening, serving
from tars_hub.ui import mount as module
from tars_hub.ui.mount import PageMount
from tars_hub.ui.serve import page_environment

HOST = "127.0.0.1"


@pytest.fixture
def mount() -> PageMount:
    return PageMount("/demo")


@pytest.fixture
def server(mount: PageMount, tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """Its address and its loop."""
    with page_environment(uploads=tmp_path), listening(HOST, 0) as listener, serving(mount, listener) as loop:
        yield address_of(listener), loop


def _counting() -> Any:
    """A page that says how many times it was asked."""
    gr = pytest.importorskip("gradio", reason="the page needs gradio")
    asked: list[int] = []
    with gr.Blocks() as page:
        out = gr.JSON()
        gr.Button().click(lambda: [asked.append(1), len(asked)][1:], None, out, api_name="ask")
    return page.queue(api_open=False)


def _ask(url: str) -> str:
    event = httpx.post(f"{url}/demo/gradio_api/call/ask", json={"data": []}).json()["event_id"]
    return httpx.get(f"{url}/demo/gradio_api/call/ask/{event}").text


def test_before_and_after_there_is_a_page_it_asks_for_patience(mount: PageMount, server: tuple[str, Any]) -> None:
    url, loop = server
    for _ in range(2):
        early = httpx.get(f"{url}/demo/")
        assert (early.status_code, early.headers["retry-after"]) == (503, "2")
        assert "being prepared" in early.text
        with mount.showing(_counting, loop):
            assert httpx.get(f"{url}/demo/").status_code == 200
            assert "data: [[1]]" in _ask(url)  # the queue runs
            assert "data: [[2]]" in _ask(url)


def test_pages_of_other_sites_ask_nothing(mount: PageMount, server: tuple[str, Any]) -> None:
    url, loop = server
    with mount.showing(_counting, loop):
        asked = {
            site: httpx.post(
                f"{url}/demo/gradio_api/call/ask", json={"data": []}, headers={"Sec-Fetch-Site": site}
            ).status_code
            for site in ("same-origin", "none", "same-site", "cross-site")
        }
        assert asked == {"same-origin": 200, "none": 200, "same-site": 403, "cross-site": 403}
        assert httpx.get(f"{url}/demo/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200, "links lead here"


def test_nobody_sends_any_number_of_bytes(
    mount: PageMount, server: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, loop = server

    def upload(size: int) -> int:
        return httpx.post(f"{url}/demo/gradio_api/upload", files={"files": ("a.png", bytes(size))}).status_code

    with mount.showing(_counting, loop):
        ask = f"{url}/demo/gradio_api/call/ask"
        assert httpx.post(ask, json={"data": [], "session_hash": "x" * (17 << 20)}).status_code == 413
        chunks = iter([b'{"data":', b"[]}"])
        assert httpx.post(ask, content=chunks, headers={"Content-Type": "application/json"}).status_code == 411
        assert upload(1000) == 200
        monkeypatch.setattr(module, "_FILE_BYTES", 2000)
        assert upload(3000) == 413
        monkeypatch.setattr(module, "_SPARE_BYTES", 1 << 62)
        assert upload(1000) == 507, "the disk would be full"


def test_the_end_of_the_page_ends_what_an_open_page_listens_to(mount: PageMount, server: tuple[str, Any]) -> None:
    url, loop = server
    with ExitStack() as page:
        page.enter_context(mount.showing(_counting, loop))
        with httpx.stream("GET", f"{url}/demo/gradio_api/heartbeat/somebody") as beats:
            pieces = beats.iter_text()
            assert "ALIVE" in next(pieces)
            page.close()
            assert list(pieces) == []  # the end of the stream, not a connection that breaks


def test_a_page_that_cannot_begin_is_an_error_here(mount: PageMount, server: tuple[str, Any]) -> None:
    url, loop = server

    def broken() -> Any:
        page = _counting()

        async def fail() -> None:
            raise OSError("no space left")

        page.extra_startup_events.append(fail)
        return page

    with pytest.raises(OSError, match="no space left"), mount.showing(broken, loop):
        pass
    assert httpx.get(f"{url}/demo/").status_code == 503
