"""How one picture of a set is read, and kept where all of them fit in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tars_hub.config import Preprocess
from tars_hub.errors import PictureError
from tars_hub.preprocess import decode, load, resize

from .augment import PRESETS, source_side, vary
from .batches import Pixels
from .config import Augment
from .data import PictureSet

_KEEP_BYTES = 2**30  # decoded pictures kept in memory, at most
_USUAL_SHAPE = 1.5  # longer side to shorter, for the estimate of what they take

Finish = Callable[[Pixels, int, int], Pixels]  # (pixels, draw, epoch) to (S, S, 3) uint8


class Reader:
    """(draw, epoch) to (S, S, 3) uint8 RGB. Small sets are decoded once, and broken files tried once."""

    def __init__(self, pictures: PictureSet, side: int, decode_one: Callable[[Path], Pixels], finish: Finish) -> None:
        self._pictures = pictures
        self._decode = decode_one
        self._finish = finish
        # None are kept where not all will fit; and where the estimate was wrong, no more than do.
        self._room = _KEEP_BYTES if len(pictures) * side * side * 3 * _USUAL_SHAPE < _KEEP_BYTES else 0
        self._kept: dict[int, Pixels | PictureError] = {}

    def __call__(self, draw: int, epoch: int) -> Pixels:
        position = draw % len(self._pictures)
        decoded = self._kept.get(position)
        if decoded is None:
            decoded = self._try(position)
            self._keep(position, decoded)
        if isinstance(decoded, PictureError):
            raise decoded
        return self._finish(decoded, draw, epoch)

    def _keep(self, position: int, decoded: Pixels | PictureError) -> None:
        size = 0 if isinstance(decoded, PictureError) else decoded.nbytes
        if size < self._room:
            self._room -= size
            self._kept[position] = decoded

    def _try(self, position: int) -> Pixels | PictureError:
        try:
            return self._decode(self._pictures.paths[position])
        except PictureError as error:
            return error


def validation_reader(pictures: PictureSet, prepare: Preprocess) -> Reader:
    """As serving reads."""
    return Reader(pictures, prepare.crop_size, lambda path: load(path, prepare), lambda pixels, *_: pixels)


def training_reader(pictures: PictureSet, prepare: Preprocess, augment: Augment, *, seed: int) -> Reader:
    """As serving reads, with the preset's random variations; the same ones for the same seed, epoch and draw."""
    preset = PRESETS[augment]
    side = source_side(prepare, preset)
    if side is None:
        return validation_reader(pictures, prepare)

    def finish(pixels: Pixels, draw: int, epoch: int) -> Pixels:
        return vary(pixels, prepare, preset, np.random.default_rng((seed, epoch, draw)))

    return Reader(pictures, side, lambda path: _shrunk(decode(path, min_side=side), side, prepare), finish)


def _shrunk(pixels: Pixels, side: int, prepare: Preprocess) -> Pixels:
    """Shorter side at most `side`: more is never seen, and would fill the memory."""
    height, width = pixels.shape[:2]
    shorter = min(height, width)
    if shorter <= side:
        return pixels
    return resize(pixels, round(width * side / shorter), round(height * side / shorter), prepare.interpolation)
