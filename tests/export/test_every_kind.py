"""Every kind of network leaves the house as ONNX and answers as before; minutes in all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from tars_hub import TarsClassifier
from tars_hub.backbones import BACKBONES, preprocess_for
from tars_hub.export.exporting import Order, export
from tars_hub.export.formats import find

OTHERS = ["resnet18", "mobilenet_v3_small", "swin_t", "vit_b_32", "inception_v3", "maxvit_t"]


def smallest_of_each_kind() -> list[str]:
    """The first of each kind; its larger sisters are the same code with other numbers."""
    kinds: dict[str, str] = {}
    for name in BACKBONES:
        kind = re.match(r"[a-z]+(_v\d|_[xy](?=_))?", name)
        assert kind
        kinds.setdefault(kind[0] + "_bn" * name.endswith("_bn"), name)
    return list(kinds.values())


def lively(name: str) -> TarsClassifier:
    """Random weights; its logits are brought to a size at which probabilities say something."""
    torch.manual_seed(0)
    row = BACKBONES[name]
    prepare = preprocess_for(name, img_size=row.fixed_px or max(row.min_px, 32))
    model = TarsClassifier.create(name, ("a", "b", "c"), preprocess=prepare)
    head = model.backbone.get_submodule(row.head)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model


def written(name: str, form: str, folder: Path) -> None:
    model = lively(name)
    done = export(model, Order(form=find(form), output=folder / "out"))
    assert done.parity.agreement == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name", smallest_of_each_kind())
def test_every_kind_becomes_onnx(name: str, tmp_path: Path) -> None:
    written(name, "onnx", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("form", ["torch-export", "openvino"])
def test_some_become_the_others(name: str, form: str, tmp_path: Path) -> None:
    written(name, form, tmp_path)
