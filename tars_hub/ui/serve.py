"""Serve a page: a free port, the server, and its end, which leaves no visitor's picture behind."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tars_hub.errors import UsageError
from tars_hub.ui.uploads import upload_folder

if TYPE_CHECKING:
    import gradio as gr

MAX_UPLOAD = "64mb"
_PORTS_TRIED = 100
_LAST_PORT = 65535


@contextmanager
def page_environment(*, host: str = "127.0.0.1", uploads: Path | None = None) -> Iterator[None]:
    """Set what Gradio takes from the environment; visitors' pictures go when the block ends, however it ends.

    SIGTERM and a closed terminal leave the block as SystemExit. Pages are built and served within it.

    Args:
        uploads: as `page_server` takes it.
    """
    with _signals_exit(), upload_folder(uploads) as folder, _environment(_gradio_settings(folder, host)):
        yield


@contextmanager
def page_server(
    build: Callable[[], gr.Blocks],
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = False,
    uploads: Path | None = None,
) -> Iterator[str]:
    """Serve a page while the `with` block runs; gives its address.

    The end may be the block's, Ctrl-C, SIGTERM or a closed terminal: the last two leave the block
    as SystemExit.

    Args:
        build: makes the page, as `lambda: build_page(…)`. It is called after Gradio's environment is set,
            and Gradio is best imported in it.
        port: as `free_port` found it.
        uploads: the folder that gets the private folder for visitors' pictures; without it, the
            system's for temporary files.

    Raises:
        UsageError: the port was taken meanwhile.
    """
    with page_environment(host=host, uploads=uploads):
        page = build()
        try:
            yield _launch(page, host=host, port=port, open_browser=open_browser)
        finally:
            page.close(verbose=False)


def wait_until_interrupted() -> None:
    """Return at Ctrl-C."""
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


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
        family, kind, *_, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            if sys.platform != "win32":  # there it would let two servers share a port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise UsageError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
    return True


def page_settings() -> dict[str, Any]:
    """What `launch` and `mount_gradio_app` are both told, and have other defaults for."""
    from tars_hub.ui.look import look

    return {
        "allowed_paths": [],
        "enable_monitoring": False,
        "footer_links": ["api"],
        "max_file_size": MAX_UPLOAD,
        "mcp_server": False,
        "pwa": False,
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
        **look(),
    }


def _launch(page: gr.Blocks, *, host: str, port: int, open_browser: bool) -> str:
    if not _can_listen(host, port):
        raise UsageError(f"port {port} is taken on {host}; name another")
    try:
        _, url, _ = page.launch(
            server_name=host,
            server_port=port,
            inbrowser=open_browser,
            inline=False,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            **page_settings(),
        )
    except OSError as error:  # taken in the last moment
        raise UsageError(f"cannot listen on {host}, port {port}: {error}") from error
    return str(url)


def _gradio_settings(folder: Path, host: str) -> dict[str, str]:
    """What Gradio takes from the environment alone."""
    # It asks its own server for a sign of life, which no proxy can see.
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY"), "localhost", "127.0.0.1", host]))
    return {
        "GRADIO_ANALYTICS_ENABLED": "False",
        # After every answer it would sum up the last 10,000 with pandas, for a monitoring page that is off.
        "GRADIO_ANALYTICS_MAX_EVENTS": "1",
        "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**12),
        "GRADIO_TEMP_DIR": str(folder),
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _signals_exit() -> Iterator[None]:
    """Turn the signals that would end the process on the spot into SystemExit, so that `finally` has its turn."""
    if threading.current_thread() is not threading.main_thread():  # Python allows no handlers there
        yield
        return
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # What somebody else handles, or ignores as nohup does, stays so.
    taken = [number for name in names if signal.getsignal(number := getattr(signal, name)) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _exit(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)  # as a shell counts a process that the signal ended
