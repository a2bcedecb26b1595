"""Where a model looked: the places of a picture that spoke for a class.

Convolutional networks and Swin are asked by Grad-CAM (Selvaraju et al., ICCV 2017, arXiv 1610.02391), ViT by
attention relevance (Chefer, Gur and Wolf, ICCV 2021, arXiv 2103.15679, equations 5 and 6): in its last blocks every
token has mixed with all others, and Grad-CAM there finds the patch in question little better than chance.

The work is done on a twin of the network: its own modules around the same numbers. What is put into the twin to watch
it does not meet the answers that other threads ask of the network at the same moment, and leaves nothing behind.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import SwinTransformer, VisionTransformer

from tars_hub import backbones, preprocess
from tars_hub.errors import UsageError
from tars_hub.predict import Predictor
from tars_hub.samples import Pixels

# Places along a side. Seven are what the last stage has of 224 px pictures, which these networks were made for; of
# smaller ones it has so few (ResNet-18 at 32 px: one) that an earlier stage says more.
_CELLS = 7


@dataclass(frozen=True)
class Heat:
    """How much each place spoke for a class.

    Attributes:
        weights: (S, S) float32, 0..1, the strongest place 1; S is the side of the prepared picture. All 0 where
            nothing speaks for the class.
    """

    weights: NDArray[np.float32]


def explain(predictor: Predictor, pixels: Pixels, index: int) -> Heat:
    """Say where the model looked; safe beside other threads that use the same predictor.

    Args:
        pixels: (S, S, 3) uint8, as `Predictor.prepare` gives them.
        index: of the class in `config.classes`, likely or not.

    Raises:
        UsageError: the model has no such class.
    """
    count = predictor.config.num_classes
    if not 0 <= index < count:
        raise UsageError(f"there is no class number {index}; the model's are 0 to {count - 1}")
    # The caller's thread may have gradients off; a tensor that is made in inference mode can never have one.
    with torch.inference_mode(False), torch.enable_grad():
        inputs = preprocess.to_tensor(pixels, predictor.config.preprocess)[None].to(predictor.device)
        network, path = _twin(predictor.model.backbone), backbones.find(predictor.config.backbone).stages
        ask = _attention_relevance if isinstance(network, VisionTransformer) else _grad_cam
        places = ask(network, path, inputs, index)
    return Heat(_spread(places, pixels.shape[0]))


def _twin(network: nn.Module) -> nn.Module:
    """The same network in modules of its own. Its parameters are the very numbers, but want no gradients."""
    same: dict[int, Tensor] = {id(tensor): tensor.detach() for tensor in network.parameters()}
    same |= {id(tensor): tensor for tensor in network.buffers()}
    return copy.deepcopy(network, same)


def _grad_cam(network: nn.Module, path: str, inputs: Tensor, index: int) -> Tensor:
    """(1, 3, S, S) to (h, w): each channel counts by its mean gradient; what speaks against the class is 0."""
    is_swin = isinstance(network, SwinTransformer)
    watch = _Watch(_window(network) + 1 if is_swin else _CELLS, channels_last=is_swin)
    for stage in network.get_submodule(path).children():
        stage.register_forward_hook(watch)
    logit = network(inputs)[0, index]
    (gradient,) = torch.autograd.grad(logit, watch.leaf)
    activation, slope = watch.channels_first(watch.leaf.detach()), watch.channels_first(gradient)
    weight = slope.float().mean((2, 3), keepdim=True)
    return (weight * activation.float()).sum(1)[0].relu()


def _window(network: nn.Module) -> int:
    """Places along a side of Swin's windows; where the picture has no more, each place has soon seen all of it."""
    modules: Iterable[Any] = network.modules()
    sides: list[int] = next(module.window_size for module in modules if hasattr(module, "window_size"))
    return max(sides)


