"""TarsClassifier: what is saved is what is loaded, and nothing in a stranger's folder does more than raise an error."""

from __future__ import annotations

import copy
import json
import os
import random
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from huggingface_hub import ModelCard, PyTorchModelHubMixin
from safetensors.torch import load_file, save_file
from torch import nn

from tars_hub.backbones import BACKBONES
from tars_hub.config import MAX_SIDE_PX, Preprocess
from tars_hub.errors import (
    ConfigError,
    DownloadError,
    ModelNotFoundError,
    TarsError,
    UsageError,
    WeightsError,
)
from tars_hub.model import TarsClassifier
from tests.networks import answers, assert_same_answers, pictures, plain
from tests.small_model import CLASSES, SMALL, held, small

# Seconds each and gigabytes together, and each has a smaller sister in the table.
HEAVY = {
    *("convnext_base", "convnext_large", "densenet161", "densenet201", "efficientnet_b6", "efficientnet_b7"),
    *("efficientnet_v2_m", "efficientnet_v2_l", "regnet_x_16gf", "regnet_x_32gf", "regnet_y_16gf", "regnet_y_32gf"),
    *("regnet_y_128gf", "resnet152", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet101_2", "swin_s", "swin_b"),
    *(
        "swin_v2_s",
        "swin_v2_b",
        "vgg13_bn",
        "vgg16",
        "vgg16_bn",
        "vgg19",
        "vgg19_bn",
        "vit_l_16",
        "vit_l_32",
        "vit_h_14",
    ),
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A model folder, with nothing beside it."""
    folder = tmp_path / "home" / "model"
    small().save_pretrained(folder)
    return folder


# ---------------------------------------------------------------- every backbone


@pytest.fixture
def passing_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that is gone after the test, whether it passed or not: together they would be 22 GB."""
    yield tmp_path / "model"
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in HEAVY else []) for name in BACKBONES]
)
def test_every_backbone_is_built_saved_and_loaded_with_the_same_answers(name: str, passing_folder: Path) -> None:
    row = BACKBONES[name]
    px = row.fixed_px or row.min_px
    model = TarsClassifier.create(name, CLASSES)
    assert not model.training
    before = answers(model, px, count=1)
    assert before.shape == (1, 3)
    assert bool(before.isfinite().all())
    model.save_pretrained(passing_folder)
    tensors = {key: tensor.to(torch.float64).sum() for key, tensor in model.backbone.state_dict().items()}
    del model  # two of the largest at once would take 8 GB
    loaded = TarsClassifier.from_pretrained(passing_folder)
    assert not loaded.training
    assert loaded.config.backbone == name
    state = loaded.backbone.state_dict()
    assert state.keys() == tensors.keys()
    assert all(torch.equal(state[key].to(torch.float64).sum(), total) for key, total in tensors.items())
    assert not any(tensor.is_meta for tensor in (*loaded.parameters(), *loaded.buffers()))
    assert torch.equal(answers(loaded, px, count=1), before)


def test_most_backbones_are_tried_by_default() -> None:
    assert not HEAVY - set(BACKBONES)
    assert len(BACKBONES) - len(HEAVY) >= 45


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_heads_are_saved_with_the_class_count_and_answer_in_training_alone(name: str, tmp_path: Path) -> None:
    row = BACKBONES[name]
    TarsClassifier.create(name, CLASSES).save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    for path in (row.head, *row.aux_heads):
        assert tensors[f"{path}.weight"].shape[0] == 3
    theirs = torchvision.models.get_model(name, num_classes=3, init_weights=False).eval()
    theirs.load_state_dict(tensors)
    model = TarsClassifier.from_pretrained(tmp_path)
    assert torch.equal(answers(model, 75), answers(theirs, 75))
    logits = model.train()(pictures(row.min_train_px))
    assert isinstance(logits, tuple)
    assert {part.shape for part in logits} == {(2, 3)}


def test_a_relative_difference_is_noticed() -> None:
    """The comparison that the other tests lean on can fail."""
    logits = torch.tensor([[1e7, 2.0]])
    assert_same_answers(logits, logits + 1)
    with pytest.raises(AssertionError, match="largest difference"):
        assert_same_answers(logits, logits * 1.01)


# ---------------------------------------------------------------- create and load


