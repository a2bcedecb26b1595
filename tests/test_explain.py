"""Where a model looked: against pictures in which one patch decides, and beside everything else a model is used for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models import SwinTransformer, VisionTransformer, get_model

from tars_hub import Predictor, TarsClassifier, preprocess
from tars_hub.backbones import BACKBONES, build_empty
from tars_hub.config import ModelConfig, Preprocess
from tars_hub.errors import UsageError
from tars_hub.explain import Heat, _attention_relevance, _grad_cam, _OpenAttention, _twin, explain

COLOURS = np.array([(220, 40, 40), (40, 80, 220), (40, 190, 60)])
CLASSES = ["red", "blue", "green"]
Places = list[tuple[int, int, int]]  # (class, row, column) of each patch


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Small work; on a busy machine threads that wait for each other take six times as long as one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- Networks that were trained to tell a patch's colour, wherever it lies on a noisy grey. ---


@dataclass(frozen=True)
class Patches:
    """Pictures of `side` px with square patches of a quarter of that."""

    side: int
    rng: np.random.Generator

    @property
    def patch(self) -> int:
        return self.side // 4

    def picture(self, places: Places) -> NDArray[np.uint8]:
        pixels = self.rng.normal(115, 30, (self.side, self.side, 3))
        for kind, row, column in places:
            pixels[row : row + self.patch, column : column + self.patch] = COLOURS[kind]
        clipped: NDArray[np.uint8] = pixels.clip(0, 255).astype(np.uint8)
        return clipped

    def place(self, kind: int) -> tuple[int, int, int]:
        row, column = self.rng.integers(0, self.side - self.patch + 1, 2)
        return kind, int(row), int(column)

    def two(self) -> Places:
        """Of two classes, half a patch apart at least."""
        first, second = self.rng.permutation(3)[:2]
        while True:
            a, b = self.place(int(first)), self.place(int(second))
            if max(abs(a[1] - b[1]), abs(a[2] - b[2])) >= 1.5 * self.patch:
                return [a, b]


def config(backbone: str, side: int) -> ModelConfig:
    plain = Preprocess(crop_size=side, resize_size=side, mean=(0.45, 0.45, 0.45), std=(0.25, 0.25, 0.25))
    return ModelConfig(backbone=backbone, classes=CLASSES, preprocess=plain)


def trained(backbone: str, network: nn.Module, side: int, *, rate: float, steps: int, batch: int = 24) -> Predictor:
    model = TarsClassifier(config(backbone, side), network)
    patches = Patches(side, np.random.default_rng(1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    model.train()
    for _ in range(steps):
        kinds = patches.rng.integers(0, 3, batch)
        inputs = [preprocess.to_tensor(patches.picture([patches.place(k)]), model.config.preprocess) for k in kinds]
        loss = nn.functional.cross_entropy(model(torch.stack(inputs)), torch.from_numpy(kinds))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return Predictor(model, device="cpu")


def resnet_32() -> Predictor:
    return trained("resnet18", get_model("resnet18", num_classes=3), 32, rate=1e-3, steps=45)


def small_vit() -> Predictor:
    network = VisionTransformer(
        image_size=32, patch_size=4, num_layers=4, num_heads=4, hidden_dim=64, mlp_dim=128, num_classes=3
    )
    return trained("vit_b_32", network, 32, rate=1e-3, steps=80)


def small_swin() -> Predictor:
    sizes = {"patch_size": [2, 2], "embed_dim": 24, "depths": [2, 2, 2], "num_heads": [2, 4, 8], "window_size": [4, 4]}
    network = SwinTransformer(**sizes, num_classes=3, stochastic_depth_prob=0.0)
    return trained("swin_t", network, 32, rate=1e-3, steps=80)


def vit_b_32() -> Predictor:
    return trained("vit_b_32", get_model("vit_b_32", num_classes=3), 224, rate=1e-4, steps=40, batch=8)


def swin_t() -> Predictor:
    return trained("swin_t", get_model("swin_t", num_classes=3), 224, rate=2e-4, steps=60, batch=8)


@cache
def made(make: Callable[[], Predictor]) -> Predictor:
    torch.manual_seed(0)
    return make()


SMALL = pytest.mark.parametrize("make", [resnet_32, small_vit, small_swin])
REAL = pytest.mark.parametrize("make", [vit_b_32, swin_t])


@SMALL
def test_the_hottest_place_lies_on_the_patch_that_decides(make: Callable[[], Predictor]) -> None:
    assert_hottest_on_patch(made(make), pictures=20)


@SMALL
def test_of_two_patches_each_class_has_its_own(make: Callable[[], Predictor]) -> None:
    assert_each_its_own(made(make), pictures=20)


@pytest.mark.slow
@REAL
def test_the_real_transformers_look_at_the_patch(make: Callable[[], Predictor]) -> None:
    assert_hottest_on_patch(made(make), pictures=15)
    assert_each_its_own(made(make), pictures=15)


def assert_hottest_on_patch(predictor: Predictor, pictures: int) -> None:
    patches = asked_of(predictor)
    found = 0
    for _ in range(pictures):
        kind, row, column = patches.place(int(patches.rng.integers(3)))
        weights = explain(predictor, patches.picture([(kind, row, column)]), kind).weights
        hottest = divmod(int(weights.argmax()), patches.side)
        found += row <= hottest[0] < row + patches.patch and column <= hottest[1] < column + patches.patch
    assert found >= 0.7 * pictures, f"on {found} of {pictures} pictures; by chance on 1 of 16"


def assert_each_its_own(predictor: Predictor, pictures: int) -> None:
    patches = asked_of(predictor)
    found = 0
    for _ in range(pictures):
        places = patches.two()
        pixels = patches.picture(places)
        for own, other in (places, places[::-1]):
            weights = explain(predictor, pixels, own[0]).weights
            found += mean_on(patches, weights, own) > 1.5 * mean_on(patches, weights, other)
    assert found >= 0.7 * 2 * pictures, f"{found} of {2 * pictures} times; a heat that knows no class never gets half"


def asked_of(predictor: Predictor) -> Patches:
    return Patches(predictor.config.preprocess.crop_size, np.random.default_rng(7))


def mean_on(patches: Patches, weights: NDArray[np.float32], place: tuple[int, int, int]) -> float:
    _, row, column = place
    return float(weights[row : row + patches.patch, column : column + patches.patch].mean())


# --- Every backbone. ---


def places_of(name: str, px: int) -> tuple[int, ...]:
    """The grid that a heat of this backbone is made of; on meta, where running a network costs nothing."""
    network, inputs = build_empty(name, 3).to("meta"), torch.empty(1, 3, px, px, device="meta")
    ask = _attention_relevance if name.startswith("vit") else _grad_cam
    return tuple(ask(_twin(network.eval()), BACKBONES[name].stages, inputs, 1).shape)


@pytest.mark.parametrize(
    ("name", "px", "cells"),
    [
        ("alexnet", 224, 13),
        ("convnext_tiny", 224, 7),
        ("densenet121", 224, 7),
        ("efficientnet_b0", 224, 7),
        ("googlenet", 224, 7),
        ("inception_v3", 299, 8),
        ("maxvit_t", 224, 7),
        ("mnasnet0_5", 224, 7),
        ("mobilenet_v3_small", 224, 7),
        ("regnet_y_400mf", 224, 7),
        ("resnet50", 224, 7),
        ("shufflenet_v2_x0_5", 224, 7),
        ("squeezenet1_1", 224, 13),
        ("swin_t", 224, 14),
        ("swin_v2_t", 256, 16),
        ("vgg11_bn", 224, 7),
        ("vit_b_32", 224, 7),
        ("resnet18", 64, 8),
        ("resnet18", 32, 8),
        ("resnet18", 9, 5),  # none has seven
        ("resnet18", 1, 1),
        ("swin_t", 4, 1),
    ],
)
def test_the_deepest_stage_with_enough_places_is_asked(name: str, px: int, cells: int) -> None:
    assert places_of(name, px) == (cells, cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_can_be_asked(name: str) -> None:
    row = BACKBONES[name]
    for px in {row.fixed_px or 224, row.fixed_px or max(row.min_px, 64)}:
        assert min(places_of(name, px)) >= 7 or px < 64, px
        if name not in {"regnet_y_128gf", "vit_h_14", "vit_l_16", "vit_l_32"}:  # gigabytes of numbers
            pixels = np.random.default_rng(0).integers(0, 256, (px, px, 3), dtype=np.uint8)
            model = TarsClassifier.create(name, CLASSES, preprocess=Preprocess(crop_size=px, resize_size=px))
            heat = explain(Predictor(model, device="cpu"), pixels, 2)
            assert (heat.weights.shape, heat.weights.dtype) == ((px, px), np.float32)
            assert heat.weights.max() in (0, 1)


# --- One picture and its edges. ---


@pytest.fixture(scope="module")
def tiny() -> Predictor:
    torch.manual_seed(0)
    return Predictor(TarsClassifier(config("resnet18", 32)), device="cpu")


def noise(side: int = 32, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def test_weights_go_from_0_to_1(tiny: Predictor) -> None:
    weights = np.stack([explain(tiny, noise(), index).weights for index in range(3)])
    assert (weights.shape, weights.dtype) == ((3, 32, 32), np.float32)
    assert weights.min() >= 0
    assert weights.max(axis=(1, 2)).tolist() == [1, 1, 1]
    assert not np.array_equal(weights[0], weights[1])


@pytest.mark.parametrize("index", [-1, 3])
def test_a_class_that_is_not_there_is_refused(tiny: Predictor, index: int) -> None:
    with pytest.raises(UsageError, match=rf"no class number {index}; the model's are 0 to 2"):
        explain(tiny, noise(), index)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
def test_activations_that_are_no_numbers_speak_for_nothing(value: float) -> None:
    model = TarsClassifier(config("resnet18", 32))
    nn.init.constant_(model.backbone.get_parameter("fc.weight"), value)
    nn.init.constant_(model.backbone.get_parameter("conv1.weight"), value)
    weights = explain(Predictor(model, device="cpu"), noise(), 0).weights
    assert not weights.any()


@pytest.mark.parametrize("name", ["resnet18", "vit_b_32"])
def test_a_class_that_nothing_speaks_for_is_cold(name: str) -> None:
    model = TarsClassifier.create(name, CLASSES)
    for parameter in model.backbone.get_submodule(BACKBONES[name].head).parameters():
        nn.init.zeros_(parameter)
    assert not explain(Predictor(model, device="cpu"), noise(224), 0).weights.any()


def test_a_model_of_one_class_and_a_picture_of_one_pixel() -> None:
    torch.manual_seed(0)
    plain = Preprocess(crop_size=1, resize_size=1)
    model = TarsClassifier(ModelConfig(backbone="resnet18", classes=["one"], preprocess=plain))
    heat = explain(Predictor(model, device="cpu"), noise(1), 0)
    assert heat.weights.shape == (1, 1)
    assert heat.weights[0, 0] in (0, 1)


def test_a_loaded_model_is_explained_as_the_one_that_was_saved(tiny: Predictor, tmp_path: Path) -> None:
    tiny.model.save_pretrained(tmp_path / "model")
    loaded = Predictor.from_pretrained(tmp_path / "model", device="cpu")
    np.testing.assert_allclose(explain(loaded, noise(), 1).weights, explain(tiny, noise(), 1).weights, atol=1e-5)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_a_thread_with_gradients_off_can_ask(tiny: Predictor, mode: Callable[[], torch.no_grad]) -> None:
    expected = explain(tiny, noise(), 1).weights
    with mode():
        np.testing.assert_array_equal(explain(tiny, noise(), 1).weights, expected)


def test_attention_that_is_opened_answers_as_torchs() -> None:
    torch.manual_seed(0)
    closed, tokens = nn.MultiheadAttention(24, 4, batch_first=True).eval(), torch.randn(2, 9, 24)
    expected, weights = closed(tokens, tokens, tokens, average_attn_weights=False)
    opened = _OpenAttention(closed)
    torch.testing.assert_close(opened(tokens, tokens, tokens)[0], expected)
    torch.testing.assert_close(opened.weights, weights)


# --- What it leaves behind, and others at the same moment. ---


def test_the_network_is_left_as_it_was(tiny: Predictor) -> None:
    network = tiny.model.backbone
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    explain(tiny, noise(), 1)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert not any(module._forward_hooks or module.training for module in network.modules())


def test_the_twin_holds_the_very_numbers(tiny: Predictor) -> None:
    network, twin = tiny.model.backbone, _twin(tiny.model.backbone)
    places = {name: tensor.data_ptr() for name, tensor in network.state_dict().items()}
    assert {name: tensor.data_ptr() for name, tensor in twin.state_dict().items()} == places
    assert not set(map(id, twin.modules())) & set(map(id, network.modules()))


def test_many_threads_ask_and_explain_different_pictures() -> None:
    torch.manual_seed(0)
    predictor = Predictor(TarsClassifier(config("mobilenet_v3_small", 32)), device="cpu")
    pictures = [noise(seed=seed) for seed in range(6)]
    heats = [explain(predictor, pixels, seed % 3).weights for seed, pixels in enumerate(pictures)]
    logits = [predictor.logits([pixels]) for pixels in pictures]

    def explained(turn: int) -> None:
        heat: Heat = explain(predictor, pictures[turn % 6], turn % 3)
        np.testing.assert_allclose(heat.weights, heats[turn % 6], atol=1e-4)

    def answered(turn: int) -> None:
        np.testing.assert_allclose(predictor.logits([pictures[turn % 6]]), logits[turn % 6], atol=1e-5)

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(work, turn) for turn in range(48) for work in (explained, answered)]
        for each in asked:
            each.result()
