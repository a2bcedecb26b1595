"""Open other people's checkpoint files without running anything in them, and find the tensors.

Knows files and dictionaries, no networks: what the tensors belong to is `legacy`'s question.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from tars_hub.config import shown
from tars_hub.errors import UnsafeFileError, WeightsError
from tars_hub.unpickle import unpickle
from tars_hub.weights import read_safetensors

# Where training programs put the tensors, in the order in which they are looked for.
_PLAIN_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "weights",
    "checkpoint",
)
_EMA_KEYS = ("state_dict_ema", "model_ema_state_dict", "ema_state_dict", "model_ema", "ema_model", "ema")
_PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "net.", "network.")
_CLASS_KEYS = ("classes", "class_names", "class_to_idx", "idx_to_class", "labels", "names", "id2label")
_Found = tuple[tuple[str, ...], dict[str, Tensor]]
_MAX_DEPTH = 3  # {"checkpoint": {"model": {"state_dict": …}}} is the deepest seen


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a file was found to hold.

    Attributes:
        tensors: names without wrappers' prefixes, values on the CPU.
        where: the keys that led to them, such as "state_dict"; empty where they lay bare.
        stripped: prefixes taken off every name, outermost first.
        classes: class names where the file has them.
        has_ema: an averaged copy of the weights lies in the file too, and was not taken.
    """

    tensors: Mapping[str, Tensor]
    where: str = ""
    stripped: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    has_ema: bool = False


def open_checkpoint(path: Path, *, ema: bool = False) -> Checkpoint:
    """Read a .pth, .pt or .safetensors file; nothing in it is ever run.

    Args:
        ema: take the averaged weights where the file has both.

    Raises:
        WeightsError: no readable checkpoint, or no tensors in it.
        UnsafeFileError: a pickle that holds more than data.
    """
    held = _read(path)
    keys = (*_EMA_KEYS, *_PLAIN_KEYS) if ema else (*_PLAIN_KEYS, *_EMA_KEYS)
    found = _find_tensors(held, keys, where=())
    if found is None:
        raise WeightsError(f"{path}: {_contents(held)}; looked for a state dict, bare or under {', '.join(keys)}")
    where, tensors = found
    stripped, tensors = _strip(tensors)
    return Checkpoint(
        tensors=tensors,
        where=".".join(where),
        stripped=stripped,
        classes=_class_names(held),
        has_ema=not set(where) & set(_EMA_KEYS) and _has_ema(held),
    )


def _read(path: Path) -> Any:  # noqa: ANN401  # whatever was pickled
    try:
        with path.open("rb") as stream:
            start = stream.read(64)
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror or error}") from error
    if not start:
        raise WeightsError(f"{path}: the file is empty")
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path}: a Git LFS pointer, not the file itself; fetch it with `git lfs pull`")
    if start[8:9] == b"{":
        return read_safetensors(path)
    if _is_torchscript(path):
        raise UnsafeFileError(
            f"{path} holds a TorchScript program, not only tensors; nothing was run. "
            "Where it was made, save its state_dict() with torch.save and import that"
        )
    return unpickle(path)


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):  # not whole, or no archive at all
        return False


def _find_tensors(held: object, keys: tuple[str, ...], where: tuple[str, ...]) -> _Found | None:
    if not isinstance(held, Mapping) or len(where) > _MAX_DEPTH:
        return None
    for key in keys:
        found = _find_tensors(held.get(key), keys, (*where, key))
        if found is not None:
            return found
    # `n_averaged` counts the steps of torch's AveragedModel; it is no part of the network.
    tensors = {name: value for name, value in held.items() if isinstance(value, Tensor) and name != "n_averaged"}
    return (where, tensors) if tensors and all(isinstance(name, str) for name in tensors) else None


def _has_ema(held: Mapping[str, object]) -> bool:
    return any(_find_tensors(held.get(key), _PLAIN_KEYS, (key,)) for key in _EMA_KEYS)


def _strip(tensors: dict[str, Tensor]) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    stripped: list[str] = []
    while prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in tensors)), None):
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
        stripped.append(prefix)
    return tuple(stripped), tensors


def _class_names(held: Any) -> tuple[str, ...] | None:  # noqa: ANN401
    if not isinstance(held, Mapping):
        return None
    for key in _CLASS_KEYS:
        names = _as_names(held.get(key))
        if names:
            return names
    return None


def _as_names(value: object) -> tuple[str, ...] | None:
    if isinstance(value, Mapping):  # {"cat": 0, …} or {0: "cat", …}
        if all(isinstance(index, int) for index in value.values()):
            value = {index: name for name, index in value.items()}
        if not all(str(key).isdecimal() for key in value):
            return None
        value = [name for _, name in sorted(value.items(), key=lambda item: int(item[0]))]
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) and name for name in value):
        return tuple(value)
    return None


def _contents(held: Any) -> str:  # noqa: ANN401
    if not isinstance(held, Mapping):
        return f"holds a {type(held).__name__} instead of tensors by name"
    keys = ", ".join(shown(key) for key in list(held)[:8])
    return f"holds no tensors by name, only {keys or 'an empty dictionary'}"
