"""The table of backbones: every torchvision classification network, one row each.

A row says what the name alone does not: where the head sits, which picture sizes work, and whether
timm and transformers read the same tensors under the same name. Everything else (the builder, the
ImageNet weights and how their pictures were prepared) is torchvision's own and is asked there.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from http.client import HTTPException
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torchvision.models import get_model, get_model_weights

from tars_hub.config import MAX_SIDE_PX, ModelConfig, Preprocess, shown
from tars_hub.errors import DownloadError, UsageError

IMAGENET_CLASSES = 1000


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One row.

    Attributes:
        name: torchvision's name of the builder.
        head: path of the last layer, which has one output per class.
        stages: path of the module whose children run one after another and make the features; "" is the network.
        aux_heads: paths of the last layers of auxiliary classifiers, used in training alone.
        min_px: smallest picture side that answers, in pixels.
        min_train_px: the same for training.
        fixed_px: the only side that works, where the network has no choice.
        weights: torchvision's name of the ImageNet weights taken by default.
        own_scaling: the ImageNet weights want values of -1..1 instead of ImageNet's mean and deviation.
        timm_equal: timm and transformers give the same answers from the same tensors under this name.
    """

    name: str
    head: str
    stages: str = ""
    aux_heads: tuple[str, ...] = ()
    min_px: int = 1
    min_train_px: int = 1
    fixed_px: int | None = None
    weights: str = "DEFAULT"
    own_scaling: bool = False
    timm_equal: bool = False


