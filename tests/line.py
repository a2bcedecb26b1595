"""The line between a client and a hub: what passes is written down, and it can break, stall and lie."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_PIECE = 1 << 14
_SKIPPED = {"connection", "transfer-encoding", "keep-alive"}


@dataclass(frozen=True)
class Asked:
    """A request; header names are lower-case."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Line:
    """
    Attributes:
        url: the hub's address at this end of the line.
        asked: all requests.
        moved: bytes of files that came through, counted while they pass.
        left: bytes of files that may still pass before the line breaks; None is no limit.
        stalls: it goes silent rather than break; `silent` is set then, and `go_on` ends it.
        deaf: it does not pass on which part of a file is wanted.
        changed: what a body becomes, by path.
        elsewhere: files are at this address, says a redirect.
    """

    hub: str
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    moved: int = 0
    left: int | None = None
    stalls: bool = False
    deaf: bool = False
    silent: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    changed: Callable[[str, bytes], bytes] | None = None
    elsewhere: str = ""

    def files(self) -> list[Asked]:
        """Requests for files' contents."""
        return [each for each in self.asked if each.method == "GET" and "/resolve/" in each.path]

    def heal(self) -> None:
        """As new; what was counted is forgotten."""
        self.asked.clear()
        self.moved, self.left, self.stalls, self.deaf, self.changed, self.elsewhere = 0, None, False, False, None, ""
        self.go_on.set()
        self.silent, self.go_on = threading.Event(), threading.Event()


@contextmanager
def line_to(hub: str) -> Iterator[Line]:
    """A line to the hub at this address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    line = Line(hub, f"http://127.0.0.1:{server.server_address[1]}")
    server.line = line  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield line
    finally:
        line.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms between its head and its body

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests' output is not the place."""

    @property
    def line(self) -> Line:
        return self.server.line  # type: ignore[attr-defined,no-any-return]

    def _pass(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        self.line.asked.append(Asked(self.command, self.path, dict(headers)))
        is_file = self.command == "GET" and "/resolve/" in self.path
        if is_file and self.line.elsewhere:
            self._send(302, [("Location", self.line.elsewhere + self.path), ("Content-Length", "0")], b"")
            return
        if self.line.deaf:
            headers.pop("range", None)
        at = urlsplit(self.line.hub)
        connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=60)
        try:
            connection.request(self.command, self.path, body, headers)
            self._pass_back(connection.getresponse(), is_file)
        finally:
            connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815  # the names that the base class calls

    def _pass_back(self, answer: http.client.HTTPResponse, is_file: bool) -> None:
        body = answer.read()
        if self.line.changed and self.command != "HEAD":
            body = self.line.changed(self.path, body)
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _SKIPPED]
        if self.command != "HEAD":
            kept = [pair for pair in kept if pair[0].lower() != "content-length"] + [("Content-Length", str(len(body)))]
        self._send(answer.status, kept, body, is_file)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes, is_file: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        for start in range(0, len(body), _PIECE):
            piece = body[start : start + _PIECE]
            if is_file and not self._passes(piece):
                self.close_connection = True
                return
            if not is_file:
                self.wfile.write(piece)

    def _passes(self, piece: bytes) -> bool:
        """Let a piece of a file through, or as much of it as may; False where the line broke."""
        line = self.line
        sent = piece if line.left is None else piece[: line.left]
        line.moved += len(sent)  # before whoever gets it can go on and look
        try:
            self.wfile.write(sent)
            self.wfile.flush()
        except OSError:  # nobody listens any more
            line.moved -= len(sent)
            return False
        if line.left is None:
            return True
        line.left -= len(sent)
        if len(sent) == len(piece):
            return True
        if line.stalls:
            line.silent.set()
            line.go_on.wait(60)
        return False
