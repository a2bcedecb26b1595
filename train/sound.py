"""Whether what a state's file says can be so. It may be damaged, or a stranger's: nothing in it is believed unseen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .progress import Progress, State
from .score import Score

T = TypeVar("T", Progress, State)

_COLUMNS = {"epoch", "lr", "train_loss", "train_top1"} | {f"val_{each.name}" for each in fields(Score)} - {
    "val_pictures"
}
_PROVEN = {"machine": ("device",), "versions": (), "data": ("fingerprint",)}  # what the card tells of the run's facts


def state_from(raw: Any) -> State:  # noqa: ANN401  # any JSON
    """The state that this JSON describes.

    Raises:
        ValueError: it describes none.
    """
    if not isinstance(raw, dict) or not isinstance(raw.get("progress"), dict):
        raise ValueError("it lacks the progress")
    state = _made(State, {**raw, "progress": _made(Progress, raw["progress"])})
    _check_progress(state.progress)
    for name, keys in _PROVEN.items():
        found = state.facts.get(name)
        if not isinstance(found, dict) or any(not isinstance(found.get(key), str) for key in keys):
            raise ValueError(f"facts lack {name}")
    return state


def check_fits(state: State, *, classes: Sequence[str], known: Sequence[str], steps: int, epochs: int) -> None:
    """Raise a ValueError unless the state can be of a run over these pictures.

    Args:
        classes: of the model that the state describes.
        known: of the pictures.
        steps: of an epoch.
        epochs: that the run is to take.
    """
    progress = state.progress
    if tuple(classes) != tuple(known):
        raise ValueError("its model has other classes than the pictures")
    if progress.step > steps or progress.epoch > epochs + 1:
        raise ValueError(f"epoch {progress.epoch}, step {progress.step} lies beyond the end")


def _made(kind: type[T], raw: dict[str, Any]) -> T:
    hints = get_type_hints(kind)
    if raw.keys() != hints.keys():
        raise ValueError(f"{sorted(raw.keys() ^ hints.keys())[0]} is missing or unknown")
    for name, hint in hints.items():
        if not _fits(raw[name], hint):
            raise ValueError(f"{name} has no possible value")
    return kind(**raw)


def _fits(value: Any, hint: Any) -> bool:  # noqa: ANN401  # typing's own objects
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if hint is Any or origin in (Union, UnionType):
        return hint is Any or any(_fits(value, each) for each in inner)
    if origin is float:
        return type(value) in (int, float) and math.isfinite(value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items())
    if origin is list:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    return type(value) is (origin or NoneType)


def _check_progress(progress: Progress) -> None:
    history = progress.history
    if min(progress.epoch - 1, progress.step, progress.seen, progress.elapsed_s) < 0:
        raise ValueError("a count is below its least")
    if any(row.keys() != _COLUMNS for row in history):
        raise ValueError("history has other columns")
    epochs = [row["epoch"] for row in history]
    if epochs != list(range(progress.epoch - len(history), progress.epoch)) or epochs[:1] not in ([], [0], [1]):
        raise ValueError("history has other epochs")
    if (progress.best is None) != (not history) or not -1 < (progress.best or 0) < max(1, len(history)):
        raise ValueError("best is none of the history")
    if not history and (progress.epoch > 1 or (progress.ended and not progress.step)):
        raise ValueError("it is at its end without a history")
