"""What a run says while it works: lines on standard output, progress bars on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from tqdm import tqdm

from tars_hub.config import printable
from tars_hub.errors import PictureError


class Console:
    """The only place of the trainer that prints. Names each broken picture once and counts them."""

    def __init__(self) -> None:
        self.broken: dict[str, PictureError] = {}
        self._silent = False

    def only_if(self, *, main: bool) -> None:
        """Of several processes one speaks."""
        self._silent = not main

    def line(self, text: str) -> None:
        """One line, above a bar that may be running."""
        if self._silent:
            return
        tqdm.write(printable(text), file=sys.stdout)
        sys.stdout.flush()

    def report_broken(self, errors: Iterable[PictureError]) -> None:
        """Name pictures that were skipped, each once in a run."""
        for error in errors:
            if error.name not in self.broken:
                self.broken[error.name] = error
                self.line(f"skipped {error}")

    def bar(self, title: str, pictures: int) -> tqdm:
        """A bar over pictures: how many, how fast, how long still."""
        live = sys.stderr.isatty()
        every = 0.1 if live else 10.0  # seconds; a log file wants few lines, and each bar's end among them
        return tqdm(
            total=pictures,
            desc=title,
            unit=" pictures",
            mininterval=every,
            leave=not live,
            dynamic_ncols=True,
            disable=self._silent,
        )
