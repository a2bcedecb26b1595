"""The state of an unfinished run, in one safetensors file: everything the next step depends on."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.optim import Optimizer

from tars_hub.errors import UsageError
from tars_hub.files import replacing
from tars_hub.weights import check

from .progress import State
from .sound import state_from

STATE_NAME = "training/state.safetensors"  # within the model folder; there only while a run is unfinished
_FACTS = "tars_hub.train"
_STEPS = "step"  # AdamW's count of its steps
_DAMAGE = (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError)


def write_state(path: Path, state: State, tensors: Mapping[str, Tensor]) -> None:
    """Write it whole or not at all.

    Raises:
        UsageError: the disk is full, or the folder may not be written; what was there stays.
    """
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, {_FACTS: json.dumps(asdict(state))})
    path = path.resolve()  # the folder may be a link to one that is yet to be made
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, "wb") as stream:
            stream.write(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error


def read_state(folder: Path) -> State | None:
    """The state of the unfinished run in a model folder; None where there is none.

    Raises:
        UsageError: the file is damaged, or no state.
    """
    path = folder / STATE_NAME
    if not path.exists():
        return None
    try:
        return state_from(_read_facts(path))
    except _DAMAGE as error:
        raise UsageError(f"{path} is no state of a run ({_one_line(error)}); --overwrite starts anew") from error


def read_mark(folder: Path) -> str | None:
    """The mark of the state in a model folder; None where there is none that can be read."""
    try:
        mark = _read_facts(folder / STATE_NAME)["mark"]
    except _DAMAGE:
        return None
    return mark if isinstance(mark, str) else None


def _read_facts(path: Path) -> Any:  # noqa: ANN401  # any JSON
    with safe_open(path, "pt") as file:
        return json.loads((file.metadata() or {})[_FACTS])


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of the state, on the CPU, mapped into memory.

    Raises:
        UsageError: they cannot be read.
    """
    path = folder / STATE_NAME
    try:
        return dict(load_file(path))
    except Exception as error:  # safetensors and torch raise half a dozen kinds for a broken file
        raise refusal(folder, error) from error


def refusal(folder: Path, why: Exception) -> UsageError:
    """The error for a state that reads well and is none of this run."""
    path = folder / STATE_NAME
    return UsageError(f"{path} is no state of this run ({_one_line(why)}); delete it, and --overwrite begins anew")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def pack(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names with a prefix, tensors on the CPU."""
    return {f"{prefix}.{name}": tensor.detach().cpu() for name, tensor in tensors.items()}


def unpack(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The names that have this prefix, without it."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")}


def pack_optimizer(optimizer: Optimizer) -> dict[str, Tensor]:
    """An optimizer's tensors as `optimizer.PARAMETER.NAME`."""
    found = {
        f"{index}.{name}": value
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }
    return pack("optimizer", found)


def fill_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], moments: Collection[str]) -> None:
    """Put back what `pack_optimizer` took.

    Args:
        moments: names of what it keeps of each parameter; where it keeps any, it must keep all.

    Raises:
        ValueError: this is another optimizer's.
    """
    whole = optimizer.state_dict()
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    wanted = {f"{index}.{name}" for index in range(len(parameters)) for name in moments}
    found = unpack("optimizer", tensors)
    if found and found.keys() != wanted:
        raise ValueError(f"the optimizer's {sorted(found.keys() ^ wanted)[0]} is missing or unknown")
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in found.items():
        index, _, key = name.partition(".")
        parameter = parameters[int(index)]
        if value.shape != (() if key == _STEPS else parameter.shape) or not value.is_floating_point():
            raise ValueError(f"the optimizer's {name} has another shape or kind")
        state.setdefault(int(index), {})[key] = _laid_out_as(parameter, value)
    optimizer.load_state_dict({**whole, "state": state})


def fill_network(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy values into the network's own tensors, which keep their device and layout.

    Raises:
        WeightsError: names and shapes are not exactly the network's.
    """
    own = network.state_dict()
    check(own, tensors, source="it")
    own.update(tensors)  # not a new dict: it carries versions (mnasnet's) that safetensors does not keep
    network.load_state_dict(own, strict=True)


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy with the parameter's strides: a fused optimizer walks through both in the order of memory."""
    return value.clone() if value.shape != parameter.shape else torch.empty_like(parameter, device="cpu").copy_(value)
