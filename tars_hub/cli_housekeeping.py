"""`tars hub gc` and `stats`: free what nothing names, and say what holds the space, beside a hub that runs."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from tars_hub.cli_data import Commands, Say, add_data, data_of, kept
from tars_hub.config import printable

if TYPE_CHECKING:
    from tars_hub.server.stats import Share, Stats
    from tars_hub.server.tidy import Tidied

_GRACE_DAYS, _MOST_DAYS = 30.0, 36_500.0
_SHOWN = 20
_LOCK = "gc.lock"


def add_housekeeping(commands: Commands, *, say: Say) -> None:
    """The two commands."""
    gc = commands.add_parser(
        "gc", help="free what no branch, tag or pull request names, and what was not offered to anybody for a while"
    )
    add_data(gc)
    _add_grace(gc)
    gc.add_argument("--dry-run", action="store_true", help="change nothing, and say what would be freed")
    gc.set_defaults(command=lambda given: _gc(given, say))
    stats = commands.add_parser("stats", help="what holds the space, by owner and by repository")
    add_data(stats)
    _add_grace(stats)
    stats.add_argument("--json", action="store_true", help="exact numbers of everything")
    stats.set_defaults(command=lambda given: _stats(given, say))


def _add_grace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--grace-days",
        type=_days,
        default=_GRACE_DAYS,
        metavar="DAYS",
        help=f"how long everything stays after it was last offered to a client (default {_GRACE_DAYS:g}); under an "
        "hour, pushes that are under way may have to begin again",
    )


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 <= days <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days; from 0 to {_MOST_DAYS:g} would do")
    return days


def _gc(given: argparse.Namespace, say: Say) -> int:
    from tars_hub.server.start import locked
    from tars_hub.server.tidy import tidy

    refusal = f"another `tars hub gc` is at work in {data_of(given)}; wait for its end"
    began = time.monotonic()
    with kept(given) as hub, locked(hub.settings.data, _LOCK, refusal), Steps() as steps:
        found = tidy(hub, grace=timedelta(days=given.grace_days), dry_run=given.dry_run, progress=steps.show)
    for line in _tidied_lines(found, given.grace_days, dry_run=given.dry_run):
        say(line)
    say(f"it took {time.monotonic() - began:.1f} s")
    return 1 if found.lost else 0


def _tidied_lines(found: Tidied, days: float, *, dry_run: bool) -> Iterator[str]:
    for line in found.lost:
        yield printable(f"{line}; nothing of it was touched, and `tars hub check` says more")
    freed = "would free" if dry_run else "freed"
    yield f"{freed} {found.blob_bytes:,} bytes in {found.blobs:,} blobs, and {found.rows:,} rows of the catalogue"
    yield f"kept {found.held_bytes:,} bytes in {found.held_blobs:,} blobs for the grace of {days:g} days"


def _stats(given: argparse.Namespace, say: Say) -> int:
    from tars_hub.server.stats import stats

    with kept(given) as hub, Steps() as steps:
        found = stats(hub, grace=timedelta(days=given.grace_days), progress=steps.show)
    for line in [json.dumps(_facts(found))] if given.json else _stats_lines(found, given.grace_days):
        say(line)
    return 0


def _facts(found: Stats) -> dict[str, object]:
    return {"all_bytes": found.all_bytes, "disk_bytes": found.disk_bytes, **asdict(found)}


def _stats_lines(found: Stats, days: float) -> Iterator[str]:
    totals, tidied = found.totals, found.tidied
    ratio = f", {found.all_bytes / found.disk_bytes:.1f} times as much" if found.disk_bytes else ""
    yield f"{totals.repositories:,} repositories, {totals.commits:,} commits, {totals.files:,} files"
    yield f"{_size(found.all_bytes)} in all revisions of all repositories{ratio}"
    whole, chunks = _size(totals.file_bytes), _size(totals.xorb_bytes)
    yield f"{_size(found.disk_bytes)} on the disk: {whole} as whole files, {chunks} as chunks"
    yield f"{_size(totals.catalog_bytes)} for the catalogue, {_size(totals.free_bytes)} of it free for what comes"
    freed, held = _size(tidied.blob_bytes), _size(tidied.held_bytes)
    yield f"`tars hub gc` would free {freed} now; {held} more wait for the end of the grace of {days:g} days"
    for line in tidied.lost:
        yield printable(f"{line}; `tars hub check` says more")
    yield from _table("owner", found.owners)
    yield from _table("repository", found.repositories)


def _table(what: str, shares: Sequence[Share]) -> Iterator[str]:
    """The largest, a line each."""
    if not shares:
        return
    shown = shares[:_SHOWN]
    width = max(len(what), *(len(share.name) for share in shown))
    yield ""
    yield f"{what:{width}}  {'alone':>10}  {'main':>10}  {'all':>10}  revisions"
    for share in shown:
        sizes = "  ".join(f"{_size(size):>10}" for size in (share.own_bytes, share.main_bytes, share.all_bytes))
        yield f"{printable(share.name):{width}}  {sizes}  {share.revisions:>9,}"
    if len(shares) > _SHOWN:
        yield f"and {len(shares) - _SHOWN:,} more"


def _size(count: int) -> str:
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.3g} {unit}"


class Steps:
    """How far housekeeping is, on standard error where that is a terminal."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._what = ""
        self._bar = tqdm(desc="looking", dynamic_ncols=True, disable=None, leave=False, unit="")

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._bar.close()

    def show(self, what: str, done: int, in_all: int) -> None:
        """Of `what`, so many are done; 0 in all where nobody knows."""
        if self._bar.disable:
            return
        if what != self._what:
            self._what = what
            self._bar.reset()
            self._bar.set_description(what, refresh=False)
        self._bar.total = in_all or None
        self._bar.update(done - self._bar.n)
