"""`tars mirror …`: what it takes, and the lines it says. Prints nothing itself but a bar on standard error."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tars_hub.config import printable
from tars_hub.errors import TarsError, UsageError

if TYPE_CHECKING:
    from tars_hub.mirror.copying import Plan
    from tars_hub.mirror.hubs import Hub

Say = Callable[[str], None]
_UNITS = ("kB", "MB", "GB", "TB")
_GOES_ON = "the same command goes on where this one stopped"
_FROM_TOKEN = "TARS_MIRROR_FROM_TOKEN"  # noqa: S105  # a variable's name
_TO_TOKEN = "TARS_MIRROR_TO_TOKEN"  # noqa: S105
_TOKENS = (
    f"Tokens come from the environment: {_FROM_TOKEN} for the one side, {_TO_TOKEN} for the other. HF_TOKEN, or what "
    "`hf auth login` keeps, belongs to the hub at HF_ENDPOINT (without it huggingface.co) and is sent there alone."
)


def add_mirror(parser: argparse.ArgumentParser, *, say: Say) -> None:
    """The flags of `tars mirror`."""
    parser.epilog = _TOKENS
    parser.add_argument("repositories", nargs="+", metavar="OWNER/NAME[@REVISION]", help="branch, tag or commit")
    parser.add_argument(
        "--from", dest="source", metavar="URL", help="the hub to copy from (default: HF_ENDPOINT, huggingface.co)"
    )
    parser.add_argument(
        "--to", dest="target", metavar="URL", help="the hub to copy to (default: this machine's cache, for --offline)"
    )
    parser.add_argument("--as", dest="namespace", metavar="OWNER", help="with --to: the namespace they get there")
    parser.add_argument(
        "--public", action="store_true", help="with --to: new repositories are public where the source is"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be moved, and move nothing")
    parser.set_defaults(command=lambda given: _mirror(given, say))


def _mirror(given: argparse.Namespace, say: Say) -> int:
    from tars_hub.mirror.copying import plan_all
    from tars_hub.mirror.names import all_wanted

    if given.target is None and (given.namespace is not None or given.public):
        raise UsageError("--as and --public are about another hub; --to names it")
    wanted = all_wanted(given.repositories, given.namespace)
    source, target = _hubs(given)
    try:
        plans = plan_all(wanted, source, target)
        say(f"from {source.address} to {target.address if target else 'the cache of this machine'}")
        for line in _table(plans):
            say(line)
        if not given.dry_run:
            _copy_all(plans, given, say)
    except KeyboardInterrupt:
        say(f"interrupted; {_GOES_ON}")
        raise
    return 0


def _hubs(given: argparse.Namespace) -> tuple[Hub, Hub | None]:
    from huggingface_hub import constants, get_token

    from tars_hub.mirror.hubs import Hub
    from tars_hub.mirror.names import address_of, token_for

    home = address_of(constants.ENDPOINT)
    stored = get_token()

    def hub(address: str, variable: str) -> Hub:
        own = os.environ.get(variable)
        return Hub(address, token_for(address, own=own, stored=stored, stored_for=home), variable)

    source = hub(address_of(given.source) if given.source is not None else home, _FROM_TOKEN)
    return source, None if given.target is None else hub(address_of(given.target), _TO_TOKEN)


def _table(plans: Sequence[Plan]) -> list[str]:
    rows = [
        (_title(each), _files(len(each.source.files)), f"{_size(each.bytes_in_all)} in all", _to_move(each))
        for each in plans
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{title:{widths[0]}}  {files:>{widths[1]}}  {in_all:>{widths[2]}}  {rest}"
        for title, files, in_all, rest in rows
    ]


def _files(count: int) -> str:
    return f"{count:,} files" if count != 1 else "1 file"


def _to_move(each: Plan) -> str:
    if each.done:
        return "up to date"
    before = f", {_size(each.bytes_held)} of it fetched before" if each.bytes_held else ""
    gone = f", {len(each.change.gone):,} to delete" if each.change.gone else ""
    return f"{_size(each.bytes_to_move)} to move{before}{gone}"


def _title(each: Plan) -> str:
    as_name = "" if each.name == each.source.wanted.repo else f" as {each.name}"
    return printable(f"{each.source.wanted}{as_name}")


def _size(count: int) -> str:
    power = min((len(str(count)) - 1) // 3, len(_UNITS))
    return f"{count / 1000**power:.1f} {_UNITS[power - 1]}" if power else f"{count} bytes"


def _copy_all(plans: Sequence[Plan], given: argparse.Namespace, say: Say) -> None:
    """
    Raises:
        TarsError, OSError: one was not copied, after all the others were.
    """
    from tars_hub.mirror.copying import tidy

    failed: dict[str, TarsError | OSError] = {}
    touched: set[str] = set()
    for each in plans:
        if each.done:
            continue
        try:
            say(_copied(each, given, again=each.name in touched))
        except (TarsError, OSError) as error:
            failed[_title(each)] = error
            if len(plans) > 1:
                say(f"{_title(each)}  not copied: {printable(str(error))}")
        touched.add(each.name)
    for each in plans:
        if each.done and each.name not in touched:
            tidy(each)
    if failed:
        raise _summary(failed, len(plans))


def _summary(failed: dict[str, TarsError | OSError], in_all: int) -> TarsError:
    name, first = next(iter(failed.items()))
    if in_all == 1:
        return TarsError(f"{name} was not copied: {first}; {_GOES_ON}")
    return TarsError(f"{len(failed)} of {in_all} not copied: {', '.join(failed)}; {_GOES_ON}")


def _copied(planned: Plan, given: argparse.Namespace, *, again: bool) -> str:
    """Copy one and say so.

    Args:
        again: its repository at the target is no more what the plan was made for.
    """
    from tqdm import tqdm

    from tars_hub.mirror.copying import copy, plan

    if again:
        planned = plan(planned.source, planned.name, planned.target.hub if planned.target else None)
    if planned.done:
        return f"{_title(planned)}  up to date"
    with (
        _quiet_where_nobody_looks(),
        tqdm(
            total=planned.bytes_to_move,
            initial=planned.bytes_held,
            desc=_title(planned),
            unit="B",
            unit_scale=True,
            dynamic_ncols=True,
            disable=None,
            leave=False,
        ) as bar,
    ):
        commit = copy(planned, public=given.public, on_bytes=bar.update)
    return f"{_title(planned)}  {_outcome(planned, commit, given.public)}"


@contextmanager
def _quiet_where_nobody_looks() -> Iterator[None]:
    """The client shows how an upload goes, also in logs; not here."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _outcome(planned: Plan, commit: str, public: bool) -> str:
    if planned.target is None:
        return f"copied; --offline finds it ({commit[:12]})"
    tag = f", tagged {planned.source.wanted.revision}" if planned.source.kind == "tag" else ""
    where = f"copied: commit {commit[:12]} on {planned.target.branch}{tag}"
    if planned.target.head:
        return where
    return f"{where}; the repository is new and {'public' if public and planned.source.public else 'private'}"
