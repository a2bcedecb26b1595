"""Everything a run is told, as one frozen TrainConfig. Knows no flags and no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from tars_hub.config import Crop
from tars_hub.errors import UsageError

from .recipe import RECIPES, Recipe
from .settings import check, setting

Freeze = Literal["none", "initial", "backbone"]
Augment = Literal["none", "light", "strong", "drawing"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Metric = Literal["top1", "top5", "loss", "f1", "balanced_accuracy"]
IMAGENET, NO_WEIGHTS = "imagenet", "none"


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything a run is told.

    Attributes:
        data: folder with `train/CLASS/*` and `val/CLASS/*`, or `CLASS/*`, which is split.
        output: the model folder to write.
        model: backbone; None takes the one of `weights`, else resnet50.
        weights: "imagenet", "none", or a model folder or repository id.
        recipe: how to train; None takes "scratch" for no weights, else "finetune".
        resume: go on with an interrupted run, or say that there is none.
        dry_run: say what would be done, and write nothing.
    """

    data: Path
    output: Path
    model: str | None = None
    weights: str = IMAGENET
    recipe: Recipe | None = None
    augment: Augment = setting("light", "random variations", shown=False)
    freeze: Freeze = setting("none", "what keeps its weights", shown=False)
    overwrite: bool = False
    dry_run: bool = False
    resume: bool = setting(False, "go on with the interrupted run in --output, and say so if there is none")
    img_size: int | None = setting(None, "side of the network's input in pixels; none: the backbone's", least=1)
    crop: Crop = setting("center", "how a picture becomes a square")
    balance: bool = setting(False, "show every class equally often, however many pictures it has")
    metric: Metric = setting("top1", "what the best epoch is the best in")
    time_limit: float | None = setting(None, "minutes after which the run ends, its rate fallen to 0", least=0.01)
    seed: int = setting(0, "of every random choice", least=0, most=2**31 - 1)
    deterministic: bool = setting(False, "the same weights to the last bit on the same machine")
    precision: Precision = setting("auto", "of training; auto is bf16 on a GPU that has it, else fp32")
    device: str | None = setting(None, "cpu, cuda, cuda:1 …; none: a GPU where there is one")
    workers: int | None = setting(None, "threads that read pictures; none: by the machine", least=0, most=1024)
    target_error: float = setting(0.05, "share of answers that may be wrong before the model declines", least=0, most=1)
    unknown: Path | None = setting(None, "folder of pictures of no known class, to measure declining with")
    save_minutes: float = setting(1.0, "minutes of work that a crash may cost, at most", least=0)

    def __post_init__(self) -> None:
        check(self)
        if self.recipe is None:
            object.__setattr__(self, "recipe", RECIPES["scratch" if self.weights == NO_WEIGHTS else "finetune"])
        if not 0 < self.target_error < 1:
            raise UsageError(f"target_error is {self.target_error}; it must lie between 0 and 1, such as 0.05")
        if self.how.epochs == 0 and not self.how.head_first:
            raise UsageError("--epochs is 0; that trains nothing, except a head with the recipe finetune")

    @property
    def how(self) -> Recipe:
        """The recipe, which `__post_init__` has chosen where none was given."""
        assert self.recipe is not None  # noqa: S101  # for the type checker
        return self.recipe

    def to_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return plain

    def decisive(self) -> dict[str, Any]:
        """What a run must share with the one it goes on with; the rest changes no result."""
        return {key: value for key, value in self.to_dict().items() if key not in _FREE}


# The data folder may have moved: its content is compared by fingerprint.
_FREE = frozenset(
    {"data", "output", "overwrite", "dry_run", "resume", "device", "workers", "save_minutes", "unknown", "time_limit"}
)
assert {each.name for each in fields(TrainConfig)} >= _FREE  # noqa: S101  # a renamed field must be renamed here
