"""The state of an unfinished run, in one safetensors file: everything the next step depends on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.optim import Optimizer

from tars_hub.errors import UsageError
from tars_hub.files import replacing

STATE_NAME = "training/state.safetensors"  # within the model folder; there only while a run is unfinished
_FACTS = "tars_hub.train"

Row = dict[str, "float | None"]  # an epoch's figures


@dataclass(kw_only=True)
class Progress:
    """How far a run has come.

    Attributes:
        epoch: the one at work, from 1.
        step: steps of it that are done.
        loss_sum, right, seen: over the pictures of it so far.
        history: a row of figures for each finished epoch; row 0 is the head alone.
        best: the place in history of the row that was kept.
        ended: no step is left; what remains is the report.
        elapsed_s: seconds of work.
        parity: how the kept model was proven: on so many `pictures`, with this `largest_difference`.
    """

    epoch: int = 1
    step: int = 0
    loss_sum: float = 0.0
    right: float = 0.0
    seen: int = 0
    history: list[Row] = field(default_factory=list)
    best: int | None = None
    ended: bool = False
    elapsed_s: float = 0.0
    parity: dict[str, float] = field(default_factory=dict)

    def unfinished(self, epochs: int) -> bool:
        """Whether there is something left to train, or to measure of what was trained."""
        return self.step > 0 or (not self.ended and self.epoch <= epochs)

    def figures(self) -> dict[str, str]:
        """Of the epoch so far, for the bar."""
        seen = max(1, self.seen)
        return {"loss": f"{self.loss_sum / seen:.4f}", "top1": f"{self.right / seen:.4f}"}

    def close_epoch(self, row: Row, *, better: bool) -> None:
        """Put an epoch's figures into the history and begin the next."""
        if better:
            self.best = len(self.history)
        self.history.append(row)
        self.epoch, self.step = int(row["epoch"] or 0) + 1, 0
        self.loss_sum, self.right, self.seen = 0.0, 0.0, 0


@dataclass(frozen=True, kw_only=True)
class State:
    """What is read from a state's file before its tensors are.

    Attributes:
        settings: `TrainConfig.decisive()` of the run.
        fingerprint: its data's.
        model: its config.json.
        repository: where its weights came from.
        facts: where the run came from, see provenance.
        scaler: of fp16's loss scaling.
    """

    settings: dict[str, Any]
    fingerprint: str
    model: dict[str, Any]
    repository: str | None
    progress: Progress
    facts: dict[str, Any]
    scaler: dict[str, Any] = field(default_factory=dict)


def write_state(path: Path, state: State, tensors: Mapping[str, Tensor]) -> None:
    """Write it whole or not at all.

    Raises:
        UsageError: the disk is full, or the folder may not be written; what was there stays.
    """
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, {_FACTS: json.dumps(asdict(state))})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, "wb") as stream:
            stream.write(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error


def read_state(folder: Path) -> State | None:
    """The state of the unfinished run in a model folder; None where there is none.

    Raises:
        UsageError: the file is damaged.
    """
    path = folder / STATE_NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})[_FACTS])
        return State(**{**facts, "progress": Progress(**facts["progress"])})
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no state of a run ({error}); --overwrite starts anew") from error


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of the state, on the CPU."""
    return dict(load_file(folder / STATE_NAME))


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


def fill_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `pack_optimizer` took."""
    whole = optimizer.state_dict()
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in unpack("optimizer", tensors).items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = _laid_out_as(parameters[int(index)], value)
    optimizer.load_state_dict({**whole, "state": state})


def fill_network(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy values into the network's own tensors, which keep their device and layout."""
    network.load_state_dict({**network.state_dict(), **tensors}, strict=True)


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """With the parameter's strides: a fused optimizer walks through both in the order of memory."""
    return value if value.shape != parameter.shape else torch.empty_like(parameter, device="cpu").copy_(value)
