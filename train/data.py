"""From a folder to batches: which pictures there are, of which classes, and how they are read.

Reading runs in threads: OpenCV decodes outside Python's lock, and one process means one cache, no
pickling, and the same behaviour on every system. A picture's random choices come from (seed, epoch,
position) alone, so they do not depend on how many threads read.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tars_hub.config import Preprocess
from tars_hub.errors import DataError, PictureError
from tars_hub.preprocess import is_picture_name, to_tensor

Pixels = NDArray[np.uint8]
Read = Callable[[int, int], Pixels]  # (position in the set, epoch) to (S, S, 3) uint8

_VAL_NAMES = ("val", "valid", "validation")
_VAL_SHARE = 0.2  # of a folder that comes without a split
_BATCHES_AHEAD = 3


@dataclass(frozen=True)
class PictureSet:
    """Files and the index of each one's class."""

    paths: tuple[Path, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class PictureFolder:
    """A data folder as found: classes in the order of the logits, two sets, and what was noticed."""

    classes: tuple[str, ...]
    train: PictureSet
    val: PictureSet
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """(N, 3, S, S) float32 inputs and (N,) int64 labels of the readable pictures, and the unreadable ones."""

    inputs: Tensor
    labels: Tensor
    broken: tuple[PictureError, ...]

    def __len__(self) -> int:
        return len(self.labels)


def scan(folder: Path, *, seed: int) -> PictureFolder:
    """Find classes and pictures; classes are matched by name, and files are not opened.

    Raises:
        DataError: no folder, no classes, no pictures, or a class in val that train lacks.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it must hold train/CLASS/* and val/CLASS/*, or CLASS/*")
    if not (folder / "train").is_dir():
        return _split(_classes_in(folder), folder, seed)
    val_folder = next((folder / name for name in _VAL_NAMES if (folder / name).is_dir()), None)
    train = _classes_in(folder / "train")
    if val_folder is None:
        return _split(train, folder / "train", seed)
    val = _classes_in(val_folder)
    return _matched(train, val, val_folder)


def _classes_in(folder: Path) -> dict[str, list[Path]]:
    """Class name to its pictures, both sorted; hidden folders and files that are no pictures are passed over."""
    found = {
        entry.name: sorted(path for path in entry.rglob("*") if is_picture_name(path) and path.is_file())
        for entry in sorted(folder.iterdir())
        if entry.is_dir() and not entry.name.startswith((".", "__"))
    }
    if not any(found.values()):
        raise DataError(
            f"{folder} holds no pictures in folders named after classes, such as {folder / 'cat' / '1.jpg'}"
        )
    return found


def _matched(train: dict[str, list[Path]], val: dict[str, list[Path]], val_folder: Path) -> PictureFolder:
    classes = tuple(name for name, paths in train.items() if paths)
    strangers = [name for name, paths in val.items() if paths and name not in classes]
    if strangers:
        raise DataError(f"{val_folder / strangers[0]} has pictures of a class that train has none of")
    notes = [*_empty_notes(train), *(f"class {name!r} has no pictures in val" for name in classes if not val.get(name))]
    return PictureFolder(classes, _set(train, classes), _set(val, classes), tuple(notes))


def _split(found: dict[str, list[Path]], folder: Path, seed: int) -> PictureFolder:
    classes = tuple(name for name, paths in found.items() if paths)
    train: dict[str, list[Path]] = {}
    val: dict[str, list[Path]] = {}
    for index, name in enumerate(classes):
        order = np.random.default_rng((seed, index)).permutation(len(found[name]))
        kept = len(order) - round(len(order) * _VAL_SHARE) if len(order) > 2 else max(1, len(order) - 1)
        train[name] = [found[name][i] for i in sorted(order[:kept])]
        val[name] = [found[name][i] for i in sorted(order[kept:])]
    if not any(val.values()):
        raise DataError(f"{folder} has one picture per class; none would be left to measure with")
    note = (
        f"{folder} has no val folder: one picture in {round(1 / _VAL_SHARE)} of each class is kept for it (seed {seed})"
    )
    return PictureFolder(classes, _set(train, classes), _set(val, classes), (*_empty_notes(found), note))


def _empty_notes(found: dict[str, list[Path]]) -> list[str]:
    empty = [name for name, paths in found.items() if not paths]
    return [f"left out, no pictures in them: {', '.join(empty)}"] if empty else []


def _set(found: dict[str, list[Path]], classes: Sequence[str]) -> PictureSet:
    pairs = [(path, index) for index, name in enumerate(classes) for path in found.get(name, [])]
    return PictureSet(tuple(path for path, _ in pairs), tuple(label for _, label in pairs))


def order(count: int, batch_size: int, *, seed: int, epoch: int) -> list[list[int]]:
    """Shuffled positions in batches. None holds a single picture, which BatchNorm cannot train on."""
    shuffled = np.random.default_rng((seed, epoch)).permutation(count).tolist()
    batches = _chunks(shuffled, batch_size)
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2].extend(batches.pop())
    return [batch * 2 if len(batch) == 1 else batch for batch in batches]


def in_turn(count: int, batch_size: int) -> list[list[int]]:
    """Positions 0 to count - 1 in batches."""
    return _chunks(list(range(count)), batch_size)


def _chunks(positions: list[int], size: int) -> list[list[int]]:
    return [positions[start : start + size] for start in range(0, len(positions), size)]


def batches(
    pictures: PictureSet, plan: Iterable[list[int]], read: Read, prepare: Preprocess, *, epoch: int, workers: int
) -> Iterator[Batch]:
    """Read the planned batches in order, a few ahead of the one in use."""

    def load(position: int) -> Tensor | PictureError:
        try:
            return to_tensor(read(position, epoch), prepare)
        except PictureError as error:
            return error

    waiting: deque[tuple[list[int], list[Future[Tensor | PictureError]]]] = deque()
    with ThreadPoolExecutor(max(1, workers)) as pool:
        try:
            for positions in plan:
                waiting.append((positions, [pool.submit(load, position) for position in positions]))
                if len(waiting) > _BATCHES_AHEAD:
                    yield _collect(pictures, *waiting.popleft())
            while waiting:
                yield _collect(pictures, *waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _collect(pictures: PictureSet, positions: list[int], futures: list[Future[Tensor | PictureError]]) -> Batch:
    results = [future.result() for future in futures]
    good = [
        (item, pictures.labels[at]) for at, item in zip(positions, results, strict=True) if isinstance(item, Tensor)
    ]
    return Batch(
        inputs=torch.stack([item for item, _ in good]) if good else torch.empty(0),
        labels=torch.tensor([label for _, label in good], dtype=torch.int64),
        broken=tuple(item for item in results if isinstance(item, PictureError)),
    )


def default_workers() -> int:
    """Threads that read pictures: one a core, and past eight they wait for the disk."""
    return min(8, os.cpu_count() or 1)


def class_counts(pictures: PictureSet, classes: Sequence[str]) -> dict[str, int]:
    """Class name to how many pictures it has."""
    counted = Counter(pictures.labels)
    return {name: counted[index] for index, name in enumerate(classes)}
