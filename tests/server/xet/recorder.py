"""A hub that takes every xorb and shard unseen and writes down what the client sent, to try the formats on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Recorder:
    """What came, and what to answer to dedup questions (by the text form of the chunk's hash)."""

    endpoint: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)

    def xorbs(self) -> dict[str, bytes]:
        """Return the serialized xorbs by the hash in their URL."""
        return {
            request.path.rpartition("/")[2]: request.body
            for request in self.requests
            if request.method == "POST" and "/xorbs/" in request.path
        }

    def shards(self) -> list[bytes]:
        """Return the shards in the order in which they came."""
        return [request.body for request in self.requests if request.path.endswith("/shards") and _taken(request.path)]

    def questions(self) -> list[str]:
        """Return the hashes of the chunks that the client asked about."""
        return [request.path.rpartition("/")[2] for request in self.requests if "/chunks/" in request.path]


@contextmanager
def recording() -> Iterator[Recorder]:
    """Run a recorder on a port of its own."""
    recorder = Recorder()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.recorder = recorder
    recorder.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _taken(path: str) -> bool:
    # 404 on the newest routes: the client then falls back to those that every version knows.
    return not path.startswith(("/v2/", "/v1/xorb-grants/", "/v1/telemetry"))


class _Server(ThreadingHTTPServer):
    recorder: Recorder


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._record()
        if self.path.startswith("/token"):
            token = {"accessToken": "t", "exp": int(time.time()) + 3600, "casUrl": self.server.recorder.endpoint}
            self._answer(200, json.dumps(token).encode())
        elif (name := self.path.rpartition("/")[2]) in self.server.recorder.answers:
            self._answer(200, self.server.recorder.answers[name])
        else:
            self._answer(404, b"{}")

    def do_POST(self) -> None:
        self._record()
        if _taken(self.path):
            self._answer(200, b'{"result": 1}' if self.path.endswith("/shards") else b'{"was_inserted": true}')
        else:
            self._answer(404, b"{}")

    def log_message(self, *_: Any) -> None:
        pass

    def _record(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._read_chunked()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.recorder.requests.append(Request(self.command, self.path, dict(self.headers), body))

    def _read_chunked(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
