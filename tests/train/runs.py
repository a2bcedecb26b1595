"""Small runs for the trainer's tests: two digits, a network that trains in a blink, and a look at what is left."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from train.config import TrainConfig
from train.console import Console
from train.data import scan
from train.layers import freeze
from train.learner import Learner
from train.loop import Run
from train.processes import started
from train.progress import Progress
from train.recipe import RECIPES, Recipe
from train.run import Result, run, set_up
from train.start import fetch, heads_of, make_model

# SqueezeNet has dropout and no BatchNorm, and takes a second; tests of BatchNorm choose another.
SMALL = {"model": "squeezenet1_1", "weights": "none", "img_size": 32, "augment": "none", "workers": 2}
FLAGS = "--model squeezenet1_1 --weights none --img-size 32 --augment none --epochs 1 --batch-size 16".split()
_OF_RECIPE = {each.name for each in fields(Recipe)}


def config_for(data: Path, output: Path, **changes: Any) -> TrainConfig:
    """A run of one epoch from nothing; changes are fields of TrainConfig or of its recipe."""
    base = changes.pop("recipe", RECIPES["scratch"])
    how = {key: changes.pop(key) for key in list(changes) if key in _OF_RECIPE}
    recipe = replace(base, **{"epochs": 1, "batch_size": 8, **how})
    return TrainConfig(data=data, output=output, recipe=recipe, **{**SMALL, **changes})


def trained(data: Path, output: Path, **changes: Any) -> Result:
    """What such a run ends with."""
    return run(config_for(data, output, **changes), Console())


@contextmanager
def set_up_run(config: TrainConfig) -> Iterator[tuple[Run, Learner]]:
    """A run before its first step."""
    with started(config) as processes:
        folder = scan(config.data, seed=config.seed)
        model = make_model(fetch(config), config, folder.classes)
        heads = heads_of(model.config.backbone)
        freeze(model.backbone, heads, config.freeze)
        this = set_up(config, Console(), processes, folder, model, Progress())
        yield this, Learner(model, heads, config, processes, updates=0)


def weights_of(folder: Path) -> dict[str, Tensor]:
    """A saved model's tensors."""
    return load_file(folder / "model.safetensors")


def json_of(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of the folder `training`."""
    found: dict[str, Any] = json.loads((folder / "training" / name).read_text(encoding="utf-8"))
    return found


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    """A CSV file of the folder `training`."""
    return list(csv.DictReader((folder / "training" / name).read_text(encoding="utf-8-sig").splitlines()))


def same(a: dict[str, Tensor], b: dict[str, Tensor], tolerance: float = 0.0) -> bool:
    """Whether all tensors are alike."""
    return a.keys() == b.keys() and all(torch.allclose(a[key], b[key], rtol=0, atol=tolerance) for key in a)


def copied(data: Path, target: Path) -> Path:
    """A data folder to spoil."""
    return Path(shutil.copytree(data, target))
