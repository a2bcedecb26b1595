"""Old checkpoints become model folders: which network do these tensors belong to, and with which classes?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from tars_hub import backbones, weights
from tars_hub.backbones import BACKBONES, IMAGENET_CLASSES, Backbone
from tars_hub.checkpoint import Checkpoint, open_checkpoint
from tars_hub.config import MAX_CLASSES, ModelConfig, check_classes, shown_name
from tars_hub.errors import UsageError, WeightsError
from tars_hub.model import TarsClassifier

_COUNTER = "num_batches_tracked"  # of BatchNorm
_POSITIONS = re.compile("pos_embedding|relative_position")  # tables whose shape follows the picture size
_AUX_NOTE = "auxiliary heads were missing or of another class count; fresh ones stand there (answers do not use them)"

# DenseNet layers were called norm.1 before torchvision 0.2, and files from then are still about.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A classifier made from a checkpoint, and what a person should know about how."""

    model: TarsClassifier
    notes: tuple[str, ...]


def import_checkpoint(
    path: Path,
    *,
    backbone: str | None = None,
    classes: Sequence[str] | None = None,
    img_size: int | None = None,
    ema: bool = False,
) -> Imported:
    """Rebuild a classifier from a .pth, .pt or .safetensors file of tensors.

    Args:
        backbone: without it, the row whose names and shapes fit.
        classes: in the order of the logits; without them the file's own, else "0", "1", …
        img_size: picture side in pixels, where training used another than the backbone's usual one.
        ema: take the averaged weights where the file has both.

    Raises:
        WeightsError: unreadable, or no backbone fits, or the named one does not.
        UnsafeFileError: a pickle that holds more than data.
        UsageError: several backbones fit, or the class names are not as many as the head's outputs.
    """
    found = open_checkpoint(path, ema=ema)
    tensors = {_OLD_DENSENET.sub(r"\1\2", name): tensor for name, tensor in found.tensors.items()}
    row = backbones.find(backbone) if backbone else infer(tensors, source=str(path))
    count = _class_count(row, tensors)
    if count is None or _differing(row, tensors):
        raise _misfit(row, tensors, str(path))
    if count > MAX_CLASSES:
        raise WeightsError(f"{path} has a head for {count:,} classes; {MAX_CLASSES:,} are the most")
    names, note = _names(found, classes, count)
    config = ModelConfig(
        backbone=row.name, classes=names, preprocess=backbones.preprocess_for(row.name, img_size=img_size)
    )
    network = backbones.build_empty(row.name, count)
    completed, aux_note = _complete(row, tensors, network.state_dict())
    weights.fill(network, completed, source=str(path))
    notes = (_description(row, found, count), note, aux_note, _ema_note(found))
    return Imported(model=TarsClassifier(config, network), notes=tuple(filter(None, notes)))


def infer(tensors: Mapping[str, Tensor], *, source: str) -> Backbone:
    """The one row whose names and shapes these are.

    Raises:
        WeightsError: none fits; the message names the nearest.
        UsageError: several fit; the message lists them.
    """
    # Building every network takes seconds, so those with such a head come first, and mostly suffice.
    likely = [name for name, row in BACKBONES.items() if _class_count(row, tensors)]
    differing = {name: len(_differing(BACKBONES[name], tensors)) for name in likely}
    fitting = [name for name, count in differing.items() if count == 0]
    if len(fitting) == 1:
        return BACKBONES[fitting[0]]
    if fitting:
        raise UsageError(f"{source} fits {', '.join(fitting)}; say which with --backbone")
    differing |= {name: len(_differing(row, tensors)) for name, row in BACKBONES.items() if name not in differing}
    nearest = sorted(differing, key=lambda name: differing[name])[:3]
    listed = ", ".join(f"{name} ({differing[name]} tensors differ)" for name in nearest)
    misfit = _misfit(BACKBONES[nearest[0]], tensors, "it")
    raise WeightsError(f"{source} fits no torchvision classification network; nearest are {listed}: {misfit}")


@cache
def _with_1000_classes(name: str) -> Mapping[str, Tensor]:
    network = backbones.build_empty(name, IMAGENET_CLASSES)
    return {key: tensor.to("meta") for key, tensor in network.state_dict().items()}


def _expected(row: Backbone, num_classes: int) -> dict[str, Tensor]:
    """Tensors without values, named and shaped as the backbone's."""
    heads = {f"{path}.{part}" for path in (row.head, *row.aux_heads) for part in ("weight", "bias")}
    return {
        name: tensor.new_empty((num_classes, *tensor.shape[1:])) if name in heads else tensor
        for name, tensor in _with_1000_classes(row.name).items()
    }


