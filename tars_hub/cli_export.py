"""`tars export`: what it takes, and the lines it says. Prints nothing itself."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tars_hub.cli_flags import add_hub_flags
from tars_hub.config import printable
from tars_hub.errors import UsageError

if TYPE_CHECKING:
    from tars_hub.export.exporting import Exported, Order

Say = Callable[[str], None]
_FORMATS = ("onnx", "torch-export", "openvino")


def add_export(parser: argparse.ArgumentParser, *, say: Say, note: Say) -> None:
    """The flags of `tars export`.

    Args:
        say: gets the lines that are the answer; `note` those about what is going on.
    """
    parser.add_argument("model", help="model folder, repository id or checkpoint file")
    parser.add_argument("--format", required=True, choices=_FORMATS, help="who shall run it")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: MODEL-FORMAT, beside a model folder")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="pictures to check its answers by (default: two photographs, in parts)"
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="8-bit numbers: smaller, often faster; calibrated and measured by the labelled pictures of --data",
    )
    parser.add_argument(
        "--bound", type=_number, metavar="X", help="what a probability may differ by from torch's (default 0.001)"
    )
    parser.add_argument(
        "--max-loss", type=_number, metavar="POINTS", help="of accuracy that --int8 may cost (default 1)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an export that stands in FOLDER")
    add_hub_flags(parser)
    parser.set_defaults(command=lambda given: _export(given, say, note))


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, 0 or above")
    return found


def _export(given: argparse.Namespace, say: Say, note: Say) -> int:
    if given.max_loss is not None and not given.int8:
        raise UsageError("--max-loss is about --int8; say that, too")
    from tars_hub.engines.exported import is_export
    from tars_hub.export.exporting import Watch, check, export
    from tars_hub.loading import from_pretrained

    if is_export(Path(given.model)):
        raise UsageError(f"{given.model} is an export already; give the model folder that it was made of")
    order = _order(given)
    check(order)  # before the model is loaded, lest that be for nothing
    options = {"revision": given.revision, "endpoint": given.endpoint, "local_files_only": given.offline}
    model = from_pretrained(given.model, **options)
    done = export(model, order, Watch(note, _bar))
    for line in _lines(order, done):
        say(printable(line))
    return 0


def _order(given: argparse.Namespace) -> Order:
    from tars_hub.engines.parity import EXACT
    from tars_hub.export.exporting import MAX_LOSS_POINTS, Order
    from tars_hub.export.formats import find

    return Order(
        form=find(given.format),
        output=given.output or _beside(given),
        data=given.data,
        int8=given.int8,
        bound=EXACT if given.bound is None else given.bound,
        max_loss=MAX_LOSS_POINTS if given.max_loss is None else given.max_loss,
        overwrite=given.overwrite,
    )


def _beside(given: argparse.Namespace) -> Path:
    """Beside a folder or file of this machine, and in the working folder for what comes from a hub."""
    ending = f"-{given.format}{'-int8' if given.int8 else ''}"
    source = Path(given.model)
    if source.is_dir():
        source = source.resolve()
        return source.with_name(source.name + ending)
    return source.with_name(source.stem + ending) if source.is_file() else Path(source.name + ending)


def _lines(order: Order, done: Exported) -> Iterator[str]:
    kind = f"{order.form.name}{', 8-bit numbers' if order.int8 else ''}"
    yield f"{kind}: {done.size_bytes / 1e6:,.1f} MB; README.md there says how it is run"
    yield f"{'its floats' if order.int8 else 'against torch'}: {done.parity}, {order.bound:g} allowed"
    if done.cost is not None:
        yield str(done.cost)
        if done.cost.unread:
            yield f"{done.cost.unread:,} pictures could not be read and were left out"
    yield f"saved {order.output}"


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    from tqdm import tqdm

    options = {"unit": " pictures", "dynamic_ncols": True, "disable": None, "leave": False}
    with tqdm(total=total or None, desc=title, **options) as bar:
        yield bar.update