class _Watch:
    """A forward hook for stages that run one after another: keeps the deepest output that has enough places.

    Where none has enough, as in a tiny picture, it is the deepest of those that have most. Each output that
    is good enough so far is handed on as a new leaf, so that gradients reach back to the last of them alone:
    what lies before costs no memory and no time.

    Attributes:
        leaf: the output, (1, C, h, w), or (1, h, w, C) with `channels_last`.
    """

    leaf: Tensor

    def __init__(self, enough: int, *, channels_last: bool) -> None:
        self._enough = enough
        self._channels_last = channels_last
        self._most = 0

    def __call__(self, _: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor | None:
        if output.ndim != 4:
            return None
        cells = min(self.channels_first(output).shape[2:])
        if cells < min(self._enough, self._most):
            return None
        self._most = max(cells, self._most)
        self.leaf = output.detach().requires_grad_()
        return self.leaf.clone()  # the next stage may write into it, as VGG's do

    def channels_first(self, output: Tensor) -> Tensor:
        return output.permute(0, 3, 1, 2) if self._channels_last else output


def _attention_relevance(network: nn.Module, path: str, inputs: Tensor, index: int) -> Tensor:
    """(1, 3, S, S) to (h, w): what each patch gave to the class token, followed through all blocks.

    In a block a token gives to another what the attention between them, times its gradient, has above 0 in
    the mean of the heads. Every patch gives a little; the one that gives least is 0.
    """
    blocks: list[Any] = list(network.get_submodule(path).children())
    opened = [_OpenAttention(block.self_attention) for block in blocks]
    for block, attention in zip(blocks, opened, strict=True):
        block.self_attention = attention
    logit = network(inputs)[0, index]
    weights = [attention.weights for attention in opened]
    relevance = torch.eye(weights[0].shape[-1], device=inputs.device)
    for weight, gradient in zip(weights, torch.autograd.grad(logit, weights), strict=True):
        given = (weight.detach() * gradient)[0].float().relu().mean(0)
        relevance = relevance + given @ relevance
    patches = relevance[0, 1:]
    side = math.isqrt(len(patches))
    return (patches - patches.min()).reshape(side, side)


class _OpenAttention(nn.Module):
    """Self-attention that keeps its weights in the way of the gradients; torch's own keeps at most a view of them.

    Attributes:
        weights: (N, heads, T, T), from each of T tokens to each.
    """

    weights: Tensor

    def __init__(self, closed: nn.MultiheadAttention) -> None:
        super().__init__()
        self._closed = closed

    def forward(self, tokens: Tensor, *_: Tensor, **__: object) -> tuple[Tensor, None]:
        """(N, T, D) to the same, and None for weights that were not asked for, as torch's."""
        closed = self._closed
        count, length, width = tokens.shape
        mapped = functional.linear(tokens, closed.in_proj_weight, closed.in_proj_bias)
        heads = mapped.reshape(count, length, 3, closed.num_heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind()
        weights = (query @ key.transpose(-2, -1) / math.sqrt(key.shape[-1])).softmax(-1)
        # The first block's is where gradients end: nothing before it wants any.
        self.weights = weights if weights.requires_grad else weights.requires_grad_()
        mixed = (self.weights @ value).transpose(1, 2).reshape(count, length, width)
        return closed.out_proj(mixed), None


def _spread(places: Tensor, side: int) -> NDArray[np.float32]:
    """(h, w) of 0 and more to (side, side), the strongest 1; all 0 where it is 0 everywhere or no number somewhere."""
    strongest = places.max()
    if not (places.isfinite().all() and strongest > 0):
        return np.zeros((side, side), np.float32)
    even = (places / strongest)[None, None]  # first, so that what is spread stays within a float
    wide = functional.interpolate(even, size=(side, side), mode="bilinear", align_corners=False)[0, 0]
    weights: NDArray[np.float32] = (wide / wide.max()).clamp(0, 1).cpu().numpy()
    return weights
