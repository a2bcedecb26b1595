"""`tars hub serve` as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

_WITHIN_S = 180  # to start or to end, on a machine that does much else; who dies before is not waited for


@dataclass
class Served:
    """A server's process.

    Attributes:
        log: what it says, on both streams.
        begins: where in the log that begins, in bytes; another process may have written there before.
        url: where it answers, without a slash at the end.
        came_up_s: how long it took to say so, which tells how busy the machine is.
    """

    process: subprocess.Popen[bytes]
    log: Path
    begins: int = 0
    url: str = ""
    came_up_s: float = 0.0

    def said(self) -> str:
        return self.log.read_bytes()[self.begins :].decode(errors="replace")

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, trust_env=False, **{"timeout": 60, **options})

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(_WITHIN_S)

    def wait_until_it_answers(self, *, line: str) -> None:
        began = time.monotonic()
        while time.monotonic() - began < _WITHIN_S:
            found = re.search(line, self.said())
            if found:
                self.url = found[1].removesuffix("/")
                self.came_up_s = time.monotonic() - began
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"it did not come up, and said:\n{self.said()}")


def launch(command: list[str], log: Path, **options: Any) -> Served:
    """Start a server's process, which may not answer yet."""
    with log.open("ab") as stream:
        begins = log.stat().st_size
        # A shell's background jobs, and so the tests that run in one, are started deaf to Ctrl-C.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, **options)
        signal.signal(signal.SIGINT, before)
    return Served(process, log, begins)


@contextmanager
def running(command: list[str], *, line: str, **options: Any) -> Iterator[Served]:
    """A server's process, once it has said a line with its address; killed at the end if it still runs."""
    with tempfile.TemporaryDirectory(prefix="tars-said-") as folder:
        server = launch(command, Path(folder) / "log", **options)
        try:
            server.wait_until_it_answers(line=line)
            yield server
        finally:
            if server.process.poll() is None:
                server.process.terminate()
            try:
                server.process.wait(_WITHIN_S)
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()


@contextmanager
def served(*flags: str, environment: dict[str, str] | None = None) -> Iterator[Served]:
    """`tars hub serve` on any free port, once it says where to push."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
    command = [sys.executable, "-m", "tars_hub", "hub", "serve", "--port", "0", *flags]
    line = r"the hub answers at (\S+)[\s\S]*hf upload \S+ FOLDER"
    with running(command, line=line, env=env) as hub:
        yield hub
