"""From a data folder to sets: which pictures there are, of which classes, for which purpose. Opens no file."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tars_hub.errors import DataError
from tars_hub.files import replacing
from tars_hub.labelled import LabelledFolder, find_classes, is_part

_VAL_NAMES = ("val", "valid", "validation")
_VAL_SHARE = 0.2  # of a folder that comes without a split


@dataclass(frozen=True)
class PictureSet:
    """Files and the index of each one's class."""

    paths: tuple[Path, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True, kw_only=True)
class PictureFolder:
    """A data folder as found.

    Attributes:
        root: the folder itself.
        classes: in the order of the logits.
        train, val: to learn from, and to choose the epoch and calibrate with.
        test: for the final report alone; None where there is no such folder.
        notes: what was noticed, a line each.
    """

    root: Path
    classes: tuple[str, ...]
    train: PictureSet
    val: PictureSet
    test: PictureSet | None = None
    notes: tuple[str, ...] = ()

    @property
    def sets(self) -> dict[str, PictureSet]:
        """Name of each set that there is to the set."""
        found = {"train": self.train, "val": self.val}
        return found if self.test is None else {**found, "test": self.test}

    def name_of(self, path: Path) -> str:
        """A picture's name for tables: within the folder, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def fingerprint(self) -> str:
        """64 hex digits of which pictures are in which set and class, by name and size in bytes; none is opened."""
        found = hashlib.sha256()
        for name, pictures in self.sets.items():
            for path, label in zip(pictures.paths, pictures.labels, strict=True):
                row = (name, self.classes[label], self.name_of(path), str(_size(path)))
                found.update("\0".join(row).encode("utf-8", "surrogateescape") + b"\n")
        return found.hexdigest()

    def write_split(self, path: Path) -> None:
        """Write which picture went to which set: a CSV of `filename,label,split`."""
        with replacing(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
            table = csv.writer(stream)
            table.writerow(["filename", "label", "split"])
            for name, pictures in self.sets.items():
                for file, label in zip(pictures.paths, pictures.labels, strict=True):
                    table.writerow([self.name_of(file), self.classes[label], name])


def scan(folder: Path, *, seed: int) -> PictureFolder:
    """Find classes and pictures; classes are matched by name.

    `folder/train` with `val` (`valid`, `validation`) and perhaps `test`; without one of the former, or with class
    folders alone, one picture in five of each class is kept for validation.

    Raises:
        DataError: no folder, no classes, no pictures, or a class that train lacks.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it must hold train/CLASS/* and val/CLASS/*, or CLASS/*")
    if not is_part(folder / "train"):
        _refuse_half_a_layout(folder)
        return _split(find_classes(folder), None, folder, seed)
    train = find_classes(folder / "train")
    val = next((find_classes(folder / name) for name in _VAL_NAMES if is_part(folder / name)), None)
    test = find_classes(folder / "test") if is_part(folder / "test") else None
    return _split(train, test, folder, seed) if val is None else _matched(train, val, test, folder)


def class_counts(pictures: PictureSet, classes: Sequence[str]) -> dict[str, int]:
    """Class name to how many pictures it has."""
    counted = Counter(pictures.labels)
    return {name: counted[index] for index, name in enumerate(classes)}


def _refuse_half_a_layout(folder: Path) -> None:
    """A `val` or `test` of classes without a `train` is a mistake, and would be taken for a class."""
    for name in (*_VAL_NAMES, "test"):
        if is_part(folder / name):
            raise DataError(f"{folder} holds {name} but no train; it must hold both, or a folder for each class")


def _matched(train: LabelledFolder, val: LabelledFolder, test: LabelledFolder | None, root: Path) -> PictureFolder:
    _refuse_strangers(train.pictures, val)
    missing = [f"class {name!r} has no pictures in {val.path}" for name in train.pictures if name not in val.pictures]
    return _folder(root, train.pictures, val.pictures, test, [*train.notes, *val.notes, *missing])


def _split(found: LabelledFolder, test: LabelledFolder | None, root: Path, seed: int) -> PictureFolder:
    train: dict[str, tuple[Path, ...]] = {}
    val: dict[str, tuple[Path, ...]] = {}
    for index, (name, paths) in enumerate(found.pictures.items()):
        order = np.random.default_rng((seed, index)).permutation(len(paths))
        kept = len(order) - round(len(order) * _VAL_SHARE) if len(order) > 2 else max(1, len(order) - 1)
        train[name] = tuple(paths[i] for i in sorted(order[:kept]))
        val[name] = tuple(paths[i] for i in sorted(order[kept:]))
    if not any(val.values()):
        raise DataError(f"{found.path} has one picture per class; none would be left to measure with")
    alone = [f"class {name!r} has one picture; it is trained on, and not measured" for name in val if not val[name]]
    note = (
        f"{found.path} comes without val: one picture in {round(1 / _VAL_SHARE)} of each class is kept for it "
        f"(seed {seed}; training/split.csv lists them)"
    )
    return _folder(root, train, val, test, [*found.notes, *alone, note])


def _folder(
    root: Path,
    train: Mapping[str, Sequence[Path]],
    val: Mapping[str, Sequence[Path]],
    test: LabelledFolder | None,
    notes: Sequence[str],
) -> PictureFolder:
    classes = tuple(train)
    if test is not None:
        _refuse_strangers(train, test)
        notes = [*notes, *test.notes]
    return PictureFolder(
        root=root,
        classes=classes,
        train=_set(train, classes),
        val=_set(val, classes),
        test=None if test is None else _set(test.pictures, classes),
        notes=tuple(notes),
    )


def _refuse_strangers(classes: Collection[str], other: LabelledFolder) -> None:
    for name in other.pictures:
        if name not in classes:
            raise DataError(f"{other.path / name} has pictures of a class that train has none of")


def _set(found: Mapping[str, Sequence[Path]], classes: Sequence[str]) -> PictureSet:
    pairs = [(path, index) for index, name in enumerate(classes) for path in found.get(name, [])]
    return PictureSet(tuple(path for path, _ in pairs), tuple(label for _, label in pairs))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a link to nothing: reading will say so
        return -1
