"""Ask a model about labelled pictures and keep its logits: what every figure is computed from."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tars_hub.config import shown_name
from tars_hub.errors import DataError, ModelError, PictureError
from tars_hub.labelled import LabelledFolder, is_part

if TYPE_CHECKING:
    from tars_hub.predict import Predictor

_HELD_OUT = ("test", "val", "valid", "validation")  # in this order


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """What a model said about labelled pictures.

    Attributes:
        classes: the model's, in the order of the logits.
        files: a name for each picture.
        labels: (N,) int64, positions in `classes`.
        logits: (N, C) float32, not yet calibrated.
    """

    classes: tuple[str, ...]
    files: tuple[str, ...]
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.files)

    def only(self, files: Collection[str]) -> Evaluated:
        """The part about these files, in the order it has."""
        rows = [row for row, name in enumerate(self.files) if name in files]
        return Evaluated(
            classes=self.classes,
            files=tuple(self.files[row] for row in rows),
            labels=self.labels[rows],
            logits=self.logits[rows],
        )


def evaluate(
    predictor: Predictor,
    pictures: Sequence[Path],
    labels: Sequence[int],
    *,
    names: Sequence[str] | None = None,
    batch_size: int | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> tuple[Evaluated, tuple[PictureError, ...]]:
    """Ask about every picture; threads read while the network answers, and memory holds two batches.

    Args:
        labels: for each picture the position of its class among the model's.
        names: what to call the pictures; their paths by default.
        on_progress: gets the number of pictures done since the last call, readable or not.

    Returns:
        What was found about the readable ones, and the errors of the others.

    Raises:
        DataError: none is readable.
        ModelError: the logits are not finite.
        UsageError: a batch size below 1.
    """
    kept: list[int] = []
    logits: list[NDArray[np.float32]] = []
    errors: list[PictureError] = []
    for at, found in enumerate(predictor.stream_logits(pictures, batch_size=batch_size)):
        if isinstance(found, PictureError):
            errors.append(found)
        else:
            logits.append(found)
            kept.append(at)
        on_progress(1)
    if not kept:
        raise DataError(f"none of {len(pictures)} pictures can be read{f'; {errors[0]}' if errors else ''}")
    shown = [str(path) for path in pictures] if names is None else names
    result = Evaluated(
        classes=predictor.config.classes,
        files=tuple(shown[at] for at in kept),
        labels=np.asarray([labels[at] for at in kept], np.int64),
        logits=np.stack(logits),
    )
    if not np.isfinite(result.logits).all():
        raise ModelError("the model answers with what are no finite numbers; its training diverged")
    return result, tuple(errors)


def labelled_pictures(folder: LabelledFolder, classes: Sequence[str]) -> tuple[list[Path], list[int]]:
    """The pictures of a folder, and for each the position of its class among the model's; matched by name.

    Raises:
        DataError: the folder has a class that the model lacks.
    """
    known = {_composed(name): index for index, name in enumerate(classes)}
    known |= {name: index for index, name in enumerate(classes)}
    found: list[tuple[Path, int]] = []
    for name, paths in folder.pictures.items():
        index = known.get(name, known.get(_composed(name)))
        if index is None:
            raise DataError(_no_such_class(folder.path, name, classes))
        found += [(path, index) for path in paths]
    return [path for path, _ in found], [index for _, index in found]


def held_out_folder(folder: Path, split: str | None = None) -> tuple[Path, str | None]:
    """Where the pictures to measure by lie, `folder` itself or a part of it, and what the part is called.

    Args:
        folder: holds a folder per class, or parts named train, val (valid, validation) or test that do.
        split: the part; by default test, else val.

    Raises:
        DataError: no such part, or nothing but training pictures.
    """
    if split is not None:
        if not split or not (folder / split).is_dir():
            raise DataError(f"{folder} has no folder {shown_name(split)}; it holds {_some(_folders(folder))}")
        return folder / split, split
    there = _folders(folder)
    for name in _HELD_OUT:
        if is_part(folder / name):
            return folder / name, name
    if there == ["train"]:
        raise DataError(f"{folder} holds train/ alone, which taught the model; `--split train` measures by it still")
    return folder, None


def _folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it must hold a folder of pictures for each class")
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _composed(name: str) -> str:
    """macOS may write é as two letters where others write one."""
    return unicodedata.normalize("NFC", name)


def _no_such_class(folder: Path, name: str, classes: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, classes, n=1, cutoff=0.0)
    nearest = f"; the nearest is {shown_name(near[0])}" if near else ""
    return (
        f"{folder}: the model knows no class {shown_name(name)}{nearest}; pictures of none of its "
        f"{len(classes)} classes can be given with --unknown"
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(shown_name(name) for name in names[:5]) + (" …" if len(names) > 5 else "") if names else "none"