def _differing(row: Backbone, tensors: Mapping[str, Tensor]) -> set[str]:
    """Names of the tensors that stand between these and that row; what no answer depends on is forgiven."""
    expected = _expected(row, _class_count(row, tensors) or 1)
    missing = {name for name in expected.keys() - tensors.keys() if not name.endswith(_COUNTER)}
    misshapen = {name for name in expected.keys() & tensors.keys() if expected[name].shape != tensors[name].shape}
    forgiven = {name for name in missing | misshapen if name.startswith(_aux_trunks(row))}
    return (missing | misshapen | (tensors.keys() - expected.keys())) - forgiven


def _misfit(row: Backbone, tensors: Mapping[str, Tensor], source: str) -> WeightsError:
    """What stands between these tensors and that row, for a person."""
    inside = row.head.count(".") + 2  # dots in the names of layers below the head
    stack = sorted(name for name in tensors if name.startswith(f"{row.head}.") and name.count(".") >= inside)
    if stack:
        listed = ", ".join(map(shown_name, stack[:4]))
        return WeightsError(
            f"{source} has a stack of layers for a head ({listed}), where {row.name} has one layer, {row.head}; "
            "such a network cannot be imported"
        )
    differing = _differing(row, tensors)
    if row.fixed_px and differing and all(_POSITIONS.search(name) for name in differing):
        return WeightsError(
            f"{source} was trained on pictures of another size than {row.fixed_px} px, the only one that {row.name} "
            f"takes (its {min(differing)} shows it)"
        )
    expected = _expected(row, _class_count(row, tensors) or 1)
    try:
        weights.check(
            {name: expected[name] for name in expected.keys() & differing},
            {name: tensors[name] for name in tensors.keys() & differing},
            source=source,
        )
    except WeightsError as error:
        return error
    return WeightsError(f"{source} has no {row.head}.weight, the head of {row.name}")


def _class_count(row: Backbone, tensors: Mapping[str, Tensor]) -> int | None:
    head = tensors.get(f"{row.head}.weight")
    return int(head.shape[0]) if head is not None and head.ndim >= 2 and head.shape[0] else None


def _complete(
    row: Backbone, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], str]:
    """Add what no answer depends on: BatchNorm's step counters and auxiliary heads."""
    completed = dict(tensors)
    for name in expected.keys() - tensors.keys():
        if name.endswith(_COUNTER):  # not kept before PyTorch 0.4.1
            completed[name] = torch.zeros((), dtype=torch.int64)
    note = ""
    for name in [name for name in expected if name.startswith(_aux_trunks(row))]:
        if name not in completed or completed[name].shape != expected[name].shape:
            # Left out by aux_logits=False, or left at ImageNet's 1000 classes by older programs.
            completed[name] = _fresh(name, expected[name])
            note = _AUX_NOTE
    return completed, note


def _aux_trunks(row: Backbone) -> tuple[str, ...]:
    return tuple(path.split(".")[0] + "." for path in row.aux_heads)


def _fresh(name: str, like: Tensor) -> Tensor:
    shape, dtype = like.shape, like.dtype
    if name.endswith(("running_var", "bn.weight")):
        return torch.ones(shape, dtype=dtype)
    if like.ndim < 2:
        return torch.zeros(shape, dtype=dtype)
    return torch.randn(shape, dtype=dtype) * 0.01


def _names(found: Checkpoint, classes: Sequence[str] | None, count: int) -> tuple[tuple[str, ...], str]:
    if classes is not None:
        given = check_classes(classes)
        if len(given) != count:
            raise UsageError(f"{len(given)} class names were given, but the head has {count} outputs")
        return given, ""
    held = found.classes or ()
    if len(set(held)) == count == len(held):
        return held, "class names were found in the file"
    names = f"{len(held)} names for {count} classes" if held else "no classes"
    numbers = tuple(str(index) for index in range(count))
    return numbers, f"the file holds {names}; they are called 0 to {count - 1} (--classes gives them names)"


def _description(row: Backbone, found: Checkpoint, count: int) -> str:
    where = f" under {found.where!r}" if found.where else ""
    prefix = f", prefix {''.join(found.stripped)!r} taken off" if found.stripped else ""
    return f"{row.name}, {count} classes, {len(found.tensors)} tensors{where}{prefix}"


def _ema_note(found: Checkpoint) -> str:
    return "the file also holds averaged (EMA) weights; --ema takes those" if found.has_ema else ""
