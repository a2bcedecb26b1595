"""Stand between a client and the hub: count what passes, and cut or hold a connection after so many bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE_BYTES = 1 << 16


class Relay:
    """A TCP relay on loopback; it reads nothing of what it passes on, so the Host header names the relay."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.up_bytes = 0
        self.down_bytes = 0
        self.cuts = 0
        self.reached = threading.Event()
        self._release = threading.Event()
        self._limit: tuple[str, int] | None = None
        self._holds = False
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.2)
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut_after(self, count: int, *, way: str = "up", hold: bool = False) -> None:
        """Break one connection when `count` more bytes went `way`; with `hold`, not before `release` is called."""
        with self._lock:
            passed = self.up_bytes if way == "up" else self.down_bytes
            self._limit, self._holds = (way, passed + count), hold
            self.reached.clear()
            self._release.clear()

    def release(self) -> None:
        self._release.set()

    def close(self) -> None:
        self._ended = True
        self._release.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            client.settimeout(None)
            try:
                hub = socket.create_connection(("127.0.0.1", self.target_port))
            except OSError:
                client.close()
                continue
            for way, source, target in (("up", client, hub), ("down", hub, client)):
                threading.Thread(target=self._pass_on, args=(way, source, target), daemon=True).start()

    def _pass_on(self, way: str, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                if self._is_the_cut(way, len(piece)):
                    self.reached.set()
                    if self._holds:
                        self._release.wait()
                    break
                target.sendall(piece)
        for side in (source, target):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()

    def _is_the_cut(self, way: str, count: int) -> bool:
        with self._lock:
            if way == "up":
                self.up_bytes += count
            else:
                self.down_bytes += count
            if self._limit is None or self._limit[0] != way:
                return False
            if (self.up_bytes if way == "up" else self.down_bytes) < self._limit[1]:
                return False
            self._limit = None
            self.cuts += 1
            return True


@contextmanager
def relay_to(url: str) -> Iterator[Relay]:
    """Stand before the hub at this address."""
    relay = Relay(int(url.rpartition(":")[2]))
    try:
        yield relay
    finally:
        relay.close()
