"""A labelled picture of the first batch, as the network sees it: the quickest way to see that something is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tars_hub.config import Preprocess
from tars_hub.plots import mosaic

from .loop import Run, first_batch
from .mixing import mix, one_hot

_MOST = 32


def write_sheet(path: Path, this: Run) -> None:
    """Write the first pictures of the first epoch as a JPEG, varied and mixed as the settings say."""
    batch = first_batch(this, _MOST)
    how = this.config.how
    targets = one_hot(batch.labels, len(this.folder.classes))
    inputs, targets = mix(batch, targets, how, seed=this.config.seed, epoch=1)
    tiles = [
        (to_pixels(picture, this.prepare), _caption(target, this.folder.classes))
        for picture, target in zip(inputs, targets, strict=True)
    ]
    mixed = [name for name, alpha in (("mixup", how.mixup), ("cutmix", how.cutmix)) if alpha]
    path.parent.mkdir(parents=True, exist_ok=True)
    mosaic(path, tiles, title=f"a training batch: augmentation {' + '.join([this.config.augment, *mixed])}")


def to_pixels(tensor: Tensor, prepare: Preprocess) -> NDArray[np.uint8]:
    """(3, S, S) normalised to (S, S, 3) uint8 RGB: back from what the network is given."""
    values = tensor.numpy().transpose(1, 2, 0) * np.asarray(prepare.std) + np.asarray(prepare.mean)
    pixels: NDArray[np.uint8] = np.clip(np.rint(255 * values), 0, 255).astype(np.uint8)
    return pixels


def _caption(target: Tensor, classes: tuple[str, ...]) -> str:
    """The class, or the two that were mixed and their shares."""
    shares = sorted(((float(share), index) for index, share in enumerate(target) if share > 0.005), reverse=True)
    if len(shares) == 1:
        return classes[shares[0][1]]
    return "\n".join(f"{share:.0%} {classes[index]}" for share, index in shares)
