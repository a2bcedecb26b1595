"""`tars hub …`: what the commands take, and the lines they say. Prints nothing itself but a bar on standard error."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from tars_hub.config import printable
from tars_hub.errors import UsageError

Say = Callable[[str], None]
_DATA = "hub-data"
_OWNER = "owner"


def add_hub(parser: argparse.ArgumentParser, *, say: Say) -> None:
    """The commands of `tars hub` and their flags."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="run the hub"), say)
    users = commands.add_parser("user", help="who may have models here").add_subparsers(
        required=True, metavar="COMMAND"
    )
    _add_user(users.add_parser("add", help="add a user, who owns the namespace of that name"), say)
    tokens = commands.add_parser("token", help="what users log in with").add_subparsers(
        required=True, metavar="COMMAND"
    )
    _add_token(tokens.add_parser("create", help="make a token for a user, and print it alone"), say)
    check = commands.add_parser("check", help="read every byte that the hub keeps, and say what is wrong")
    _add_data(check)
    check.set_defaults(command=lambda given: _check(given, say))


def _add_serve(parser: argparse.ArgumentParser, say: Say) -> None:
    _add_data(parser)
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
    parser.set_defaults(command=lambda given: _serve(given, say))


def _add_user(parser: argparse.ArgumentParser, say: Say) -> None:
    parser.add_argument("name", metavar="NAME")
    _add_data(parser)
    parser.set_defaults(command=lambda given: _user_add(given, say))


def _add_token(parser: argparse.ArgumentParser, say: Say) -> None:
    parser.add_argument("user", metavar="USER")
    roles = parser.add_mutually_exclusive_group()
    roles.add_argument("--read", dest="role", action="store_const", const="read", help="it may read (the default)")
    roles.add_argument("--write", dest="role", action="store_const", const="write", help="it may read and write")
    parser.add_argument("--label", default="", metavar="TEXT", help="what it is for, such as the machine that gets it")
    _add_data(parser)
    parser.set_defaults(role="read", command=lambda given: _token_create(given, say))


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=_folder, metavar="DIR", help=f"the hub's folder (default: TARS_HUB_DATA, else {_DATA} here)"
    )


def _folder(text: str) -> Path:
    if not text:  # mostly a variable of the shell that is not set
        raise argparse.ArgumentTypeError("it is empty; name a folder")
    return Path(text)


def port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; they go from 0, any that is free, to 65535")
    return int(text)


def _data(given: argparse.Namespace) -> Path:
    data: Path = given.data or Path(os.environ.get("TARS_HUB_DATA") or _DATA)
    return data


def _kept(given: argparse.Namespace) -> Path:
    """The folder of a hub that is there. Raises UsageError."""
    from tars_hub.server.start import CATALOG

    data = _data(given)
    if not (data / CATALOG).is_file():
        raise UsageError(f"{data}: no hub's folder; --data names another, and `tars hub serve` makes one")
    return data


def _serve(given: argparse.Namespace, say: Say) -> int:
    from tars_hub.server.app import create_app
    from tars_hub.server.serve import end_by_signals, listening, owner_lines, serving, tell
    from tars_hub.server.settings import Limits, Settings
    from tars_hub.server.start import OWNER_TOKEN, first_owner, opened

    settings = Settings(data=_data(given), public_url=_address(given.public_url), limits=Limits.from_environment())
    with (
        end_by_signals() as end,
        listening(given.host, given.port) as listener,
        opened(settings, serving=True) as hub,
        serving(create_app(hub), listener),
    ):
        token = first_owner(hub, given.owner)
        if token is not None:
            for line in owner_lines(given.owner, token, settings.data / OWNER_TOKEN):
                say(line)
        elif hub.catalog.accounts.user(given.owner) is None and given.owner != _OWNER:
            say(f"--owner {given.owner} is for the first start of a hub; this one has its users")
        tell(hub, listener, say=say)
        end.wait()
    return 0


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


def _user_add(given: argparse.Namespace, say: Say) -> int:
    from tars_hub.server.rules.accounts import add_user
    from tars_hub.server.settings import Settings
    from tars_hub.server.start import opened

    with opened(Settings(data=_kept(given))) as hub:
        name = add_user(hub, given.name).name
    say(f"added {name}; `tars hub token create {name} --write` lets them push")
    return 0


def _token_create(given: argparse.Namespace, say: Say) -> int:
    from tars_hub.server.rules.tokens import create_token
    from tars_hub.server.settings import Settings
    from tars_hub.server.start import opened

    with opened(Settings(data=_kept(given))) as hub:
        say(create_token(hub, given.user, role=given.role, label=given.label))
    return 0


def _check(given: argparse.Namespace, say: Say) -> int:
    from tars_hub.server.check import check
    from tars_hub.server.settings import Settings
    from tars_hub.server.start import opened

    with opened(Settings(data=_kept(given))) as hub, _Bar() as bar:
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
