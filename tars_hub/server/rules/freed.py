"""What housekeeping frees while a request is on its way: said so that the client knows what to do.

Nothing that a commit names is ever freed. What was uploaded long ago and never committed is, and it may be named just
then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tars_hub.server.catalog.interface import GoneError
from tars_hub.server.errors import BusyError, FreedError


@contextmanager
def arriving() -> Iterator[None]:
    """Bytes came while those that were there already went. Raises BusyError: sent again, they are kept."""
    try:
        yield
    except GoneError as error:
        raise BusyError(f"{error.args[0]} was freed in this very moment; send it again") from None


@contextmanager
def naming() -> Iterator[None]:
    """Something is named that is not there any more. Raises FreedError."""
    try:
        yield
    except GoneError as error:
        what = f"{error.args[0]} was freed meanwhile, as nothing named it"
        raise FreedError(what if error.args[0].startswith("commit") else f"{what}; upload it again") from None
