"""Serve the hub: a port, the server in a thread, and its end."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import shlex
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from tars_hub.errors import TarsError, UsageError
from tars_hub.server.errors import UnauthorizedError
from tars_hub.server.rules.tokens import caller_of
from tars_hub.server.start import OWNER_TOKEN, owner_token

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tars_hub.server.hub import Hub

_BACKLOG = 2048
_GRACE_S = 3  # for requests that are being answered when the end comes


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; who connects waits until `serving` answers.

    Args:
        port: 0 takes any that is free.

    Raises:
        UsageError: the port is taken, or there is no listening there.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _no_listening(host, port, error) from error
    with listener:
        try:
            if os.name == "posix":  # elsewhere it would let two servers share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise _no_listening(host, port, error) from error
        yield listener


def _no_listening(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(f"port {port} is taken on {host}; name another with --port, or --port 0 for any")
    return UsageError(f"cannot listen on {host}, port {port}: {error.strerror or error}")


def address_of(listener: socket.socket) -> str:
    """The address by which this machine reaches it, without a slash at its end."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_open_to_others(listener: socket.socket) -> bool:
    """Whether other machines may reach it."""
    return not ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def names_of(hub: Hub, listener: socket.socket, host: str) -> frozenset[str] | None:
    """What requests may call the hub by besides localhost; None for anything, as where others may reach it.

    Args:
        host: what it was told to listen on.
    """
    if hub.settings.public_url or is_open_to_others(listener):
        return None
    return frozenset({host.strip("[]").lower()})


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[asyncio.AbstractEventLoop]:
    """Serve while the `with` block runs, in a thread; gives its event loop.

    At the end, requests that are being answered get a few seconds to be done.

    Raises:
        TarsError: the server could not start.
    """
    server = _Server(
        uvicorn.Config(
            app,
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # nobody but --public-url says what the hub is called
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    thread = threading.Thread(target=server.run_on, args=(listener,), name="hub", daemon=True)
    thread.start()
    try:
        yield server.begun.result()
    finally:
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        server.should_exit = True
        thread.join()
        logging.getLogger("uvicorn.error").removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Not that the end cuts off what is being answered, with a traceback each."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError) and not record.getMessage().startswith("Cancel ")


class _Server(uvicorn.Server):
    """
    Attributes:
        begun: its event loop, once it answers.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun: Future[asyncio.AbstractEventLoop] = Future()

    def run_on(self, listener: socket.socket) -> None:
        try:
            self.run(sockets=[listener])
        except BaseException as error:  # SystemExit is uvicorn's way to say it; here a thread would end without a word
            if self.begun.done():
                raise
            self.begun.set_exception(TarsError(f"the server could not start: {error}"))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set_result(asyncio.get_running_loop())


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
