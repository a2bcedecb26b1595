"""By which pictures an export is checked, calibrated and measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tars_hub import preprocess
from tars_hub.config import Preprocess
from tars_hub.engines.parity import check_pictures
from tars_hub.errors import DataError, PictureError
from tars_hub.evaluation import held_out_folder, labelled_pictures
from tars_hub.labelled import find_classes, is_part
from tars_hub.listing import find_pictures
from tars_hub.samples import Pixels

CHECKED = 256  # of a folder; more say the same
CALIBRATED = 256
BATCH = 8
_SHARE = 5  # of pictures that are not divided, every fifth calibrates


@dataclass(frozen=True, kw_only=True)
class Division:
    """Labelled pictures in two parts that have none in common.

    Attributes:
        calibrating: pictures to find the range of numbers by.
        measured, labels: pictures to measure by, and for each the position of its class among the model's.
    """

    calibrating: tuple[Path, ...]
    measured: tuple[Path, ...]
    labels: tuple[int, ...]


def to_check(folder: Path | None, prepare: Preprocess) -> Iterator[list[Pixels]]:
    """Batches of prepared pictures of a folder, evenly spread, or without a folder the ones that are at hand.

    Raises:
        UsageError, DataError: the folder holds no pictures, or none that can be read.
    """
    if folder is None:
        yield from _batches(iter(check_pictures(prepare)))
        return
    found = _batches(_readable(_spread(find_pictures([folder]), CHECKED), prepare))
    first = next(found, None)
    if first is None:
        raise DataError(f"{folder}: none of its pictures can be read")
    yield first
    yield from found


def divide(folder: Path, classes: Sequence[str]) -> Division:
    """A labelled folder's parts: train calibrates, test or val measures; where there is one part, a fifth calibrates.

    Raises:
        DataError: no pictures in folders named after classes that the model knows, or too few.
    """
    train = folder / "train"
    try:
        part, _ = held_out_folder(folder)
    except DataError as error:
        if not is_part(train):
            raise
        raise DataError(f"{folder} holds train/ alone; int8 is measured by pictures that taught nothing") from error
    paths, labels = labelled_pictures(find_classes(part), classes)
    if part != folder and is_part(train):
        others = [path for paths_of in find_classes(train).pictures.values() for path in paths_of]
        calibrating, kept = _spread(others, CALIBRATED), list(range(len(paths)))
    else:
        calibrating = _spread(paths[_SHARE - 1 :: _SHARE], CALIBRATED)
        kept = [at for at in range(len(paths)) if at % _SHARE != _SHARE - 1]
    if len(calibrating) < BATCH:
        raise DataError(f"{folder} has {len(calibrating)} pictures to calibrate by; int8 needs {BATCH} and more")
    return Division(
        calibrating=tuple(calibrating),
        measured=tuple(paths[at] for at in kept),
        labels=tuple(labels[at] for at in kept),
    )


def to_calibrate(paths: Sequence[Path], prepare: Preprocess) -> Iterator[list[Pixels]]:
    """Batches of prepared pictures; each has some of all classes, though paths come by class."""
    count = max(1, len(paths) // BATCH)
    mixed = [path for start in range(count) for path in paths[start::count]]
    yield from _batches(_readable(mixed, prepare))


def _readable(paths: Sequence[Path], prepare: Preprocess) -> Iterator[Pixels]:
    for path in paths:
        with suppress(PictureError):
            yield preprocess.load(path, prepare)


def _batches(pictures: Iterator[Pixels]) -> Iterator[list[Pixels]]:
    while batch := list(islice(pictures, BATCH)):
        yield batch


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """So many of them at most, evenly spread."""
    if len(paths) <= count:
        return list(paths)
    return [paths[at * len(paths) // count] for at in range(count)]
