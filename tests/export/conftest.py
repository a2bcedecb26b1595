"""One small model and its exports, made once: each takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from tars_hub import TarsClassifier
from tars_hub.config import Calibration, Preprocess
from tars_hub.export.exporting import Exported, Order, export
from tars_hub.export.formats import find
from tests.digits_folder import write_few_digits

Make = Callable[..., tuple[Path, Exported]]
SMALL = Preprocess(crop_size=32, resize_size=40, mean=(0.4, 0.5, 0.6))


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose answers differ from picture to picture, temperature and threshold set."""
    torch.manual_seed(0)
    model = TarsClassifier.create("resnet18", ("0", "1", "drei & <3>"), preprocess=SMALL)
    model.config = replace(model.config, calibration=Calibration(temperature=0.5, threshold=0.4, error=0.05))
    folder = tmp_path_factory.mktemp("models") / "small"
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def model(model_folder: Path) -> TarsClassifier:
    return TarsClassifier.from_pretrained(model_folder)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_few_digits(tmp_path_factory.mktemp("data") / "digits", digits="01", train=8, val=10)


@pytest.fixture(scope="session")
def made(model: TarsClassifier, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """`made("onnx")` and `made("onnx", int8=True)`: the folder, and what was said of it."""

    @cache
    def make(name: str, int8: bool = False) -> tuple[Path, Exported]:
        folder = tmp_path_factory.mktemp("exports") / "export"
        order = Order(form=find(name), output=folder, int8=int8, data=digits if int8 else None, max_loss=100.0)
        return folder, export(model, order)

    return make
