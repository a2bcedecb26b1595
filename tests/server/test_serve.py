"""The server's beginning and end: ports, addresses, signals, and what it tells of itself."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tars_hub.errors import TarsError, UsageError
from tars_hub.server.serve import address_of, is_open_to_others, listening, serving
from tests.server.hubs import Served, served

HOST = "127.0.0.1"


async def _app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with its thread's name; below /slow after a second, below /ever never."""
    if scope["type"] == "lifespan":
        return await _lifespan(receive, send)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] == "/ever":
        await send({"type": "http.response.body", "body": b".", "more_body": True})
        await asyncio.sleep(0.05)
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    name = threading.current_thread().name.encode()
    return await send({"type": "http.response.body", "body": name})


async def _lifespan(receive: Any, send: Any) -> None:
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})


class TestListening:
    def test_a_taken_port_is_one_line(self) -> None:
        with listening(HOST, 0) as first:
            port = first.getsockname()[1]
            with (
                pytest.raises(UsageError, match=rf"port {port} is taken on {HOST}; name another"),
                listening(HOST, port),
            ):
                pass
        with listening(HOST, port):  # free again at once
            pass

    @pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
    def test_a_foreign_host_is_one_line(self, host: str) -> None:
        with pytest.raises(UsageError, match=f"cannot listen on {host}, port 7860: "), listening(host, 7860):
            pass

    @pytest.mark.parametrize(
        ("host", "shown", "open_to_others"),
        [(HOST, HOST, False), ("localhost", HOST, False), ("0.0.0.0", HOST, True), ("::1", "[::1]", False)],  # noqa: S104
    )
    def test_its_address(self, host: str, shown: str, open_to_others: bool) -> None:
        if ":" in host and not _has_ipv6():
            pytest.skip("this machine has no IPv6")
        with listening(host, 0) as listener:
            assert address_of(listener) == f"http://{shown}:{listener.getsockname()[1]}"
            assert is_open_to_others(listener) == open_to_others


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


class TestServing:
    def test_it_answers_in_a_thread_of_its_own(self) -> None:
        with listening(HOST, 0) as listener, serving(_app, listener) as loop:
            answer = httpx.get(address_of(listener))
            assert loop.is_running()
        assert answer.text == "hub"
        assert "server" not in answer.headers
        assert "hub" not in {thread.name for thread in threading.enumerate()}

    def test_what_is_being_answered_is_answered_to_its_end(self) -> None:
        answers: list[str] = []
        with listening(HOST, 0) as listener, serving(_app, listener):
            url = f"{address_of(listener)}/slow"
            asking = threading.Thread(target=lambda: answers.append(httpx.get(url).text))
            asking.start()
            time.sleep(0.3)
        asking.join()
        assert answers == ["hub"]

    def test_what_never_ends_is_ended_without_a_word(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("tars_hub.server.serve._GRACE_S", 0.3)
        with listening(HOST, 0) as listener, ExitStack() as server:
            server.enter_context(serving(_app, listener))
            with httpx.stream("GET", f"{address_of(listener)}/ever") as answer:
                pieces = answer.iter_raw()
                next(pieces)
                started = time.monotonic()
                server.close()
                assert time.monotonic() - started < 2
                with pytest.raises(httpx.RemoteProtocolError):
                    list(pieces)
        assert caplog.text == ""

    def test_a_server_that_cannot_start_is_one_line(self, caplog: pytest.LogCaptureFixture) -> None:
        async def broken(_scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no disk"})

        with (
            listening(HOST, 0) as listener,
            pytest.raises(TarsError, match="could not start"),
            serving(broken, listener),
        ):
            pass
        assert "no disk" in caplog.text

    def test_nobody_but_the_settings_says_what_the_hub_is_called(self) -> None:
        seen: list[Any] = []

        async def noting(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                seen.append((scope["scheme"], scope["client"][0]))
            await _app(scope, receive, send)

        with listening(HOST, 0) as listener, serving(noting, listener):
            httpx.get(address_of(listener), headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "9.9.9.9"})
        assert seen == [("http", HOST)]


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Served]]:
    """A hub for each signal, started at once for the sake of time."""
    with ExitStack() as stack:
        yield {
            number: stack.enter_context(served("--data", str(tmp_path_factory.mktemp("data"))))
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }


class TestEnds:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
    def test_a_signal_ends_it_soon_and_without_a_word(self, hubs: dict[int, Served], number: int, code: int) -> None:
        hub = hubs[number]
        with httpx.Client(trust_env=False) as client:  # whose connection stays open
            assert client.get(f"{hub.url}/health").json() == {"status": "ok"}
            before, started = hub.said(), time.monotonic()
            assert hub.end(number) == code
            assert time.monotonic() - started < 2
        assert hub.said() == before

    def test_the_port_and_the_folder_are_free_again(self, tmp_path: Path) -> None:
        for _ in range(2):
            with served("--data", str(tmp_path)) as hub:
                assert hub.end() == 0


def test_a_hub_that_others_can_reach_says_what_that_means(tmp_path: Path) -> None:
    with served("--data", str(tmp_path / "open"), "--host", "0.0.0.0") as hub:  # noqa: S104  # to hear what it says
        assert "over plain http" in hub.said()
        assert hub.url.startswith("http://127.0.0.1:")
    with served("--data", str(tmp_path / "closed")) as hub:
        assert "plain http" not in hub.said()
