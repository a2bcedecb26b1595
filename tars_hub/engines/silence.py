"""What exporters print."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

from tars_hub.errors import ModelError, TarsError


@contextlib.contextmanager
def silently(what: str) -> Iterator[None]:
    """Without remarks of other programs; what they raise is one line that begins with `what`.

    Holds for the whole process: for a command that does nothing else meanwhile.

    Raises:
        ModelError: they failed. Errors of this project and of the system pass as they are.
    """
    level = logging.root.manager.disable
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            logging.disable(logging.CRITICAL)
            yield
    except (TarsError, OSError, MemoryError):
        raise
    except Exception as error:  # exporters raise dozens of kinds
        raise ModelError(f"{what} ({type(error).__name__}: {' '.join(str(error).split())[:200]})") from error
    finally:
        logging.disable(level)
