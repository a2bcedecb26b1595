"""What the catalogue could not do, said to the rules, which say it to clients."""

from __future__ import annotations


class TakenError(Exception):
    """The name is taken."""


class RefMovedError(Exception):
    """A ref is not where the change begins; `args[0]` is its name."""


class StaleError(Exception):
    """A discussion is not there any more, or not in the status that the change begins at."""


class GoneError(Exception):
    """What is to be named was freed meanwhile, as nothing named it; `args[0]` says what: "content 4f…"."""
