"""A small model as a folder, and a cache that the tests of a file share, so that it is exported once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage.data
import torch

from tars_hub import TarsClassifier
from tars_hub.config import Calibration, ModelConfig, Preprocess
from tars_hub.quiet import cv2

CLASSES = ("cat", "dog", "fox", "hen")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TARS_CACHE", str(folder))
        patch.delenv("TARS_ENGINE")
        yield folder / "engines"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a network of 0.7 million numbers, whose answers differ from picture to picture."""
    return save(tmp_path_factory.mktemp("model") / "squeezed", seed=0)


def save(folder: Path, *, seed: int) -> Path:
    torch.manual_seed(seed)
    prepare = Preprocess(crop_size=64, resize_size=72, crop="center", mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.1))
    config = ModelConfig(
        backbone="squeezenet1_1",
        classes=CLASSES,
        preprocess=prepare,
        calibration=Calibration(temperature=0.5, threshold=0.3, error=0.05),
    )
    model = TarsClassifier(config)
    torch.nn.init.normal_(model.backbone.classifier[1].weight, std=0.05)  # else all classes are as good as equal
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photographs")
    names = ("chelsea", "astronaut", "coffee", "rocket")
    for name in names:
        cv2.imwrite(str(folder / f"{name}.jpg"), getattr(skimage.data, name)()[:, :, ::-1])
    return [folder / f"{name}.jpg" for name in names]
