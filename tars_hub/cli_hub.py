"""`tars hub …`: what the commands take, and the lines they say. Prints nothing itself but a bar on standard error."""

from __future__ import annotations

import argparse
import socket
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tars_hub import cli_accounts, cli_housekeeping
from tars_hub.cli_data import Say, add_data, data_of, kept
from tars_hub.config import printable
from tars_hub.errors import UsageError

if TYPE_CHECKING:
    from tars_hub.server.additions import Addition
    from tars_hub.server.hub import Hub

_OWNER = "owner"


def add_hub(parser: argparse.ArgumentParser, *, say: Say) -> None:
    """The commands of `tars hub` and their flags."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="run the hub"), say)
    cli_accounts.add_accounts(commands, say=say)
    cli_housekeeping.add_housekeeping(commands, say=say)
    check = commands.add_parser("check", help="read every byte that the hub keeps, and say what is wrong")
    add_data(check)
    check.set_defaults(command=lambda given: _check(given, say))


def _add_serve(parser: argparse.ArgumentParser, say: Say) -> None:
    add_data(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine alone)"
    )
    parser.add_argument("--port", type=port, default=7860, help="default 7860; 0 takes any that is free")
    parser.add_argument(
        "--public-url", default="", metavar="URL", help="the address that others know the hub by, behind a proxy"
    )
    parser.add_argument(
        "--owner", default=_OWNER, metavar="NAME", help="the first user, made at the first start (default: owner)"
    )
    parser.add_argument(
        "--predict",
        action="store_true",
        help="answer about pictures, too, at /api/models/OWNER/NAME/predict: each model for those who may download it",
    )
    parser.set_defaults(command=lambda given: _serve(given, say))


def port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; they go from 0, any that is free, to 65535")
    return int(text)


def _serve(given: argparse.Namespace, say: Say) -> int:
    from tars_hub.listening import listening, serving
    from tars_hub.server.app import create_app
    from tars_hub.server.serve import end_by_signals, names_of, owner_lines, tell
    from tars_hub.server.settings import Limits, Settings
    from tars_hub.server.start import OWNER_TOKEN, first_owner, opened

    settings = Settings(data=data_of(given), public_url=_address(given.public_url), limits=Limits.from_environment())
    with (
        end_by_signals() as end,
        listening(given.host, given.port) as listener,
        opened(settings, serving=True) as hub,
        serving(
            create_app(hub, additions=_additions(given, hub, listener), names=names_of(hub, listener, given.host)),
            listener,
        ),
    ):
        token = first_owner(hub, given.owner)
        if token is not None:
            for line in owner_lines(given.owner, token, settings.data / OWNER_TOKEN):
                say(line)
        elif hub.catalog.accounts.user(given.owner) is None and given.owner != _OWNER:
            say(f"--owner {given.owner} is for the first start of a hub; this one has its users")
        tell(hub, listener, say=say)
        if given.predict:
            say("pictures are answered at /api/models/OWNER/NAME/predict; its page /docs says how")
        end.wait()
    return 0


def _additions(given: argparse.Namespace, hub: Hub, listener: socket.socket) -> list[Addition]:
    if not given.predict:
        return []
    from tars_hub.beside import NearDoor, predicting
    from tars_hub.hub_models import HubModels, Limits
    from tars_hub.listening import address_of

    door = NearDoor(hub, address_of(listener))
    return [predicting(HubModels(door, "", limits=Limits.from_environment()))]


def _address(url: str) -> str:
    """
    Raises:
        UsageError: not of the kind that clients can be given.
    """
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"--public-url {url!r} is no address such as https://hub.example.org")
    return url.rstrip("/")


def _check(given: argparse.Namespace, say: Say) -> int:
    from tars_hub.server.check import check

    with kept(given) as hub, _Bar() as bar:
        problems = 0
        for problem in check(hub, bar.show):
            bar.say_above(problem, say)
            problems += 1
    if problems:
        say(f"{problems:,} wrong of {bar.all:,} checked")
        return 1
    say(f"all {bar.all:,} are as they should be, {bar.bytes_done:,} bytes")
    return 0


class _Bar:
    """How far a check is, on standard error where that is a terminal.

    Attributes:
        all: things to check.
        bytes_done: read so far.
    """

    def __init__(self) -> None:
        from tqdm import tqdm

        self.all = 0
        self.bytes_done = 0
        layout = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
        self._bar = tqdm(desc="checking", bar_format=layout, dynamic_ncols=True, disable=None, leave=False)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._bar.close()

    def show(self, done: int, in_all: int, bytes_done: int) -> None:
        self.all, self.bytes_done = in_all, bytes_done
        seconds = self._bar.format_dict["elapsed"]
        self._bar.total = in_all
        self._bar.set_postfix_str(f"{self._bar.format_sizeof(bytes_done / max(seconds, 1e-3))}B/s", refresh=False)
        self._bar.update(done - self._bar.n)

    def say_above(self, line: str, say: Say) -> None:
        with self._bar.external_write_mode():
            say(printable(line))
