"""A dry run: what would be trained on what, and how long it would take; a few real steps, and nothing written."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from tars_hub.errors import PictureError
from tars_hub.preprocess import decode

from .announce import describe_training
from .config import TrainConfig
from .console import Console
from .data import PictureFolder, class_counts, scan
from .finish import check_unknown
from .layers import freeze
from .learner import Learner
from .loop import Run, own_parts, timed_evaluation
from .output import check_output, unfinished_run
from .processes import started
from .progress import Progress
from .run import set_up
from .start import heads_of, make_model, outline

_LOOKED_AT = 64  # pictures that are opened for their sizes
_STEPS = 3  # that are timed, after one that is not


def rehearse(config: TrainConfig, console: Console) -> None:
    """Print classes, counts, sizes, what would be trained and how long an epoch takes.

    Raises:
        TarsError: what a run would raise before its first step.
    """
    check_output(config)
    check_unknown(config)
    unfinished_run(config)
    with started(config) as processes:
        console.only_if(main=processes.is_main)
        start = outline(config)
        folder = scan(config.data, seed=config.seed)
        model = make_model(start, config, folder.classes)
        model.to(device=processes.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        heads = heads_of(model.config.backbone)
        freeze(model.backbone, heads, config.freeze)
        this = set_up(config, console, processes, folder, model, Progress())
        for note in folder.notes:
            console.line(f"note: {note}")
        for line in itertools.chain(_counts(folder), _sizes(folder), describe_training(this, model)):
            console.line(line)
        learner = Learner(model, heads, config, processes, updates=0)
        console.line(_times(this, learner))
        console.line(f"a dry run: nothing was written to {config.output}")


def _counts(folder: PictureFolder) -> Iterator[str]:
    """A table of classes by sets."""
    counts = {name: class_counts(pictures, folder.classes) for name, pictures in folder.sets.items()}
    width = max(len("class"), *(len(name) for name in folder.classes))
    yield f"{'class':{width}}" + "".join(f"{name:>9}" for name in counts)
    for name in folder.classes:
        yield f"{name:{width}}" + "".join(f"{each[name]:9,}" for each in counts.values())
    yield f"{'together':{width}}" + "".join(f"{sum(each.values()):9,}" for each in counts.values())


def _sizes(folder: PictureFolder) -> Iterator[str]:
    """Sizes on disk, of all, and in pixels, of some that lie spread over the classes."""
    paths = [path for pictures in folder.sets.values() for path in pictures.paths]
    some = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, min(_LOOKED_AT, len(paths))).astype(int))]
    with ThreadPoolExecutor() as pool:
        seen = [shape for shape in pool.map(_shape, some) if shape]
    total = sum(path.stat().st_size for path in paths if path.exists())
    bad = f", {len(some) - len(seen)} unreadable" if len(seen) < len(some) else ""
    yield f"sizes: {total / 1e6:,.1f} MB; {_range(seen)} ({len(some)} looked at{bad})"


def _shape(path: Path) -> tuple[int, int] | None:
    try:
        height, width = decode(path).shape[:2]
    except PictureError:
        return None
    return width, height


def _range(shapes: Sequence[tuple[int, int]]) -> str:
    if not shapes:
        return "no size known"
    by_area = sorted(shapes, key=lambda shape: shape[0] * shape[1])
    words = [f"{width}×{height}" for width, height in (by_area[0], by_area[len(by_area) // 2], by_area[-1])]
    return f"{words[0]} px" if len(set(by_area)) == 1 else f"{words[0]} to {words[2]} px, {words[1]} in the middle"


def _times(this: Run, learner: Learner) -> str:
    plan = this.plan(1)
    timed = [plan[i % len(plan)] for i in range(_STEPS + 1)]
    began = time.perf_counter()
    for index, (batch, own) in enumerate(zip(timed, own_parts(this, timed, epoch=1), strict=True)):
        loss, _, _ = learner.step(own, len(batch), 1, 0.0)
        loss.item()  # waits for the device
        if index == 0:  # it chooses kernels and fills caches
            began = time.perf_counter()
    training_s = (time.perf_counter() - began) / sum(map(len, timed[1:])) * len(this.folder.train)
    epoch_s = training_s + timed_evaluation(this, learner.network, 2 * this.config.how.batch_size)
    total = epoch_s * this.config.how.epochs
    return (
        f"an epoch takes about {_duration(epoch_s)}, {this.config.how.epochs} of them {_duration(total)} "
        f"({len(this.folder.train) / training_s:,.0f} pictures/s in training)"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
