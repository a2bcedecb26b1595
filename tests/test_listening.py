"""A port, the server's thread, and the names it answers to; the names are tried in `server/test_called.py` too."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tars_hub.errors import TarsError, UsageError
from tars_hub.listening import address_of, free_port, is_called, is_open_to_others, listening, names_here, serving

HOST = "127.0.0.1"
WITHIN_S = 60  # for an answer; httpx would wait for 5, and a busy machine takes a while
LOCAL = ["", "localhost:80", "a.localhost", "127.0.0.1", "[::1]:7860", "Den:1", "127.9.9.9"]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


class TestFreePort:
    def test_a_free_port_is_kept(self, taken: int) -> None:
        port = free_port(HOST, taken + 1)
        assert free_port(HOST, port) == port

    def test_a_taken_one_gives_the_next(self, taken: int) -> None:
        assert taken < free_port(HOST, taken) <= taken + 5

    def test_the_last_port_has_no_next(self) -> None:
        with socket.create_server((HOST, 65535)), pytest.raises(UsageError, match=r"port 65535 .* taken"):
            free_port(HOST, 65535)

    @pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
    def test_a_foreign_host_is_refused(self, host: str) -> None:
        with pytest.raises(UsageError, match=f"cannot listen on {host}, port 7860"):
            free_port(host, 7860)


async def _app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with its thread's name; below /slow after half a second, below /ever never."""
    if scope["type"] == "lifespan":
        return await _lifespan(receive, send)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] == "/ever":
        await send({"type": "http.response.body", "body": b".", "more_body": True})
        await asyncio.sleep(0.05)
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
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
            answer = httpx.get(address_of(listener), timeout=WITHIN_S)
            assert loop.is_running()
        assert answer.text == "server"
        assert "server" not in answer.headers
        assert "server" not in {thread.name for thread in threading.enumerate()}

    def test_what_is_being_answered_is_answered_to_its_end(self) -> None:
        answers: list[str] = []
        begun = threading.Event()

        async def noting(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                begun.set()
            await _app(scope, receive, send)

        with listening(HOST, 0) as listener, serving(noting, listener):
            url = f"{address_of(listener)}/slow"
            asking = threading.Thread(target=lambda: answers.append(httpx.get(url, timeout=WITHIN_S).text))
            asking.start()
            assert begun.wait(WITHIN_S)
        asking.join()
        assert answers == ["server"]

    def test_what_never_ends_is_ended_without_a_word(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("tars_hub.listening._GRACE_S", 0.3)
        with listening(HOST, 0) as listener, ExitStack() as server:
            begun = time.monotonic()
            server.enter_context(serving(_app, listener))
            with httpx.stream("GET", f"{address_of(listener)}/ever", timeout=WITHIN_S) as answer:
                pieces = answer.iter_raw()
                next(pieces)
                started = time.monotonic()
                server.close()
                assert time.monotonic() - started < max(
                    2, 20 * (started - begun)
                )  # a busy machine is slow to begin, too
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

    def test_who_asks_does_not_say_who_they_are(self) -> None:
        seen: list[Any] = []

        async def noting(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                seen.append((scope["scheme"], scope["client"][0]))
            await _app(scope, receive, send)

        with listening(HOST, 0) as listener, serving(noting, listener):
            told = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "9.9.9.9"}
            httpx.get(address_of(listener), headers=told, timeout=WITHIN_S)
        assert seen == [("http", HOST)]


class TestNames:
    @pytest.mark.parametrize(
        "host", ["", "localhost:80", "a.localhost", "127.0.0.1", "[::1]:7860", "Den:1", "127.9.9.9"]
    )
    def test_this_machines(self, host: str) -> None:
        assert is_called(host, {"den"})

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0", "[", "den.evil.example"])  # noqa: S104
    def test_others(self, host: str) -> None:
        assert not is_called(host, {"den"})

    def test_where_others_may_reach_it_any_will_do(self) -> None:
        with listening("0.0.0.0", 0) as listener:  # noqa: S104  # what is tried here
            assert names_here(listener, "0.0.0.0") is None  # noqa: S104
        with listening(HOST, 0) as listener:
            assert names_here(listener, "Den") == {"den"}
