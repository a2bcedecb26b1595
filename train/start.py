"""What a run starts from: ImageNet's weights, a model of one's own, or nothing; and the classifier made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from tars_hub import backbones
from tars_hub.backbones import IMAGENET_CLASSES, Backbone
from tars_hub.config import ModelConfig, Preprocess
from tars_hub.errors import UsageError
from tars_hub.model import TarsClassifier

from .augment import PRESETS
from .config import IMAGENET, NO_WEIGHTS, TrainConfig

_DEFAULT_MODEL = "resnet50"


@dataclass(frozen=True)
class Start:
    """A backbone's row, how its pictures are prepared, and weights where there are some.

    Attributes:
        classes: what the network's head answers with, where it comes from a model of one's own.
        repository: where that model lies on a hub.
    """

    row: Backbone
    preprocess: Preprocess
    network: nn.Module | None = None
    classes: tuple[str, ...] | None = None
    repository: str | None = None


def heads_of(backbone: str) -> tuple[str, ...]:
    """Paths of the last layers, the main one first, then the auxiliary ones."""
    row = backbones.find(backbone)
    return (row.head, *row.aux_heads)


def fetch(config: TrainConfig) -> Start:
    """Get the weights, or fail before anything else is done.

    Raises:
        DownloadError: ImageNet weights are not to be had; the message names the other choices.
        UsageError: the backbone does not fit the weights or the picture size.
    """
    if config.weights not in (IMAGENET, NO_WEIGHTS):
        return _from_model(config)
    row = backbones.find(config.model or _DEFAULT_MODEL)
    prepared = replace(backbones.preprocess_for(row.name, img_size=config.img_size, training=True), crop=config.crop)
    backbones.check_size(row, prepared.crop_size, training=True)
    if config.weights == NO_WEIGHTS:
        return Start(row, prepared)
    return Start(row, prepared, backbones.build_pretrained(row.name, IMAGENET_CLASSES))


def outline(config: TrainConfig) -> Start:
    """As `fetch`, but without ImageNet's weights: enough to say what would be trained, and how fast."""
    return fetch(replace(config, weights=NO_WEIGHTS) if config.weights == IMAGENET else config)


def _from_model(config: TrainConfig) -> Start:
    source = TarsClassifier.from_pretrained(config.weights)
    row = backbones.find(source.config.backbone)
    if config.model not in (None, row.name):
        raise UsageError(f"--weights {config.weights} holds a {row.name}, not a {config.model}; leave --model out")
    prepared = source.config.preprocess
    if config.img_size is not None:
        sized = backbones.preprocess_for(row.name, img_size=config.img_size, training=True)
        prepared = replace(prepared, crop_size=sized.crop_size, resize_size=sized.resize_size)
    repository = None if Path(config.weights).exists() else config.weights
    return Start(row, replace(prepared, crop=config.crop), source.backbone, source.config.classes, repository)


def make_model(start: Start, config: TrainConfig, classes: tuple[str, ...]) -> TarsClassifier:
    """The classifier to train: the start's weights with a head for these classes."""
    torch.manual_seed(config.seed)  # before the head's, or all, random weights
    model_config = ModelConfig(
        backbone=start.row.name,
        classes=classes,
        preprocess=start.preprocess,
        drawings=PRESETS[config.augment].drawing,
    )
    if start.network is None:
        return TarsClassifier(model_config)
    if start.classes != classes:
        for path in heads_of(start.row.name):
            backbones.replace_head(start.network, path, len(classes))
    return TarsClassifier(model_config, start.network)
