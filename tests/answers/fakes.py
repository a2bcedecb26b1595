"""A predictor that answers by a file's name, at once, and in other company otherwise: real ones do in last digits."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tars_hub.config import CONFIG_NAME, WEIGHTS_NAME, ModelConfig
from tars_hub.errors import PictureError
from tars_hub.predict import Prediction, Predictor

CLASSES = ("cat", "dog", 'Füchse, "&" Hasen\n')


class FakePredictor:
    """Names with "bad" in them are broken pictures; `asked` counts."""

    def __init__(self, classes: tuple[str, ...] = CLASSES) -> None:
        self.config = ModelConfig(backbone="resnet18", classes=classes)
        self.device = "cpu"
        self.engine = SimpleNamespace(name="torch", together=16)
        self.asked = 0
        self.fails_at: int | None = None

    def stream(
        self, pictures: Iterable[str], *, top_k: int = 5, batch_size: int | None = None
    ) -> Iterator[Prediction | PictureError]:
        waiting = iter(pictures)
        while group := list(islice(waiting, batch_size or 16)):
            company = zlib.crc32("".join(group).encode(errors="surrogateescape")) % 1000
            for name in group:
                if self.asked == self.fails_at:
                    raise KeyboardInterrupt
                self.asked += 1
                yield self._found(name, company, top_k)

    def _found(self, name: str, company: int, top_k: int) -> Prediction | PictureError:
        if "bad" in name:
            return PictureError(name, "cut short")
        score = 0.5 + zlib.crc32(name.encode(errors="surrogateescape")) / 2**34 + company / 2**20
        top = tuple(zip(self.config.classes, (score, 1 / 3, 0.1), strict=False))[:top_k]
        return Prediction(label=top[0][0], probability=score, top=top, declined=score < 0.6)


def lay_many(folder: Path, count: int) -> None:
    """So many empty files, as links: making files takes a while."""
    folder.mkdir()
    first = folder / "0.png"
    first.touch()
    for number in range(1, count):
        os.link(first, folder / f"{number}.png")


def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> tuple[str, FakePredictor]:
    """A model folder, and the predictor that is loaded from it."""
    fake = FakePredictor()
    folder.mkdir()
    (folder / CONFIG_NAME).write_text("{}")
    (folder / WEIGHTS_NAME).write_bytes(b"tensors")

    def load(*_: Any, **options: Any) -> FakePredictor:
        fake.engine = SimpleNamespace(name=options["engine"] or "torch", together=16)
        return fake

    monkeypatch.setattr(Predictor, "from_pretrained", load)
    return str(folder), fake
