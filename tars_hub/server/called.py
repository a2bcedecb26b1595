"""What a hub that listens on its own machine alone lets itself be called."""

from __future__ import annotations

from collections.abc import Collection

from tars_hub.listening import called, is_called
from tars_hub.server.errors import MisdirectedError


def check_called(host: str, names: Collection[str]) -> None:
    """Check the Host header of a request, as `is_called` does.

    Raises:
        MisdirectedError: it names another.
    """
    if not is_called(host, names):
        raise MisdirectedError(
            f"this hub listens on its own machine alone, and is not called {called(host)[:100]!r}; "
            "whoever runs it names the address that others know it by: tars hub serve --public-url URL"
        )
