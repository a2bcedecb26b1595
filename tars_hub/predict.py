"""Predictor: from a picture to an answer. Which engine computes it is `engines.choice`'s business."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tars_hub import preprocess
from tars_hub.calibration import softmax
from tars_hub.config import Calibration, ModelConfig
from tars_hub.engines.choice import Chosen, for_folder, for_model
from tars_hub.engines.engine import Engine
from tars_hub.engines.settings import checked_engine
from tars_hub.errors import PictureError, UsageError
from tars_hub.pipeline import BatchSize, in_order
from tars_hub.preprocess import Picture
from tars_hub.remote import ModelSource, model_folder
from tars_hub.samples import Pixels

if TYPE_CHECKING:
    import torch

    from tars_hub.model import TarsClassifier

R = TypeVar("R")

DEFAULT_TOP_K = 5
_CLOSE = 1e-6  # probabilities are float32, and devices differ in their last digits


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """An answer about one picture.

    Attributes:
        label: the most probable class.
        probability: its probability, 0..1.
        top: (label, probability) pairs, best first.
        declined: the probability is below the model's threshold: not sure, and the label is only the nearest.
    """

    label: str
    probability: float
    top: tuple[tuple[str, float], ...]
    declined: bool = False


class Predictor:
    """A loaded classifier that answers about pictures.

    A picture is a path, the bytes of a file, a NumPy array (H, W, 3) in RGB order, or a PIL image.
    One Predictor may be used by many threads.
    """

    def __init__(
        self,
        model: TarsClassifier | Chosen,
        *,
        device: str | torch.device | None = None,
        calibrated: bool = True,
        half: bool = True,
    ) -> None:
        """Take a model as it is; torch answers for it. `from_pretrained` has the choice.

        Args:
            device: without it a GPU where there is one.
            calibrated: False reads the logits as if nobody had calibrated the model, and never declines.
            half: a GPU may answer with 16 bits, where that is checked to be as good.
        """
        chosen = model if isinstance(model, Chosen) else for_model(model, _name_of(device), half=half)
        self._chosen = chosen
        self._calibrated = calibrated
        self._model: TarsClassifier | None = None if isinstance(model, Chosen) else model
        self._loading = threading.Lock()

    @classmethod
    def from_pretrained(
        cls,
        source: ModelSource,
        *,
        device: str | torch.device | None = None,
        calibrated: bool = True,
        engine: str | None = None,
        half: bool = True,
        **options: Any,  # noqa: ANN401  # handed on
    ) -> Predictor:
        """Load a model folder, a repository id or a checkpoint file.

        Args:
            engine: "onnx" or "torch"; without it TARS_ENGINE, or what is fastest on this machine. ONNX Runtime
                wants the model as a graph, which is exported at the first load, and kept.
            half: a GPU may answer with 16 bits.
            options: as `TarsClassifier.from_pretrained` takes them; a checkpoint file takes none.

        Raises:
            ModelError, DownloadError: as `tars_hub.from_pretrained`.
            UsageError: no such engine, or it does not run on that device.
        """
        if Path(source).is_file():
            return cls(_of_file(source, engine), device=device, calibrated=calibrated, half=half)
        folder = model_folder(source, **options)
        return cls(for_folder(folder, device=_name_of(device), engine=engine, half=half), calibrated=calibrated)

    @property
    def config(self) -> ModelConfig:
        """Everything config.json holds; of a model in memory what that says now."""
        return self._chosen.config if self._model is None else self._model.config

    @property
    def engine(self) -> Engine:
        return self._chosen.engine

    @property
    def device(self) -> str:
        """What computes: "cpu", "cuda" …"""
        return self.engine.device

    @property
    def memory_bytes(self) -> int:
        """About what its numbers take, the torch model's included, which may be loaded later."""
        engine = self.engine
        return engine.memory_bytes if engine.name == "torch" else 2 * engine.memory_bytes

    @property
    def card(self) -> str | None:
        """The text of the model's README.md."""
        return self._chosen.card

    @property
    def model(self) -> TarsClassifier:
        """The model in torch; where another engine answers, it is loaded when it is first asked for.

        Raises:
            ModelError: its folder is gone, or holds another model by now.
        """
        with self._loading:
            if self._model is None:
                self._model = self._chosen.load()
            return self._model

    @property
    def calibration(self) -> Calibration:
        """How logits are read here: the model's own way, or none."""
        return self.config.calibration if self._calibrated else Calibration()

    def __call__(self, picture: Picture, *, top_k: int = DEFAULT_TOP_K) -> Prediction:
        """Answer about one picture.

        Raises:
            PictureError: it cannot be read; the message names it and says why.
        """
        return self.answer([self.prepare(picture)], top_k)[0]

    def batch(
        self, pictures: Iterable[Picture], *, top_k: int = DEFAULT_TOP_K, batch_size: int | None = None
    ) -> list[Prediction]:
        """Answer about many pictures, in their order.

        Raises:
            PictureError: the first that cannot be read; `stream` goes on instead.
        """
        answers: list[Prediction] = []
        for answer in self.stream(pictures, top_k=top_k, batch_size=batch_size):
            if isinstance(answer, PictureError):
                raise answer
            answers.append(answer)
        return answers

    def stream(
        self, pictures: Iterable[Picture], *, top_k: int = DEFAULT_TOP_K, batch_size: int | None = None
    ) -> Iterator[Prediction | PictureError]:
        """Answer one by one, in order and with memory for a few batches; a bad picture's answer is its error.

        Args:
            pictures: any number of them; they are taken as they are needed, from one thread.
            batch_size: how many go through the network together; None finds what is fastest.
        """
        _check_top_k(top_k)
        return self._in_order(pictures, lambda group: self.answer(group, top_k), batch_size)

    def stream_logits(
        self, pictures: Iterable[Picture], *, batch_size: int | None = None
    ) -> Iterator[NDArray[np.float32] | PictureError]:
        """As `stream`, (C,) logits each."""
        return self._in_order(pictures, self._rows, batch_size)

    def prepare(self, picture: Picture) -> Pixels:
        """A picture to (S, S, 3) uint8, as the network sees it: the first half of an answer.

        Raises:
            PictureError: it cannot be read.
        """
        return preprocess.load(picture, self.config.preprocess)

    def logits(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) logits, in one batch."""
        return self.engine.logits(pictures)

    def probabilities(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) probabilities, in one batch."""
        return softmax(self.logits(pictures), self.calibration.temperature)

    def answer(self, pictures: Sequence[Pixels], top_k: int = DEFAULT_TOP_K) -> list[Prediction]:
        """Prepared (S, S, 3) uint8 pictures to answers, in one batch: the second half."""
        _check_top_k(top_k)
        return [self._prediction(row, top_k) for row in self.probabilities(pictures)]

    def _rows(self, pictures: Sequence[Pixels]) -> list[NDArray[np.float32]]:
        return list(self.logits(pictures))

    def _in_order(
        self, pictures: Iterable[Picture], ask: Callable[[Sequence[Pixels]], list[R]], batch_size: int | None
    ) -> Iterator[R | PictureError]:
        if batch_size is not None and batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}; it must be at least 1")
        return in_order(pictures, self.prepare, ask, size=BatchSize(batch_size), callers=self.engine.callers)

    def _prediction(self, row: NDArray[np.float32], top_k: int) -> Prediction:
        # Of equal ones the first class; what is no number stands before all others, so that it is seen.
        best = np.argsort(np.where(np.isnan(row), -np.inf, -row), kind="stable")[:top_k]
        top = tuple((self.config.classes[index], float(row[index])) for index in best)
        label, probability = top[0]
        declined = _is_below(probability, self.calibration.threshold)
        return Prediction(label=label, probability=probability, top=top, declined=declined)


def _of_file(checkpoint: ModelSource, engine: str | None) -> TarsClassifier:
    from tars_hub.loading import from_pretrained

    if checked_engine(engine) == "onnx":
        raise UsageError(f"{checkpoint}: of a checkpoint file torch answers; `tars import` makes a model folder of it")
    return from_pretrained(checkpoint)


def _name_of(device: str | torch.device | None) -> str | None:
    return None if device is None else str(device)


def _check_top_k(top_k: int) -> None:
    if top_k < 1:
        raise UsageError(f"top_k is {top_k}; it must be at least 1")


def _is_below(probability: float, threshold: float | None) -> bool:
    """Whether to decline; a network whose answers are no numbers is never sure."""
    return threshold is not None and not probability >= threshold - _CLOSE
