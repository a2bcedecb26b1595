"""A peer (benchmarks/peers.py) in a process of its own; benchmarks/predict.py starts it and asks.

    python benchmarks/asked.py PEER NETWORK MODELS

Reads a JSON object a line and answers each with one: {"do": "answer", "picture": PATH, "times": 10} with the seconds
of each answer, {"do": "folder", "pictures": [PATH, …]} with the seconds of all; also "tune", "load", "peak". What fails
is answered {"failed": REASON}.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # instead of this folder

from benchmarks.peers import PEERS, Limit, Peer, Setting, timed  # noqa: E402


class Asked:
    """A peer that is loaded when first needed."""

    def __init__(self, peer: str, name: str, models: Path) -> None:
        self._load = partial(PEERS[peer], models, name)
        self._loaded: Peer | None = None
        self._best: Setting | None = None

    def do(self, wanted: dict[str, Any]) -> dict[str, Any]:
        what = wanted.pop("do")
        act: Callable[..., dict[str, Any]] = getattr(self, f"do_{what}")
        return act(**wanted)

    @property
    def peer(self) -> Peer:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def do_answer(self, picture: str, times: int) -> dict[str, Any]:
        data = Path(picture).read_bytes()
        return {"seconds": [timed(lambda: self.peer.answer(data))[0] for _ in range(times)]}

    def do_tune(self, pictures: list[str]) -> dict[str, Any]:
        """Choose the setting of `folder` by trying each, after one round to be warm."""
        settings = self.peer.settings
        if isinstance(self.peer, Limit):
            self.peer.choose_threads(Path(pictures[-1]).read_bytes())
        if len(settings) > 1:
            self.peer.folder(pictures, **settings[0])
        took = [timed(lambda one=one: self.peer.folder(pictures, **one))[0] for one in settings]  # type: ignore[misc]
        self._best = settings[took.index(min(took))]
        return {"setting": self._best}

    def do_folder(self, pictures: list[str]) -> dict[str, Any]:
        seconds, numbers = timed(lambda: self.peer.folder(pictures, **(self._best or self.peer.settings[0])))
        return {"seconds": seconds, "numbers": numbers}

    def do_load(self) -> dict[str, Any]:
        """The second time, when all that Python has to import is there."""
        self._load()
        return {"seconds": timed(self._load)[0]}

    def do_peak(self) -> dict[str, Any]:
        return {"bytes": peak_bytes()}


def peak_bytes() -> int:
    """The most memory that this process had at once; getrusage would count what its parent had at its birth."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) << 10
    import psutil

    return int(psutil.Process().memory_info().rss)


def main() -> None:
    peer, name, models = sys.argv[1:]
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print is not ours to read
    asked = Asked(peer, name, Path(models))
    for line in sys.stdin:
        try:
            found = asked.do(json.loads(line))
        except Exception as error:  # whatever a peer may raise is its row of the table
            found = {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(found), file=replies, flush=True)


if __name__ == "__main__":
    main()