def _rows() -> Iterator[Backbone]:  # noqa: C901, PLR0912  # a table, however many loops write it
    yield Backbone(name="alexnet", head="classifier.6", stages="features", min_px=63, min_train_px=63)
    for size in ("tiny", "small", "base", "large"):
        yield Backbone(name=f"convnext_{size}", head="classifier.2", stages="features", min_px=32, min_train_px=32)
    for depth in (121, 161, 169, 201):
        yield Backbone(
            name=f"densenet{depth}",
            head="classifier",
            stages="features",
            min_px=29,
            min_train_px=29,
            timm_equal=True,
        )
    for size in ("b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "v2_s", "v2_m", "v2_l"):
        yield Backbone(name=f"efficientnet_{size}", head="classifier.1", stages="features")
    yield Backbone(
        name="googlenet", head="fc", aux_heads=("aux1.fc2", "aux2.fc2"), min_px=15, min_train_px=15, own_scaling=True
    )
    yield Backbone(
        name="inception_v3", head="fc", aux_heads=("AuxLogits.fc",), min_px=75, min_train_px=299, own_scaling=True
    )
    yield Backbone(name="maxvit_t", head="classifier.5", stages="blocks", fixed_px=224)
    for width in ("0_5", "0_75", "1_0", "1_3"):
        yield Backbone(name=f"mnasnet{width}", head="classifier.1", stages="layers")
    yield Backbone(name="mobilenet_v2", head="classifier.1", stages="features")
    for size in ("small", "large"):
        yield Backbone(name=f"mobilenet_v3_{size}", head="classifier.3", stages="features")
    for size in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf"):
        yield Backbone(name=f"regnet_x_{size}", head="fc", stages="trunk_output")
        yield Backbone(name=f"regnet_y_{size}", head="fc", stages="trunk_output")
    # Its other weights want 384 px, nearly three times the work for every picture.
    yield Backbone(name="regnet_y_128gf", head="fc", stages="trunk_output", weights="IMAGENET1K_SWAG_LINEAR_V1")
    for depth in (18, 34, 50, 101, 152):
        yield Backbone(name=f"resnet{depth}", head="fc", timm_equal=True)
    for shape in ("50_32x4d", "101_32x8d", "101_64x4d"):
        yield Backbone(name=f"resnext{shape}", head="fc", timm_equal=True)
    for width in ("0_5", "1_0", "1_5", "2_0"):
        yield Backbone(name=f"shufflenet_v2_x{width}", head="fc")
    yield Backbone(name="squeezenet1_0", head="classifier.1", stages="features", min_px=21, min_train_px=21)
    yield Backbone(name="squeezenet1_1", head="classifier.1", stages="features", min_px=17, min_train_px=17)
    for size in ("t", "s", "b"):
        yield Backbone(name=f"swin_{size}", head="head", stages="features", min_px=4, min_train_px=4)
        yield Backbone(name=f"swin_v2_{size}", head="head", stages="features", min_px=4, min_train_px=4)
    for depth in (11, 13, 16, 19):
        yield Backbone(name=f"vgg{depth}", head="classifier.6", stages="features", min_px=32, min_train_px=32)
        yield Backbone(name=f"vgg{depth}_bn", head="classifier.6", stages="features", min_px=32, min_train_px=32)
    for size in ("b_16", "b_32", "l_16", "l_32"):
        yield Backbone(name=f"vit_{size}", head="heads.head", stages="encoder.layers", fixed_px=224)
    # Its other weights are for 518 px and a position table that the plain builder does not make.
    yield Backbone(
        name="vit_h_14", head="heads.head", stages="encoder.layers", fixed_px=224, weights="IMAGENET1K_SWAG_LINEAR_V1"
    )
    for depth in (50, 101):
        yield Backbone(name=f"wide_resnet{depth}_2", head="fc", timm_equal=True)


BACKBONES: Mapping[str, Backbone] = MappingProxyType({row.name: row for row in _rows()})


def find(name: str) -> Backbone:
    """The row of that name.

    Raises:
        UsageError: no such row; the message names the nearest ones.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    near = get_close_matches(name[:40].lower(), BACKBONES, n=3, cutoff=0.5) or ["resnet50", "mobilenet_v3_small"]
    raise UsageError(
        f"there is no backbone {shown(name)}; did you mean {' or '.join(near)}? `tars backbones` lists all"
    )


def build(name: str, num_classes: int) -> nn.Module:
    """The network with random weights: (N, 3, H, W) float32 to (N, num_classes) logits."""
    return _torchvision(find(name), weights=None, num_classes=num_classes)


def build_empty(name: str, num_classes: int) -> nn.Module:
    """The network without values (its parameters lie on the meta device), to be filled by a load."""
    with _ParametersOnMeta():
        return build(name, num_classes)


def build_pretrained(name: str, num_classes: int) -> nn.Module:
    """The network with torchvision's ImageNet weights and a fresh head.

    Raises:
        DownloadError: the weights are not cached and cannot be fetched, or what is cached is damaged.
    """
    row = find(name)
    try:
        # Once without pickle's code, because torchvision itself reads the cached file with it.
        _weights_of(row).get_state_dict(check_hash=True, weights_only=True)
    except Exception as error:  # for a damaged file torch raises a dozen kinds
        raise DownloadError(
            f"the ImageNet weights of {name} could not be fetched ({_reason(error)}); "
            "use --weights none, or --weights with a model folder or repository id"
        ) from error
    network = _torchvision(row, weights=row.weights, num_classes=IMAGENET_CLASSES)
    for path in (row.head, *row.aux_heads):
        replace_head(network, path, num_classes)
    return network


def replace_head(network: nn.Module, path: str, num_classes: int) -> None:
    """Put a fresh layer with `num_classes` outputs in the place of the linear or convolutional one at `path`."""
    old = network.get_submodule(path)
    if not isinstance(old, (nn.Linear, nn.Conv2d)):
        raise UsageError(f"{path} is a {type(old).__name__}; a head is a Linear or Conv2d layer")
    place: dict[str, Any] = {"device": old.weight.device, "dtype": old.weight.dtype}
    new: nn.Module
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, num_classes, bias=old.bias is not None, **place)
    else:
        new = nn.Conv2d(old.in_channels, num_classes, kernel_size=1, **place)
    parent, _, leaf = path.rpartition(".")
    setattr(network.get_submodule(parent), leaf, new)


def preprocess_for(name: str, *, img_size: int | None = None, training: bool = False) -> Preprocess:
    """How pictures are prepared for this backbone: as its ImageNet weights were trained.

    Args:
        img_size: another side in pixels; the margin around the centre crop keeps its proportion.
        training: check the size for training, where inception_v3 needs more.

    Raises:
        UsageError: the backbone does not work at that size.
    """
    row = find(name)
    transform: Any = _weights_of(row).transforms()
    crop_px, resize_px = transform.crop_size[0], max(transform.crop_size[0], transform.resize_size[0])
    if img_size is not None:
        check_size(row, img_size, training=training)
        crop_px, resize_px = img_size, min(MAX_SIDE_PX, round(img_size * resize_px / crop_px))
    half = (0.5, 0.5, 0.5)
    return Preprocess(
        crop_size=crop_px,
        resize_size=resize_px,
        interpolation=transform.interpolation.value,
        mean=half if row.own_scaling else tuple(transform.mean),
        std=half if row.own_scaling else tuple(transform.std),
    )


def timm_fields(config: ModelConfig) -> dict[str, Any]:
    """What timm and transformers need in config.json, for rows where they give the same answers; else nothing.

    A folder without these fields is refused by both instead of being loaded into another network.
    """
    row = find(config.backbone)
    if not row.timm_equal:
        return {}
    preprocess = config.preprocess
    network = build_empty(row.name, config.num_classes)
    modes = {"center": "center", "squash": "squash", "pad": "border"}
    return {
        "architecture": row.name,
        "num_features": network.get_submodule(row.head).in_features,
        "label_names": list(config.classes),
        "pretrained_cfg": {
            "architecture": row.name,
            "num_classes": config.num_classes,
            "input_size": [3, preprocess.crop_size, preprocess.crop_size],
            "interpolation": preprocess.interpolation,
            "crop_pct": _crop_share(preprocess),
            "crop_mode": modes[preprocess.crop],
            "mean": list(preprocess.mean),
            "std": list(preprocess.std),
            "label_names": list(config.classes),
            "pool_size": None,
            "first_conv": "features.conv0" if row.name.startswith("densenet") else "conv1",
            "classifier": row.head,
        },
    }


def _crop_share(preprocess: Preprocess) -> float:
    """timm's `crop_pct`: it resizes to floor(crop_size / crop_pct), which rounding must not make one pixel less."""
    if preprocess.crop != "center":
        return 1.0
    share = preprocess.crop_size / preprocess.resize_size
    exact = math.floor(preprocess.crop_size / share) == preprocess.resize_size
    return share if exact else preprocess.crop_size / (preprocess.resize_size + 0.5)


def _torchvision(row: Backbone, *, weights: str | None, num_classes: int) -> nn.Module:
    options: dict[str, Any] = {"aux_logits": True, "init_weights": weights is None} if row.aux_heads else {}
    with warnings.catch_warnings():
        # googlenet warns that its auxiliary heads have no ImageNet weights; they are replaced here anyway.
        warnings.filterwarnings("ignore", message="auxiliary heads in the pretrained")
        network: nn.Module = get_model(row.name, weights=weights, num_classes=num_classes, **options)
    if row.own_scaling:
        # torchvision turns this on with ImageNet weights, to undo ImageNet's scaling. The rows' own mean and
        # deviation say the same in one place, and the file then means the same to a plain builder.
        network.transform_input = False  # type: ignore[assignment]
    return network


def _weights_of(row: Backbone) -> Any:  # noqa: ANN401  # torchvision's enum of that builder
    return get_model_weights(row.name)[row.weights]


def check_size(row: Backbone, img_size: int, *, training: bool = False) -> None:
    """Raise a UsageError where the backbone does not work on pictures of that side, in pixels."""
    if row.fixed_px is not None and img_size != row.fixed_px:
        raise UsageError(f"{row.name} takes {row.fixed_px} px pictures and no other size, not {img_size} px")
    least = row.min_train_px if training else row.min_px
    if img_size < least:
        verb = "trains on" if training else "takes"
        raise UsageError(f"{row.name} {verb} pictures of {least} px and more, not {img_size} px")
    if img_size > MAX_SIDE_PX:
        raise UsageError(f"pictures may be {MAX_SIDE_PX} px at most, not {img_size} px")


def _reason(error: Exception) -> str:
    if not isinstance(error, (OSError, HTTPException)) and "hash" not in str(error):
        return f"the cached file under {torch.hub.get_dir()} is damaged or holds more than tensors; delete it"
    return " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__


class _ParametersOnMeta(TorchFunctionMode):
    """Give `torch.empty`, which parameters are born from, no memory; all else stays real.

    `torch.device("meta")` as a context would move every tensor there, which RegNet's builder,
    computing its widths with tensors, does not survive. This mode holds for the calling thread alone.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        if func is torch.empty:
            kwargs = {**kwargs, "device": "meta"}
        return func(*args, **kwargs)
