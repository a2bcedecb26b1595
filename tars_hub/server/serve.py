"""Serve the hub: what it is called, its end, and what it tells of itself."""

from __future__ import annotations

import shlex
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tars_hub.listening import address_of, is_open_to_others, names_here
from tars_hub.server.errors import UnauthorizedError
from tars_hub.server.rules.tokens import caller_of
from tars_hub.server.start import OWNER_TOKEN, owner_token

if TYPE_CHECKING:
    from tars_hub.server.hub import Hub


def names_of(hub: Hub, listener: socket.socket, host: str) -> frozenset[str] | None:
    """What requests may call the hub by besides localhost; None for anything, as where others may reach it.

    Args:
        host: what it was told to listen on.
    """
    return None if hub.settings.public_url else names_here(listener, host)


@contextmanager
def end_by_signals() -> Iterator[threading.Event]:
    """Give what a service manager's SIGTERM and a closed terminal set; Ctrl-C is KeyboardInterrupt, as ever."""
    end = threading.Event()
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # What somebody else handles, or ignores as nohup does, stays so.
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, lambda *_: end.set())
    try:
        yield end
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def owner_lines(owner: str, token: str, kept: Path) -> list[str]:
    """What is said at the very first start, and never again."""
    return [
        f"this hub's owner is {owner}, and this is their token, shown this once:",
        f"  {token}",
        f"{kept} keeps it, readable by you alone",
    ]


def push_lines(hub: Hub, url: str) -> list[str]:
    """How to push to this hub from a shell."""
    owner, kept = owner_name(hub), hub.settings.data / OWNER_TOKEN
    token = f'"$(cat {shlex.quote(str(kept))})"' if owner else "TOKEN"
    return [
        "to push to it from a shell:",
        f"  export HF_ENDPOINT={url}",
        f"  export HF_TOKEN={token}",
        f"  hf upload {owner or 'USER'}/my-model FOLDER",
    ]


def owner_name(hub: Hub) -> str:
    """Whose token lies in the data folder; empty where none does, or none that is good."""
    try:
        return caller_of(hub, owner_token(hub.settings)).name
    except UnauthorizedError:
        return ""


def tell(hub: Hub, listener: socket.socket, *, say: Callable[[str], None]) -> None:
    """Say where the hub is and how to push to it."""
    url = hub.settings.public_url or address_of(listener)
    here = f", and listens at {address_of(listener)}" if hub.settings.public_url else ""
    say(f"the hub answers at {url}{here} (Ctrl-C stops it)")
    if is_open_to_others(listener) and not hub.settings.public_url.startswith("https:"):
        say("other machines may reach it, and over plain http: whoever is in between can read tokens and models")
    for line in push_lines(hub, url):
        say(line)
