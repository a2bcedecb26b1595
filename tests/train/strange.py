"""States of a run as no run writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from train.state import STATE_NAME


def altered(output: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], Any]) -> None:
    """Write the state anew with its facts or tensors changed; what `change` returns takes the facts' place."""
    path = output / STATE_NAME
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["tars_hub.train"])
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    found = change(facts, tensors)
    text = found if isinstance(found, str) else json.dumps(facts)
    save_file(tensors, path, metadata={"tars_hub.train": text})


def _put(*keys: str, value: Any) -> Callable[[Any, Any], None]:
    def change(facts: Any, _: Any) -> None:
        for key in keys[:-1]:
            facts = facts[key]
        facts[keys[-1]] = value

    return change


STRANGE: dict[str, Callable[[Any, Any], Any]] = {
    "no JSON": lambda *_: "{",
    "a list": lambda *_: "[]",
    "deep": lambda *_: "[" * 100_000,
    "numbers that are none": lambda facts, _: json.dumps(facts).replace('"elapsed_s": ', '"elapsed_s": 1e999, "x": '),
    "epoch 10**9": _put("progress", "epoch", value=10**9),
    "epoch as text": _put("progress", "epoch", value="2"),
    "epoch -1": _put("progress", "epoch", value=-1),
    "epoch 7": _put("progress", "epoch", value=7),
    "step 10**6": _put("progress", "step", value=10**6),
    "step true": _put("progress", "step", value=True),
    "no history": _put("progress", "history", value=[]),
    "rows of another kind": _put("progress", "history", value=[{"epoch": 1}]),
    "best beyond": _put("progress", "best", value=5),
    "no best": _put("progress", "best", value=None),
    "infinite": _put("progress", "loss_sum", value=float("inf")),
    "another field": _put("progress", "owner", value="me"),
    "no progress": lambda facts, _: facts.pop("progress") and None,
    "facts of nothing": _put("facts", value={}),
    "another backbone": _put("model", "backbone", value="resnet18"),
    "an unknown backbone": _put("model", "backbone", value="os.system"),
    "other classes": _put("model", "id2label", value={"0": "1", "1": "0"}),
    "no model": _put("model", value={}),
    "a weight less": lambda _, tensors: tensors.pop("model.classifier.1.bias") is None,
    "a moment less": lambda _, tensors: tensors.pop("optimizer.0.exp_avg") is None,
    "no moments": lambda _, tensors: (
        [tensors.pop(name) for name in list(tensors) if name.startswith("optimizer")] and 0
    ),
    "a weight more": lambda _, tensors: tensors.update({"model.extra": torch.zeros(1)}),
    "another part": lambda _, tensors: tensors.update({"other": torch.zeros(1)}),
    "another shape": lambda _, tensors: tensors.update({"model.classifier.1.bias": torch.zeros(3)}),
    "a moment of another shape": lambda _, tensors: tensors.update({"optimizer.0.exp_avg": torch.zeros(3)}),
    "a parameter too many": lambda _, tensors: tensors.update({"optimizer.9999.exp_avg": torch.zeros(3)}),
    "a parameter of no number": lambda _, tensors: tensors.update({"optimizer.x.exp_avg": torch.zeros(3)}),
}