def test_a_classifier_is_a_module_and_the_mixins() -> None:
    model = small()
    assert isinstance(model, nn.Module)
    assert isinstance(model, PyTorchModelHubMixin)
    assert model.num_classes == 3
    assert isinstance(model.generate_model_card(), ModelCard)


def test_everything_comes_back(tmp_path: Path) -> None:
    prepared = Preprocess(crop_size=64, resize_size=80, crop="squash", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    model = small(preprocess=prepared, drawings=True)
    model.save_pretrained(str(tmp_path), card="---\ntags: [a]\n---\n# Mine\n")
    loaded = TarsClassifier.from_pretrained(str(tmp_path) + os.sep)
    assert loaded.config == model.config
    assert loaded.config.preprocess == prepared
    assert loaded.card == "---\ntags: [a]\n---\n# Mine\n"
    assert torch.equal(answers(loaded), answers(model))


def test_the_card_stays_through_load_and_save(tmp_path: Path) -> None:
    small().save_pretrained(tmp_path / "a", card="# Mine, with ümlauts\n")
    TarsClassifier.from_pretrained(tmp_path / "a").save_pretrained(tmp_path / "b")
    assert (tmp_path / "b" / "README.md").read_text(encoding="utf-8") == "# Mine, with ümlauts\n"


@pytest.mark.parametrize("card", [b"\xff\xfe not text", b"", b"\0"])
def test_a_model_with_an_odd_card_or_none_is_a_model(saved: Path, card: bytes) -> None:
    (saved / "README.md").write_bytes(card)
    assert TarsClassifier.from_pretrained(saved).config.classes == CLASSES
    (saved / "README.md").unlink()
    model = TarsClassifier.from_pretrained(saved)
    assert model.card is None
    model.save_pretrained(saved)
    assert "cat" in (saved / "README.md").read_text(encoding="utf-8")


def test_the_device_is_the_one_asked_for(saved: Path) -> None:
    model = TarsClassifier.from_pretrained(saved, device="meta")
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"meta"}
    model = TarsClassifier.from_pretrained(saved, device=torch.device("cpu"))
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"cpu"}


def test_training_a_loaded_model_leaves_its_file_alone(saved: Path) -> None:
    before = held(saved)
    model = TarsClassifier.from_pretrained(saved).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model(pictures(64)).sum().backward()
    optimizer.step()
    assert held(saved) == before
    model.save_pretrained(saved)
    assert held(saved)["model.safetensors"] != before["model.safetensors"]


def test_a_copy_is_a_classifier_of_its_own() -> None:
    model = small()
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert other.config == model.config
    assert not torch.equal(answers(other), answers(model))


@pytest.mark.parametrize(
    ("backbone", "classes", "weights", "error", "words"),
    [
        ("resnet-18", CLASSES, None, UsageError, "resnet18"),
        (SMALL, [], None, ConfigError, "0 classes"),
        (SMALL, "cat,dog", None, ConfigError, "give a list"),
        (SMALL, ["cat", "cat"], None, ConfigError, "twice"),
        (SMALL, CLASSES, "imagnet", UsageError, "None or 'imagenet'"),
    ],
)
def test_what_cannot_be_created_says_why(
    backbone: str, classes: Any, weights: Any, error: type[TarsError], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        TarsClassifier.create(backbone, classes, weights)


def test_imagenet_weights_without_network_name_both_other_choices_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        DownloadError, match=r"--weights none, or --weights with a model folder or repository id"
    ) as caught:
        TarsClassifier.create(SMALL, CLASSES, weights="imagenet")
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- strict loading


def change(folder: Path, **tensors: torch.Tensor | None) -> None:
    """Put other tensors in the folder's file; None takes one out."""
    state: dict[str, Any] = {**load_file(folder / "model.safetensors")}
    state |= {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    kept = {name: tensor.clone() for name, tensor in state.items() if tensor is not None}
    save_file(kept, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"fc__bias": None}, "lacks fc.bias"),
        ({"fc__more": torch.zeros(1)}, "has the unexpected fc.more"),
        ({"fc__weight": torch.zeros(4, 1024)}, "has another shape in fc.weight (4, 1024) instead of (3, 1024)"),
        ({"fc__weight": torch.zeros(3, 1024, dtype=torch.int8)}, "has no plain numbers in fc.weight (int8)"),
        ({"conv1__1__num_batches_tracked": None}, "lacks conv1.1.num_batches_tracked"),
    ],
    ids=["missing", "unexpected", "misshapen", "whole numbers", "a counter"],
)
def test_loading_is_strict_and_names_file_and_tensor(saved: Path, tensors: dict[str, Any], words: str) -> None:
    change(saved, **tensors)
    with pytest.raises(WeightsError) as caught:
        TarsClassifier.from_pretrained(saved)
    assert str(caught.value) == f"{saved / 'model.safetensors'} {words}"


