"""A small classifier that truly tells colours apart, and files that are easily read wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tars_hub.config import Preprocess
from tars_hub.model import TarsClassifier
from tars_hub.predict import Predictor

HOSTILE = 'blue <img src=x onerror="alert(1)">${1+1}'
COLOURS = {"red": (200, 60, 50), "green": (60, 150, 70), HOSTILE: (50, 80, 190)}
_SIDE_PX = 32
_STEPS = 20


@cache  # trained once for all tests of a process, which is why none of them may change it
def train_on_colours() -> Predictor:
    """ResNet-18 on flat colours; label smoothing keeps its probabilities away from 0 and 1."""
    preprocess = Preprocess(crop_size=_SIDE_PX, resize_size=_SIDE_PX, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    torch.manual_seed(0)
    with _one_thread():
        return Predictor(_trained(preprocess), device="cpu")


def _trained(preprocess: Preprocess) -> TarsClassifier:
    model = TarsClassifier.create("resnet18", list(COLOURS), preprocess=preprocess, drawings=True)
    flat = torch.tensor(list(COLOURS.values())).float() / 255
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(_STEPS):
        labels = torch.randint(0, len(COLOURS), (24,))
        noise = 0.1 * torch.randn(24, 3, 1, 1) + 0.05 * torch.randn(24, 3, _SIDE_PX, _SIDE_PX)
        pictures = ((flat[labels][:, :, None, None] + noise).clamp(0, 1) - 0.5) / 0.25
        loss = torch.nn.functional.cross_entropy(model(pictures), labels, label_smoothing=0.2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


@contextmanager
def _one_thread() -> Iterator[None]:
    """On a busy machine threads that wait for each other take six times as long as one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def flat(colour: str, height: int = 60, width: int = 80) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, a little uneven, as a photograph is."""
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
    pixels: NDArray[np.uint8] = (np.array(COLOURS[colour]) + noise).clip(0, 255).astype(np.uint8)
    return pixels


def undecided(predictor: Predictor, at_least: float = 0.0) -> NDArray[np.uint8]:
    """The mixture of the three colours that the model is least sure about, of those with this probability or more."""
    tenths = np.array([(i, j, 10 - i - j) for i in range(11) for j in range(11 - i)])
    colours = np.rint(tenths @ np.array(list(COLOURS.values())) / 10).astype(np.uint8)
    mixtures = [np.broadcast_to(colour, (60, 80, 3)) for colour in colours]
    asked = [pair for pair in zip(predictor.batch(mixtures), mixtures, strict=True) if pair[0].probability >= at_least]
    return min(asked, key=lambda pair: pair[0].probability)[1]


def save(path: Path, colour: str) -> Path:
    Image.fromarray(flat(colour)).save(path)
    return path


def write_rotated_jpeg(folder: Path) -> Path:
    """Lies on its side in the file: red above green once upright, and the crop keeps only the middle."""
    upright = np.concatenate([flat("red", 90, 60), flat("green", 40, 60)])
    exif = Image.Exif()
    exif[274] = 6  # to be turned a quarter clockwise
    path = folder / "rotated.jpg"
    Image.fromarray(np.rot90(upright)).save(path, quality=95, exif=exif)
    return path


def write_16_bit_png(folder: Path) -> Path:
    """A dark grey in 16 bits: clipped to 8 it is white."""
    path = folder / "deep.png"
    Image.fromarray(flat("green")[..., 0].astype(np.uint16) * 257).save(path)
    return path


def write_transparent_png(folder: Path) -> Path:
    """Opaque green in the middle of fully transparent red."""
    alpha = np.zeros((60, 80, 1), np.uint8)
    alpha[15:45, 20:60] = 255
    pixels = np.where(alpha > 0, flat("green"), flat("red"))
    path = folder / "transparent.png"
    Image.fromarray(np.concatenate([pixels, alpha], axis=2).astype(np.uint8)).save(path)
    return path


def write_gif(folder: Path) -> Path:
    path = folder / "palette.gif"
    Image.fromarray(flat("red")).quantize(16).save(path)
    return path


def write_cmyk_jpeg(folder: Path) -> Path:
    path = folder / "print.jpg"
    Image.fromarray(flat("green")).convert("CMYK").save(path, quality=95)
    return path


DIFFICULT: dict[str, Callable[[Path], Path]] = {
    "EXIF-rotated JPEG": write_rotated_jpeg,
    "16-bit PNG": write_16_bit_png,
    "transparent PNG": write_transparent_png,
    "GIF": write_gif,
    "CMYK JPEG": write_cmyk_jpeg,
}
