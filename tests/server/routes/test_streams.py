"""Answers that let go of what they read from, and files whose bytes are lost."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tars_hub.server.blobs.interface import Key, Reading
from tars_hub.server.errors import NotFoundError
from tars_hub.server.hub import Hub
from tars_hub.server.routes.streams import Streamed
from tars_hub.server.rules import contents
from tars_hub.server.settings import Settings
from tars_hub.server.start import opened
from tests.server.rules.by_hand import content_of, packed, upload, whole
from tests.server.running import Site, done, large, site

LARGE = os.urandom(24 << 20)  # more than the sockets in between take
XORB = packed(1, *[60_000] * 400)
FILES = ["plain.bin", "chunked.bin"]


class Source:
    """A generator that says how it ended."""

    def __init__(self, *, pieces: int = 1000, gate: threading.Event | None = None) -> None:
        self.closed = threading.Event()
        self.running = threading.Event()
        self.given = 0
        self._pieces, self._gate = pieces, gate

    def read(self) -> Generator[bytes, None, None]:
        try:
            for _ in range(self._pieces):
                self.running.set()
                if self._gate is not None:
                    self._gate.wait(20)
                self.given += 1
                yield b"piece"
        finally:
            self.closed.set()


async def _never() -> Any:
    await asyncio.Event().wait()


async def _nothing(_: Any) -> None:
    await asyncio.sleep(0)


SCOPE = {"type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET", "path": "/", "headers": []}


class TestStreamed:
    def test_all_of_it(self) -> None:
        source, sent = Source(pieces=3), []

        async def send(message: Any) -> None:
            sent.append(message.get("body"))
            await asyncio.sleep(0)

        asyncio.run(Streamed(source.read(), 206, {"X-A": "b"})(SCOPE, _never, send))
        assert sent == [None, b"piece", b"piece", b"piece", b""]
        assert source.closed.is_set()

    def test_a_client_that_hangs_up(self) -> None:
        source = Source()

        async def receive() -> Any:
            while source.given < 5:
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        answer = Streamed(source.read())
        asyncio.run(answer(SCOPE, receive, _nothing))
        assert 5 <= source.given < 1000
        assert source.closed.is_set()
        assert answer  # it was closed with somebody still holding it

    def test_sending_fails(self) -> None:
        source = Source()

        async def send(message: Any) -> None:
            await asyncio.sleep(0)
            if message["type"] == "http.response.body":
                raise RuntimeError("gone")

        answer = Streamed(source.read())
        with pytest.raises(RuntimeError, match="gone"):
            asyncio.run(answer(SCOPE, _never, send))
        assert source.closed.is_set()

    def test_a_thread_that_is_in_the_generator_closes_it_when_it_comes_out(self) -> None:
        gate = threading.Event()
        source = Source(gate=gate)
        answer = Streamed(source.read())

        async def cancelled() -> None:
            task = asyncio.create_task(answer({**SCOPE, "asgi": {"spec_version": "2.4"}}, _never, _nothing))
            while not source.running.is_set():
                await asyncio.sleep(0)
            task.cancel()  # as the end of the server does
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not source.closed.is_set()
            gate.set()

        asyncio.run(cancelled())
        assert source.closed.wait(20)
        assert source.given == 1


class Counted:
    """Blobs that count what is open, and the sizes that are read."""

    def __init__(self, blobs: Any) -> None:
        self._blobs = blobs
        self.open_now = self.opened = self.largest = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    def open(self, key: Key) -> Reading:
        reading = self._blobs.open(key)
        self.opened += 1
        self.open_now += 1
        return CountedReading(self, reading)


class CountedReading:
    def __init__(self, store: Counted, reading: Reading) -> None:
        self._store, self._reading = store, reading
        self.size = reading.size

    def read_at(self, offset: int, length: int) -> bytes:
        self._store.largest = max(self._store.largest, length)
        return self._reading.read_at(offset, length)

    def close(self) -> None:
        self._store.open_now -= 1
        self._reading.close()


def until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[Site, Counted]]:
    """A hub on disk with ann/m, which has a large file in one piece and one in chunks."""
    with opened(Settings(data=tmp_path / "hub")) as first:
        store = Counted(first.blobs)
        hub = Hub(settings=first.settings, catalog=first.catalog, blobs=store, signer=first.signer)
        with site(hub) as running:
            running.add("ann")
            running.create("ann/m", "ann")
            running.put_large("ann/m", "ann", "plain.bin", LARGE)
            sha256 = upload(running, "ann/m", "ann", *whole(XORB)).sha256
            assert sha256
            done(running.commit("ann/m", "ann", large("chunked.bin", sha256)))
            assert store.open_now == 0
            yield running, store


def hang_up(running: Site, path: str) -> None:
    at = urlsplit(running.url)
    with socket.create_connection((str(at.hostname), int(at.port or 0)), timeout=20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {at.netloc}\r\n\r\n".encode())
        with connection.makefile("rb") as stream:
            assert stream.read(100_000).startswith(b"HTTP/1.1 200")


def blobs_of(running: Site, name: str) -> list[Path]:
    kind = "file" if name == "plain.bin" else "xorb"
    return [path for path in (running.hub.settings.data / "blobs" / kind).rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", FILES)
class TestDownloads:
    def test_who_hangs_up_leaves_nothing_open(self, kept: tuple[Site, Counted], name: str) -> None:
        running, store = kept
        gc.collect()
        gc.disable()
        try:
            store.opened = 0
            for _ in range(5):
                hang_up(running, f"/ann/m/resolve/main/{name}")
            assert until(lambda: store.open_now == 0)
            assert store.opened == 5
        finally:
            gc.enable()

    def test_what_waits_for_a_slow_reader_is_small(self, kept: tuple[Site, Counted], name: str) -> None:
        running, store = kept
        store.largest = 0
        whole_file = LARGE if name == "plain.bin" else content_of(*whole(XORB))
        assert running.get(f"/ann/m/resolve/main/{name}").content == whole_file
        assert 0 < store.largest <= contents.ANSWER_BYTES
        part = running.get(f"/ann/m/resolve/main/{name}", headers={"Range": "bytes=131000-9000000"})
        assert (part.status_code, part.content) == (206, whole_file[131000:9000001])
        assert until(lambda: store.open_now == 0)

    @pytest.mark.parametrize("harm", [Path.unlink, lambda path: os.truncate(path, 5)])
    def test_lost_bytes_are_said_before_the_answer_begins(
        self, kept: tuple[Site, Counted], name: str, harm: Callable[[Path], None]
    ) -> None:
        running, store = kept
        for path in blobs_of(running, name):
            harm(path)
        for headers in ({}, {"Range": "bytes=7-9"}):
            answer = running.get(f"/ann/m/resolve/main/{name}", headers=headers)
            assert answer.status_code == 404  # clients try no 404 again
            assert "`tars hub check`" in answer.json()["error"]
            assert "X-Error-Code" not in answer.headers  # it is no file that is not there: clients would note that
        assert store.open_now == 0


def test_a_blob_is_given_as_a_file_is(kept: tuple[Site, Counted]) -> None:
    running, store = kept
    pieces = contents.give_blob(running.hub, Key("xorb", XORB.name), 10, 300_010)
    assert store.open_now == 1
    pieces.close()
    assert store.open_now == 0
    assert b"".join(contents.give_blob(running.hub, Key("xorb", XORB.name), 10, 300_010)) == XORB.data[10:300_010]
    with pytest.raises(NotFoundError, match="tars hub check"):
        contents.give_blob(running.hub, Key("xorb", XORB.name), 0, 1 << 40)
    with pytest.raises(NotFoundError, match="tars hub check"):
        contents.give_blob(running.hub, Key("xorb", "0" * 64), 0, 1)
    assert store.open_now == 0
