"""What a hub that listens on its own machine alone lets itself be called.

A page of another site can have a browser ask this machine under that site's name (DNS rebinding), and would then read
the answers as its own. The name it asks for gives that away.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from tars_hub.server.errors import MisdirectedError


def check_called(host: str, names: Collection[str]) -> None:
    """Check the Host header of a request.

    Args:
        names: in lower case, that are believed besides those that are always this machine.

    Raises:
        MisdirectedError: it names another.
    """
    name = _name(host)
    if name and name not in names and not _is_here(name):
        raise MisdirectedError(
            f"this hub listens on its own machine alone, and is not called {name[:100]!r}; "
            "whoever runs it names the address that others know it by: tars hub serve --public-url URL"
        )


def _name(host: str) -> str:
    """The header's name without its port, in lower case; what cannot be read stays as it is, and is no name."""
    try:
        return (urlsplit(f"//{host}").hostname or host).removesuffix(".")
    except ValueError:
        return host


def _is_here(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
