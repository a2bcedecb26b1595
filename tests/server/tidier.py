"""Tidy a hub without end, as a process of its own: `python -m tests.server.tidier FOLDER GRACE_S JOURNAL`.

Each run is written down as a line of JSON: what it freed, and how long it held others up at most. When the first
begins, it prints a line.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from tars_hub.server.catalog.engine import Database
from tars_hub.server.settings import Settings
from tars_hub.server.start import opened
from tars_hub.server.tidy import tidy

longest_s = 0.0
_writing = Database.writing


@contextmanager
def _timed(self: Database) -> Iterator[Connection]:
    global longest_s  # noqa: PLW0603
    began = 0.0
    try:
        with _writing(self) as connection:
            began = time.monotonic()
            yield connection
    finally:
        longest_s = max(longest_s, time.monotonic() - began)


def main(folder: str, grace_s: str, journal: str) -> None:
    Database.writing = _timed  # type: ignore[method-assign]
    with opened(Settings(data=Path(folder))) as hub, Path(journal).open("a") as lines:
        sys.stdout.write("tidying\n")
        sys.stdout.flush()
        while True:
            began = time.monotonic()
            found = tidy(hub, grace=timedelta(seconds=float(grace_s)))
            facts = {**asdict(found), "took_s": time.monotonic() - began, "longest_s": longest_s}
            lines.write(json.dumps(facts) + "\n")
            lines.flush()
            time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
