"""A port, a server that answers there in a thread, and the names it answers to. Knows no hub and no page."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import socket
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import uvicorn

from tars_hub.errors import TarsError, UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_BACKLOG = 2048
_GRACE_S = 3  # for requests that are being answered when the end comes
_PORTS_TRIED = 100
_LAST_PORT = 65535


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; who connects waits until `serving` answers.

    Args:
        port: 0 takes any that is free.

    Raises:
        UsageError: the port is taken, or there is no listening there.
    """
    try:
        family, kind, protocol, _, address = _place(host, port)
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _no_listening(host, port, error) from error
    with listener:
        try:
            _bind(listener, address)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise _no_listening(host, port, error) from error
        yield listener


def free_port(host: str, port: int) -> int:
    """`port`, or the next above it that nobody listens on.

    Raises:
        UsageError: none of the next hundred is free, or there is no listening at `host` at all.
    """
    for candidate in range(port, min(port + _PORTS_TRIED, _LAST_PORT + 1)):
        if _can_listen(host, candidate):
            return candidate
    raise UsageError(f"port {port} and all up to {candidate} are taken on {host}; name another")


def _can_listen(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = _place(host, port)
        with socket.socket(family, kind, protocol) as probe:
            _bind(probe, address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise _no_listening(host, port, error) from error
    return True


def _place(host: str, port: int) -> tuple[Any, ...]:
    """Family, kind, protocol, name and address, as sockets take them."""
    return socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]


def _bind(listener: socket.socket, address: Any) -> None:  # noqa: ANN401  # its shape is the family's
    if os.name == "posix":  # elsewhere it would let two servers share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)


def _no_listening(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(f"port {port} is taken on {host}; name another with --port")
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


def names_here(listener: socket.socket, host: str) -> frozenset[str] | None:
    """What requests may call this machine by besides localhost; None for anything, as where others may reach it.

    Args:
        host: what it was told to listen on.
    """
    return None if is_open_to_others(listener) else frozenset({host.strip("[]").lower()})


def is_called(host: str, names: Collection[str]) -> bool:
    """Whether the Host header of a request names this machine.

    A page of another site can have a browser ask this machine under that site's name (DNS rebinding), and would
    then read the answers as its own. The name it asks for gives that away.

    Args:
        names: in lower case, that are believed besides those that are always this machine.
    """
    name = called(host)
    return not name or name in names or _is_here(name)


def called(host: str) -> str:
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
            proxy_headers=False,  # who asks does not say what this is called, nor who they are
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    thread = threading.Thread(target=server.run_on, args=(listener,), name="server", daemon=True)
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
