"""Predictor: from a picture to an answer. The engine is chosen here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tars_hub import preprocess
from tars_hub.calibration import softmax
from tars_hub.config import Calibration, ModelConfig
from tars_hub.errors import PictureError, UsageError
from tars_hub.loading import from_pretrained
from tars_hub.model import TarsClassifier
from tars_hub.preprocess import Picture
from tars_hub.remote import ModelSource
from tars_hub.samples import Pixels

DEFAULT_TOP_K = 5
DEFAULT_BATCH_SIZE = 16
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
        self, model: TarsClassifier, *, device: str | torch.device | None = None, calibrated: bool = True
    ) -> None:
        """Take a model as it is.

        Args:
            device: without it a GPU where there is one.
            calibrated: False reads the logits as if nobody had calibrated the model, and never declines.
        """
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = model.eval().to(self.device)
        self._calibrated = calibrated

    @classmethod
    def from_pretrained(
        cls,
        source: ModelSource,
        *,
        device: str | torch.device | None = None,
        calibrated: bool = True,
        **options: Any,  # noqa: ANN401  # handed on
    ) -> Predictor:
        """Load a model folder, a repository id or a checkpoint file; options as `tars_hub.from_pretrained`."""
        return cls(from_pretrained(source, **options), device=device, calibrated=calibrated)

    @property
    def config(self) -> ModelConfig:
        return self.model.config

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
        self, pictures: Iterable[Picture], *, top_k: int = DEFAULT_TOP_K, batch_size: int = DEFAULT_BATCH_SIZE
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
        self, pictures: Iterable[Picture], *, top_k: int = DEFAULT_TOP_K, batch_size: int = DEFAULT_BATCH_SIZE
    ) -> Iterator[Prediction | PictureError]:
        """Answer one by one, in order and with memory for one batch; a bad picture's answer is its error."""
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}; it must be at least 1")
        waiting = iter(pictures)
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            while group := list(islice(waiting, batch_size)):
                loaded = list(pool.map(self._prepare_or_error, group))
                good = [item for item in loaded if not isinstance(item, PictureError)]
                answers = iter(self.answer(good, top_k) if good else [])
                for item in loaded:
                    yield item if isinstance(item, PictureError) else next(answers)

    def prepare(self, picture: Picture) -> Pixels:
        """A picture to (S, S, 3) uint8, as the network sees it: the first half of an answer.

        Raises:
            PictureError: it cannot be read.
        """
        return preprocess.load(picture, self.config.preprocess)

    def _prepare_or_error(self, picture: Picture) -> Pixels | PictureError:
        try:
            return self.prepare(picture)
        except PictureError as error:
            return error

    @torch.inference_mode()
    def logits(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) logits, in one batch."""
        inputs = torch.stack([preprocess.to_tensor(pixels, self.config.preprocess) for pixels in pictures])
        logits: NDArray[np.float32] = self.model(inputs.to(self.device)).float().cpu().numpy()
        return logits

    def probabilities(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) probabilities, in one batch."""
        return softmax(self.logits(pictures), self.calibration.temperature)

    def answer(self, pictures: Sequence[Pixels], top_k: int = DEFAULT_TOP_K) -> list[Prediction]:
        """Prepared (S, S, 3) uint8 pictures to answers, in one batch: the second half."""
        if top_k < 1:
            raise UsageError(f"top_k is {top_k}; it must be at least 1")
        probabilities = torch.from_numpy(self.probabilities(pictures))
        values, indices = probabilities.topk(min(top_k, self.config.num_classes), dim=1)
        return [self._prediction(*row) for row in zip(values.tolist(), indices.tolist(), strict=True)]

    def _prediction(self, probabilities: list[float], indices: list[int]) -> Prediction:
        labels = [self.config.classes[index] for index in indices]
        top = tuple(zip(labels, probabilities, strict=True))
        declined = _is_below(probabilities[0], self.calibration.threshold)
        return Prediction(label=labels[0], probability=probabilities[0], top=top, declined=declined)


def _is_below(probability: float, threshold: float | None) -> bool:
    """Whether to decline; a network whose answers are no numbers is never sure."""
    return threshold is not None and not probability >= threshold - _CLOSE
