"""The page below a path of a server that runs already."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tars_hub import bodies
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
        assert (early.status_code, early.headers["retry-after"], early.headers["refresh"]) == (503, "2", "2")
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


def test_on_plain_http_the_site_that_asks_is_known_by_its_origin(mount: PageMount, server: tuple[str, Any]) -> None:
    """Browsers say `Sec-Fetch-Site` to https and localhost alone."""
    url, loop = server
    here = url.removeprefix("http://")

    def ask(**headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{url}/demo/gradio_api/call/ask", json={"data": []}, headers=sent).status_code

    with mount.showing(_counting, loop):
        others = ["http://127.0.0.1:1", "http://evil.example", "null", f"http://{here}.evil.example", ""]
        assert [ask(Origin=origin) for origin in others] == [403] * len(others)
        assert ask(Origin=url) == ask(Origin=f"https://{here.upper()}") == 200
        assert ask(Origin="https://hub.example", X_Forwarded_Host="hub.example") == 200
        assert ask(Origin="https://hub.example", Sec_Fetch_Site="same-origin") == 200, "a proxy that tells nothing"


def test_nobody_says_for_others_where_the_server_is(mount: PageMount, server: tuple[str, Any]) -> None:
    url, loop = server
    with mount.showing(_counting, loop):
        for path in ("", "config"):
            named = httpx.get(f"{url}/demo/{path}", headers={"X-Gradio-Server": "http://evil.example"})
            assert "evil.example" not in named.text
            named = httpx.get(f"{url}/demo/{path}", headers={"X-Forwarded-Host": "hub.example"})
            assert named.headers["cache-control"] == "no-store"


def _raw(url: str, head: str, body: bytes = b"") -> bytes:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(f"POST /demo{head}\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode() + body)
        return b"".join(iter(lambda: connection.recv(1000), b""))


def test_a_question_is_small_and_simple(
    mount: PageMount, server: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, loop = server

    def ask(text: str) -> int:
        headers = {"Content-Type": "application/json"}
        return httpx.post(f"{url}/demo/gradio_api/call/ask", content=text, headers=headers).status_code

    with mount.showing(_counting, loop):
        assert ask('{"data": [' + ",".join(["[]"] * 2000) + "]}") == 400
        assert ask('{"data": [], "session_hash": "' + "x" * 200 + '"}') == 400
        assert ask("[" * 900) == 422
        length = f"{'0' * 18}{5 << 20}"  # whose first digits say little
        told = _raw(url, f"/gradio_api/call/ask HTTP/1.1\r\nContent-Length: {length}")
        assert b" 413 " in told or b" 400 " in told  # h11 takes no such number by itself, httptools does
        monkeypatch.setattr(bodies, "_PATIENCE_S", 0.2)
        assert b" 408 " in _raw(url, "/gradio_api/call/ask HTTP/1.1\r\nContent-Length: 9", b"{")
        monkeypatch.setattr(bodies, "_IN_FLIGHT_BYTES", 5)
        assert ask('{"data": []}') == 503


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_of_an_upload_that_does_not_come_whole_nothing_stays(
    mount: PageMount, server: tuple[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, loop = server
    head = "/gradio_api/upload HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 9999"
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nprivate'
    with mount.showing(_counting, loop):
        monkeypatch.setattr(bodies, "_PATIENCE_S", 0.5)
        answer = _raw(url, head, part)
        assert b" 408 " in answer
        assert b"too slowly" in answer
        whole = httpx.post(f"{url}/demo/gradio_api/upload", files={"files": ("b.png", b"whole")}).json()
        other = httpx.post(f"{url}/demo/gradio_api/upload", files={"another": ("c.png", b"private")})
        assert (other.status_code, other.json()) == (200, [])
        end = time.monotonic() + 60  # it is swept after the answer
        while _files(tmp_path) != [Path(whole[0])] and time.monotonic() < end:
            time.sleep(0.02)
        assert _files(tmp_path) == [Path(whole[0])]


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
