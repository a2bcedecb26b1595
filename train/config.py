"""Flags become one frozen TrainConfig; nothing past this file sees argparse."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, get_args

from tars_hub.config import Crop
from tars_hub.errors import UsageError

Freeze = Literal["none", "initial", "backbone"]
Augment = Literal["none", "light", "strong", "drawing"]
IMAGENET, NO_WEIGHTS = "imagenet", "none"


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything a run is told.

    Attributes:
        data: folder with `train/CLASS/*` and `val/CLASS/*`, or `CLASS/*`, which is split.
        output: the model folder to write.
        model: backbone; None takes the one of `weights`, else resnet50.
        weights: "imagenet", "none", or a model folder or repository id.
        img_size: side of the network's input, in pixels; None follows the backbone.
        lr: peak learning rate; None follows the recipe.
        mixup: alpha of mixup's Beta distribution; 0 turns it off.
        workers: threads that read pictures; None chooses.
        device: "cpu", "cuda", "cuda:1" …; None takes a GPU where there is one.
    """

    data: Path
    output: Path
    model: str | None = None
    weights: str = IMAGENET
    epochs: int = 5
    batch_size: int = 32
    img_size: int | None = None
    crop: Crop = "center"
    lr: float | None = None
    seed: int = 0
    freeze: Freeze = "none"
    augment: Augment = "light"
    mixup: float = 0.0
    workers: int | None = None
    device: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("img_size", 1), ("seed", 0), ("workers", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"--{name.replace('_', '-')} is {value}; it must be at least {least}")
        if self.lr is not None and not 0 < self.lr < 100:
            raise UsageError(f"--lr is {self.lr}; it must be above 0, and 0.001 is usual")
        if not 0 <= self.mixup <= 10:
            raise UsageError(f"mixup's alpha is {self.mixup}; it must lie between 0 (off) and 10")


def parse(arguments: Sequence[str], *, program: str = "python -m train") -> TrainConfig:
    """Read flags, the tutorial's old ones included.

    Raises:
        UsageError: a flag is unknown, missing or has a value that cannot work.
    """
    given = _parser(program).parse_args(arguments)
    alpha = given.mixup_alpha if given.mixup_alpha is not None else 0.1
    return TrainConfig(
        data=given.data,
        output=given.output,
        model=given.model,
        weights=given.weights,
        epochs=given.epochs,
        batch_size=given.batch_size,
        img_size=given.img_size,
        crop=given.crop,
        lr=given.lr,
        seed=given.seed,
        freeze=given.freeze,
        augment=given.augment,
        mixup=alpha if given.mixup else 0.0,
        workers=given.workers,
        device="cpu" if given.old_no_gpu else given.device,
        overwrite=given.overwrite,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (--help lists the flags)")


def _parser(program: str) -> _Parser:
    parser = _Parser(
        prog=program,
        allow_abbrev=False,
        description="Train an image classifier on folders of pictures, one folder per class.",
        epilog="The flags of the 2018 tutorial (-idl -sl -mo -ep -b -is -f -fi -g -p -mx -mxal) are understood.",
    )
    add = parser.add_argument
    add("--data", "-idl", type=Path, required=True, metavar="DIR", help="train/CLASS/* and val/CLASS/*, or CLASS/*")
    add("--output", "-sl", type=Path, required=True, metavar="FOLDER", help="the model folder to write")
    add("--model", "-mo", metavar="NAME", help="backbone (default resnet50; `tars backbones` lists all)")
    add(
        "--weights",
        default=IMAGENET,
        metavar="WHICH",
        help="imagenet (default), none, a model folder or a repository id",
    )
    add("--epochs", "-ep", type=int, default=5, metavar="N", help="default 5")
    add("--batch-size", "-b", type=int, default=32, metavar="N", help="default 32")
    add("--img-size", "-is", type=int, metavar="PX", help="default: as the backbone's weights were trained")
    add("--crop", choices=get_args(Crop), default="center", help="how a picture becomes a square (default center)")
    add("--augment", choices=get_args(Augment), default="light", help="default light; drawing is for written shapes")
    add("--mixup", "-mx", action="store_true", help="mix pairs of pictures")
    add("--mixup-alpha", "-mxal", type=float, metavar="A", help="how much (default 0.1)")
    add("--freeze", choices=get_args(Freeze), default="none", help="what keeps its weights (default none)")
    add("--lr", type=float, metavar="RATE", help="peak learning rate (default: by the recipe)")
    add("--seed", type=int, default=0, metavar="N", help="default 0")
    add("--workers", type=int, metavar="N", help="threads that read pictures (default: by the machine)")
    add("--device", metavar="NAME", help="cpu, cuda, cuda:1 … (default: a GPU where there is one)")
    add("--overwrite", action="store_true", help="replace a model that stands in FOLDER")
    # These switches were inverted: given, they turned freezing and GPUs off, and the tutorial gives them.
    add("-f", "-fi", dest="freeze", action="store_const", const="none", help=argparse.SUPPRESS)
    add("-g", dest="old_no_gpu", action="store_true", help=argparse.SUPPRESS)
    add("-p", dest="old_no_parallel", action="store_true", help=argparse.SUPPRESS)
    return parser
