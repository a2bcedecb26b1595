"""Peers in processes of their own (benchmarks/asked.py), asked in turns, so that all meet the same weather."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

Key = TypeVar("Key")
Rounds = list[float] | str
"""A figure of each round, or why there are none."""


class FailedError(Exception):
    """A peer cannot; the message is why."""


class Worker:
    """A peer's process, which has loaded nothing yet."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, what: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # as JSON has it
        """See benchmarks/asked.py. Raises FailedError."""
        line, to, back = "", self._process.stdin, self._process.stdout
        try:
            print(json.dumps({"do": what, **more}), file=to, flush=True)
            line = back.readline() if back else ""
        except BrokenPipeError:
            pass
        if not line:
            raise FailedError(f"its process ended with {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        if "failed" in found:
            raise FailedError(found["failed"])
        return found


@contextmanager
def worker(peer: str, name: str, models: Path) -> Iterator[Worker]:
    """A new process, on the processor alone and without a network."""
    command = [sys.executable, str(Path(__file__).with_name("asked.py")), peer, name, str(models)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "TARS_CACHE": str(models / "cache")}
    environment.pop("TARS_ENGINE", None)
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    try:
        yield Worker(process)
    finally:
        process.kill()
        process.wait()
        for end in (process.stdin, process.stdout):
            if end:
                end.close()


def in_turns(
    what: str, peers: dict[str, Key], ask: Callable[[Key], float], rounds: int, *, warm_up: bool = True
) -> dict[str, Rounds]:
    """A figure of each peer in each round; a peer that fails once is out.

    Args:
        warm_up: begin with a round that does not count.
    """
    found: dict[str, Rounds] = {peer: [] for peer in peers}
    for number in range(0 if warm_up else 1, rounds + 1):
        for peer, key in peers.items():
            figures = found[peer]
            if isinstance(figures, str):
                continue
            try:
                figure = ask(key)
            except FailedError as failed:
                found[peer] = str(failed)
                continue
            if number:
                figures.append(figure)
        print(f"{what}: round {number} of {rounds}", file=sys.stderr, flush=True)
    return found
