"""The folder of a hub, as the commands of `tars hub` take it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tars_hub.errors import UsageError

if TYPE_CHECKING:  # the hub is imported where it is opened, so that help comes at once
    from tars_hub.server.hub import Hub

Say = Callable[[str], None]
Commands = Any
"""What `ArgumentParser.add_subparsers` returns; its class is argparse's own business."""
_DATA = "hub-data"


def add_data(parser: argparse.ArgumentParser) -> None:
    """`--data`."""
    parser.add_argument(
        "--data", type=_folder, metavar="DIR", help=f"the hub's folder (default: TARS_HUB_DATA, else {_DATA} here)"
    )


def _folder(text: str) -> Path:
    if not text:  # mostly a variable of the shell that is not set
        raise argparse.ArgumentTypeError("it is empty; name a folder")
    return Path(text)


def data_of(given: argparse.Namespace) -> Path:
    """The folder that was named, or the usual one."""
    data: Path = given.data or Path(os.environ.get("TARS_HUB_DATA") or _DATA)
    return data


@contextmanager
def kept(given: argparse.Namespace) -> Iterator[Hub]:
    """The hub that is in the folder; another process may serve it meanwhile. Raises UsageError."""
    from tars_hub.server.settings import Limits, Settings
    from tars_hub.server.start import CATALOG, opened

    data = data_of(given)
    if not (data / CATALOG).is_file():
        raise UsageError(f"{data}: no hub's folder; --data names another, and `tars hub serve` makes one")
    with opened(Settings(data=data, limits=Limits.from_environment())) as hub:
        yield hub
