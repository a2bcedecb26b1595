"""What a recipe asks of a network: which layers learn, how fast, and which stay as they are."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .config import Freeze
from .recipe import BatchNorm, Recipe, layer_share

_DEPTHS = 12


def freeze(network: nn.Module, heads: tuple[str, ...], what: Freeze) -> None:
    """Mark what keeps its weights: nothing, the first half of the layers, or all but the heads."""
    layers = [layer for path, layer in _with_parameters(network) if path not in heads]
    count = {"none": 0, "initial": len(layers) // 2, "backbone": len(layers)}[what]
    for layer in layers[:count]:
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(False)  # torch takes no keyword here


def set_training(network: nn.Module, batch_norm: BatchNorm = "train") -> None:
    """Training mode, except where frozen: BatchNorm's running statistics there must not drift.

    Args:
        batch_norm: "keep" leaves them as they are everywhere.
    """
    network.train()
    for layer in network.modules():
        if batch_norm == "keep" and isinstance(layer, _BatchNorm):
            layer.eval()
        own = list(layer.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            layer.training = False  # itself alone: a vision transformer's class token belongs to the whole network


def trains_batch_norm(network: nn.Module, batch_norm: BatchNorm = "train") -> bool:
    """Whether the network, in training, takes statistics of batches."""
    set_training(network, batch_norm)
    return any(isinstance(layer, _BatchNorm) and layer.training for layer in network.modules())


def parameter_groups(network: nn.Module, heads: tuple[str, ...], recipe: Recipe) -> list[dict[str, Any]]:
    """Trainable parameters for the optimizer: lower layers slower, no decay on vectors.

    `peak_lr` of a group is its learning rate at the end of the warm-up.
    """
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for depth, layer in _depths(network, heads):
        for parameter in layer.parameters(recurse=False):
            if parameter.requires_grad:
                groups.setdefault((depth, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "peak_lr": recipe.peak_lr * layer_share(recipe, depth, _DEPTHS),
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for (depth, decays), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]


def _depths(network: nn.Module, heads: tuple[str, ...]) -> list[tuple[int, nn.Module]]:
    """Layers with parameters of their own, each with its depth: 0 at the input, the last one for heads alone."""
    found = _with_parameters(network)
    body = [path for path, _ in found if path not in heads]
    depth = {path: index * (_DEPTHS - 1) // len(body) for index, path in enumerate(body)}
    return [(depth.get(path, _DEPTHS - 1), layer) for path, layer in found]


def _with_parameters(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """In the order of their making, which is that of torchvision's forward passes."""
    return [
        (path, layer) for path, layer in network.named_modules() if any(True for _ in layer.parameters(recurse=False))
    ]
