"""Families that timm and transformers read by the same names give the same answers there; others are refused."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import timm.data
import torch
from PIL import Image
from torch import nn
from transformers import AutoModelForImageClassification

from tars_hub.backbones import BACKBONES, preprocess_for, timm_fields
from tars_hub.config import ModelConfig, Preprocess
from tars_hub.model import TarsClassifier
from tests.networks import answers, assert_same_answers

EQUAL = [name for name, row in BACKBONES.items() if row.timm_equal]
HEAVY = {"resnext101_32x8d", "resnext101_64x4d", "wide_resnet101_2"}
OTHERS = [name for name, row in BACKBONES.items() if not row.timm_equal]
CLASSES = ("cat", "dog", "Füchse & Hasen")


def lively(name: str, **options: Any) -> TarsClassifier:
    """A random classifier whose BatchNorm statistics would show if they were mixed up."""
    model = TarsClassifier.create(name, CLASSES, **options)
    for key, buffer in model.backbone.named_buffers():
        if "running" in key:
            buffer.uniform_(0.5, 1.5)
    return model


def through_timm(folder: Path) -> nn.Module:
    network: nn.Module = timm.create_model(f"local-dir:{folder}", pretrained=True)
    return network.eval()


def through_transformers(folder: Path) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of their own deprecations
        network: nn.Module = AutoModelForImageClassification.from_pretrained(folder)
    return network.eval()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in HEAVY else []) for name in EQUAL]
)
def test_timm_gives_the_same_answers(name: str, tmp_path: Path) -> None:
    model = lively(name)
    model.save_pretrained(tmp_path)
    theirs = through_timm(tmp_path)
    assert_same_answers(answers(model), answers(theirs), tolerance=1e-4)
    assert theirs.pretrained_cfg["label_names"] == list(CLASSES)  # type: ignore[index]
    assert theirs.num_classes == 3
    assert theirs.get_classifier().out_features == 3  # type: ignore[operator]


def test_all_fourteen_are_tried() -> None:
    assert len(EQUAL) == 14
    assert not HEAVY - set(EQUAL)


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_transformers_gives_the_same_answers_under_the_same_names(name: str, tmp_path: Path) -> None:
    model = lively(name)
    model.save_pretrained(tmp_path)
    theirs = through_transformers(tmp_path)
    with torch.inference_mode():
        logits = theirs(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))).logits
    assert_same_answers(answers(model), logits, tolerance=1e-4)
    config: Any = theirs.config
    assert [config.id2label[index] for index in range(3)] == list(CLASSES)
    assert config.label2id == {name: index for index, name in enumerate(CLASSES)}


@pytest.mark.parametrize(("crop", "mode"), [("center", "center"), ("squash", "squash"), ("pad", "border")])
def test_timm_prepares_pictures_as_the_file_says(tmp_path: Path, crop: Any, mode: str) -> None:
    prepared = Preprocess(
        crop_size=68, resize_size=100, crop=crop, interpolation="bicubic", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)
    )
    lively("resnet18", preprocess=prepared).save_pretrained(tmp_path)
    found = timm.data.resolve_model_data_config(through_timm(tmp_path))
    assert tuple(found["input_size"]) == (3, 68, 68)
    assert (tuple(found["mean"]), tuple(found["std"])) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert (found["interpolation"], found["crop_mode"]) == ("bicubic", mode)
    transform = timm.data.create_transform(**found, is_training=False)
    assert transform(Image.new("RGB", (300, 200))).shape == (3, 68, 68)
    if crop == "center":
        assert transform.transforms[0].size in (100, (100, 100))
        grey = Image.fromarray(np.full((200, 300, 3), 128, np.uint8))
        value = (128 / 255 - torch.tensor(prepared.mean)) / torch.tensor(prepared.std)
        assert torch.allclose(transform(grey).mean(dim=(1, 2)), value, atol=1e-5)


@pytest.mark.parametrize("name", OTHERS)
def test_the_other_folders_lack_the_fields_and_are_refused_instead_of_guessed(name: str, tmp_path: Path) -> None:
    """timm has networks under many of these names, with other tensors."""
    config = ModelConfig(backbone=name, classes=CLASSES, preprocess=preprocess_for(name))
    raw = {**config.to_dict(), **timm_fields(config)}
    assert not {"architecture", "architectures", "model_type", "pretrained_cfg"} & set(raw)
    (tmp_path / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"never read")
    with pytest.raises(KeyError, match="architecture"):
        through_timm(tmp_path)
    with pytest.raises(ValueError, match="Unrecognized model"):
        through_transformers(tmp_path)


@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x0_5"])
def test_a_whole_folder_of_another_backbone_is_refused(name: str, tmp_path: Path) -> None:
    lively(name).save_pretrained(tmp_path)
    with pytest.raises(KeyError, match="architecture"):
        through_timm(tmp_path)
    with pytest.raises(ValueError, match="Unrecognized model"):
        through_transformers(tmp_path)
