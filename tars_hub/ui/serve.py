"""Serve a page: what Gradio is told, the server, and its end, which leaves no visitor's picture behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tars_hub.listening import address_of, listening, names_here, serving
from tars_hub.private_folder import private_folder
from tars_hub.ui.mount import PageMount

if TYPE_CHECKING:
    import gradio as gr

    from tars_hub.exhibits import Models

_UPLOADS = "tars-uploads-"


@contextmanager
def page_environment(*, host: str = "127.0.0.1", uploads: Path | None = None) -> Iterator[None]:
    """Set what Gradio takes from the environment; visitors' pictures go when the block ends, however it ends.

    SIGTERM and a closed terminal leave the block as SystemExit. Pages are built and served within it.

    Args:
        uploads: as `page_server` takes it.
    """
    with _signals_exit(), private_folder(_UPLOADS, uploads) as folder, _environment(_gradio_settings(folder, host)):
        yield


@contextmanager
def page_server(
    build: Callable[[], gr.Blocks],
    *,
    models: Models | None = None,
    mcp: bool = False,
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
        models: what is asked by plain HTTP, besides Gradio's; without it, nothing is.
        mcp: language models may ask them, too, by the Model Context Protocol.
        host: where it listens. On this machine alone the page answers to no other name.
        port: as `free_port` found it.
        uploads: the folder that gets the private folder for visitors' pictures; without it, the
            system's for temporary files.

    Raises:
        UsageError: the port was taken meanwhile.
    """
    # What an earlier page left is removed before anybody can ask this one.
    with page_environment(host=host, uploads=uploads), listening(host, port) as listener:
        mount = PageMount("", names=names_here(listener, host))
        with serving(mount, listener) as loop, mount.showing(build, loop, models=models, mcp=mcp):
            url = f"{address_of(listener)}/"
            if open_browser:
                webbrowser.open(url)
            yield url


def wait_until_interrupted() -> None:
    """Return at Ctrl-C."""
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


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
