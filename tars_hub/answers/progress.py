"""How far a run is: a bar on standard error, where that is a terminal and there is more than a moment's work."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from threading import Event, Thread
from types import TracebackType
from typing import Any

_PATIENCE_S = 1.0  # work that is done by then needs no bar


class Progress:
    """Counts answers, and shows them."""

    def __init__(self, names: Callable[[], Iterable[str]] | None, *, done: int = 0) -> None:
        """
        Args:
            names: gives all names once more, to count them beside the work; None where they come once.
            done: answers that an earlier run has left.
        """
        self._names = names
        self._bar: Any = None  # tqdm, which carries no types
        self._done = self._before = done
        self._began = time.monotonic()
        self._is_seen = sys.stderr is not None and sys.stderr.isatty()
        self._counter = Thread()
        self._ended = Event()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._ended.set()
        if self._bar is not None:
            self._bar.close()

    @property
    def rate(self) -> float:
        """Answers a second, of this run."""
        return (self._done - self._before) / max(time.monotonic() - self._began, 1e-9)

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()
        elif self._is_seen and time.monotonic() - self._began > _PATIENCE_S:
            self._show()

    def line(self, text: str, say: Callable[[str], None]) -> None:
        """Say a line, above the bar where both are seen."""
        if self._bar is None or not sys.stdout.isatty():
            say(text)
            return
        with self._bar.external_write_mode():
            say(text)

    def _show(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(desc="answering", unit=" pictures", initial=self._before, dynamic_ncols=True, leave=False)
        self._bar.start_t = self._bar.last_print_t = self._bar.start_t - (time.monotonic() - self._began)
        self._bar.update(self._done - self._before)
        if self._names is not None:
            self._counter = Thread(target=self._count, args=(self._names(),), daemon=True)
            self._counter.start()

    def _count(self, names: Iterable[str]) -> None:
        found = 0
        for _ in names:
            found += 1
            if self._ended.is_set():
                return
        self._bar.total = found