def test_another_networks_weights_are_refused_briefly(saved: Path, tmp_path: Path) -> None:
    save_file(plain("resnet18").state_dict(), saved / "model.safetensors")
    with pytest.raises(WeightsError, match=r"lacks .* more; has the unexpected") as caught:
        TarsClassifier.from_pretrained(saved)
    assert len(str(caught.value)) < len(str(tmp_path)) + 400


def test_missing_files_are_named(saved: Path, tmp_path: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors: no such file"):
        TarsClassifier.from_pretrained(saved)
    (saved / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"config\.json: no such file"):
        TarsClassifier.from_pretrained(saved)
    with pytest.raises(ModelNotFoundError, match="no such model folder"):
        TarsClassifier.from_pretrained(tmp_path / "nowhere")


def test_a_file_is_no_model_folder(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved)
    for source in ("model.safetensors", saved / "model.safetensors"):
        with pytest.raises(ModelNotFoundError, match="is a file and no model folder"):
            TarsClassifier.from_pretrained(source)


# ---------------------------------------------------------------- hostile folders


@pytest.mark.parametrize(
    "backbone",
    [
        "../../x",
        "__import__('os').system('touch /tmp/x')",
        "os",
        "torch.hub.load",
        "resnet18.__class__",
        "",
        "RESNET18\0",
    ],
)
def test_a_backbones_name_is_looked_up_and_never_imported(saved: Path, backbone: str) -> None:
    raw = json.loads((saved / "config.json").read_text(encoding="utf-8"))
    (saved / "config.json").write_text(json.dumps({**raw, "backbone": backbone}), encoding="utf-8")
    before = set(sys.modules)
    with pytest.raises(ConfigError, match=r"config\.json: there is no backbone") as caught:
        TarsClassifier.from_pretrained(saved)
    assert set(sys.modules) == before
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("backbone", "px", "words"),
    [("vit_b_16", 384, "224 px"), ("inception_v3", 74, "75 px and more"), ("vgg11", 31, "32 px and more")],
)
def test_a_size_the_backbone_cannot_take_is_refused(saved: Path, backbone: str, px: int, words: str) -> None:
    raw = json.loads((saved / "config.json").read_text(encoding="utf-8"))
    raw["backbone"] = backbone
    raw["preprocess"] |= {"crop_size": px, "resize_size": MAX_SIDE_PX}
    (saved / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        TarsClassifier.from_pretrained(saved)


def test_a_class_count_that_is_not_the_weights_is_refused(saved: Path) -> None:
    raw = json.loads((saved / "config.json").read_text(encoding="utf-8"))
    raw |= {"num_classes": 100_000, "id2label": {str(index): str(index) for index in range(100_000)}}
    (saved / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(WeightsError, match=r"fc\.weight \(3, 1024\) instead of \(100000, 1024\)"):
        TarsClassifier.from_pretrained(saved)


def test_random_damage_to_a_folder_raises_our_errors_alone(saved: Path) -> None:
    rng = random.Random(0)  # noqa: S311  # the same at every run
    good = {
        "config.json": (saved / "config.json").read_bytes(),
        "model.safetensors": (saved / "model.safetensors").read_bytes(),
    }
    refused = 0
    for _ in range(150):
        for name, content in good.items():
            bad = bytearray(content)
            for _ in range(rng.randint(0, 3)):
                bad[rng.randrange(min(len(bad), 3000))] = rng.randrange(256)
            (saved / name).unlink()  # not written over: what was loaded before must not change
            (saved / name).write_bytes(bytes(bad[: rng.choice([len(bad), len(bad), rng.randrange(len(bad))])]))
        try:
            TarsClassifier.from_pretrained(saved)
        except TarsError as error:
            refused += "\n" not in str(error)
    assert refused > 75
