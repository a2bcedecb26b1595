"""What config.json holds, as frozen dataclasses. Knows no torch, no pixels, no network."""

from __future__ import annotations

import json
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from tars_hub.errors import ConfigError

FORMAT_VERSION = 1
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
CARD_NAME = "README.md"
# What the trainer leaves of a run, within the model folder.
METRICS = "training/metrics.json"
HISTORY = "training/history.csv"
FIGURES = ("training/curves.png", "training/confusion_matrix.png", "training/batch.jpg", "training/mistakes.jpg")
# Of that, what a model is pushed with. Not predictions.csv, which names its owner's files, nor what a run goes on from.
PUSHED = (METRICS, HISTORY, *FIGURES)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MAX_SIDE_PX = 4096  # a larger network input is a mistake, and would exhaust memory at the first picture
MAX_CLASSES = 100_000  # the same of a head: ImageNet's largest list has 21,843
_MAX_CONFIG_BYTES = 64 << 20
_TEMPERATURES = (1e-3, 1e3)  # beyond them every answer is certain, or none is
_SCALING_LIMITS = (1e-6, 1e6)  # beyond them float32 pictures become zeros, infinities and NaN

Crop = Literal["center", "squash", "pad"]
Interpolation = Literal["bilinear", "bicubic"]


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """How a picture becomes the network's input; travels with the model.

    Attributes:
        crop_size: side of the square the network sees, in pixels.
        resize_size: shorter side before the centre crop, in pixels; used by `crop="center"` alone.
        crop: "center" keeps the shape and cuts the borders, "squash" keeps everything and loses
            the shape, "pad" keeps both and adds borders in the mean colour.
        interpolation: used to enlarge; shrinking always averages areas.
        mean, std: per channel, RGB, for values in 0..1.
    """

    crop_size: int = 224
    resize_size: int = 256
    crop: Crop = "center"
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        for name in ("crop_size", "resize_size"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= MAX_SIDE_PX:
                raise ConfigError(f"preprocess.{name} is {shown(value)}; it must be a whole number, 1 to {MAX_SIDE_PX}")
        if self.resize_size < self.crop_size:
            raise ConfigError(f"preprocess.resize_size {self.resize_size} is below crop_size {self.crop_size}")
        _check_choice("preprocess.crop", self.crop, get_args(Crop))
        _check_choice("preprocess.interpolation", self.interpolation, get_args(Interpolation))
        object.__setattr__(self, "mean", _three_numbers("preprocess.mean", self.mean))
        object.__setattr__(self, "std", _three_numbers("preprocess.std", self.std))
        least, most = _SCALING_LIMITS
        if min(self.std) < least or max(*self.std, *map(abs, self.mean)) > most:
            raise ConfigError(f"preprocess.mean {list(self.mean)} and std {list(self.std)} are no scaling for 0..1")


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How logits become probabilities that can be believed, and when the model declines to answer.

    Attributes:
        temperature: logits are divided by it before the softmax (Guo et al. 2017, arXiv:1706.04599).
        threshold: an answer less probable than this, 0..1, is "not sure"; None never declines.
        error: the share of wrong answers, 0..1, that the threshold was fitted for; None without one.
    """

    temperature: float = 1.0
    threshold: float | None = None
    error: float | None = None

    def __post_init__(self) -> None:
        least, most = _TEMPERATURES
        if not _is_number(self.temperature) or not least <= self.temperature <= most:
            raise ConfigError(f"calibration.temperature is {shown(self.temperature)}; it must be {least:g} to {most:g}")
        for name in ("threshold", "error"):
            value = getattr(self, name)
            if value is not None and (not _is_number(value) or not 0 <= value <= 1):
                raise ConfigError(f"calibration.{name} is {shown(value)}; it must be null, or 0 to 1")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What is needed to rebuild a classifier, besides its tensors.

    Attributes:
        backbone: a row of `tars_hub.backbones`.
        classes: class names; the position is the index of the logit.
        preprocess: how pictures are prepared.
        drawings: the classes are drawn or written shapes, so the page offers a pad to draw on.
        calibration: how its logits are read.
    """

    backbone: str
    classes: tuple[str, ...]
    preprocess: Preprocess = field(default_factory=Preprocess)
    drawings: bool = False
    calibration: Calibration = field(default_factory=Calibration)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", check_classes(self.classes))
        if not isinstance(self.backbone, str):
            raise ConfigError(f"backbone is {shown(self.backbone)}; it must be a name such as resnet50")

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, with transformers' `id2label` and `label2id`."""
        prepare = self.preprocess
        return {
            "format_version": FORMAT_VERSION,
            "library_name": "tars-hub",
            "backbone": self.backbone,
            "num_classes": self.num_classes,
            "id2label": {str(index): name for index, name in enumerate(self.classes)},
            "label2id": {name: index for index, name in enumerate(self.classes)},
            "preprocess": {**asdict(prepare), "mean": list(prepare.mean), "std": list(prepare.std)},
            "drawings": self.drawings,
            "calibration": asdict(self.calibration),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> ModelConfig:
        """Rebuild from the JSON object; keys of others (timm's, transformers') are passed over.

        Raises:
            ConfigError: a key is missing or malformed, or the format is later than this one.
        """
        version = raw.get("format_version")
        if type(version) is not int or version < 1:
            raise ConfigError(f"format_version is {shown(version)}: not a config.json written by Tars Hub")
        if version > FORMAT_VERSION:
            raise ConfigError(
                f"format_version {shown(version)} is later than {FORMAT_VERSION}, the last known here; upgrade tars-hub"
            )
        preprocess = raw.get("preprocess")
        if not isinstance(preprocess, Mapping):
            raise ConfigError("preprocess is missing; it must be an object")
        missing = [key for key in Preprocess.__dataclass_fields__ if key not in preprocess]
        if missing:  # a default in its place would prepare pictures otherwise than in training
            raise ConfigError(f"preprocess lacks {', '.join(missing)}")
        config = cls(
            backbone=raw.get("backbone"),  # type: ignore[arg-type]  # checked by __post_init__
            classes=_classes_of(raw.get("id2label")),
            preprocess=Preprocess(**{key: preprocess[key] for key in Preprocess.__dataclass_fields__}),
            drawings=raw.get("drawings") is True,
            calibration=_calibration_of(raw.get("calibration")),
        )
        if "num_classes" in raw and raw["num_classes"] != config.num_classes:
            raise ConfigError(f"num_classes is {shown(raw['num_classes'])} but id2label names {config.num_classes}")
        return config

    @classmethod
    def load(cls, path: Path) -> ModelConfig:
        """Read a config.json; the error names the file."""
        try:
            if not path.is_file():
                raise ConfigError(f"{path}: no such file; a model folder holds {CONFIG_NAME} and {WEIGHTS_NAME}")
            if path.stat().st_size > _MAX_CONFIG_BYTES:
                raise ConfigError(f"{path}: above {_MAX_CONFIG_BYTES >> 20} MB, so no config.json of a classifier")
            raw = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: not readable as JSON ({error})") from error
        if not isinstance(raw, dict):
            raise ConfigError(f"{path}: holds {type(raw).__name__}, not an object")
        try:
            return cls.from_dict(raw)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error


def read_card(folder: Path) -> str | None:
    """The text of a model folder's README.md; a model without one is a model."""
    try:
        return (folder / CARD_NAME).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def check_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """The names as a tuple, or a ConfigError that says which one cannot stand."""
    if isinstance(classes, str):
        raise ConfigError(f"classes is the text {shown(classes)}; give a list of names, such as ['cat', 'dog']")
    if isinstance(classes, (Mapping, set, frozenset)) or not isinstance(classes, Iterable):
        # The order of a set is chance and that of a dictionary need not be the logits'.
        raise ConfigError(f"classes is {shown(classes)}; give a list of names in the order of the logits")
    names = tuple(classes)
    if not 1 <= len(names) <= MAX_CLASSES:
        raise ConfigError(f"there are {len(names)} classes; a classifier has 1 to {MAX_CLASSES:,}")
    for name in names:
        if not isinstance(name, str) or not name:
            raise ConfigError(f"class name {shown(name)} is not a non-empty text")
        if not _is_unicode(name):
            raise ConfigError(f"class name {shown(name)} is not Unicode text; rename its folder")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise ConfigError(f"class name {shown(name)} stands twice")
    return names


def shown(value: object) -> str:
    """A stranger's value for a message: one line, however long or deep it is."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 80
    return short.repr(value)


def printable(text: str) -> str:
    """Control characters, which could rewrite a terminal, as escapes; letters of any language stay."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode() for char in text
    )


def shown_name(name: str) -> str:
    """A name a stranger gave, for a message: as it is where that is one short line."""
    return name if name.isprintable() and 0 < len(name) <= 100 else shown(name)


def _is_unicode(text: str) -> bool:
    """Whether the text can be written: half a surrogate pair, or a file name in another encoding, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _classes_of(id2label: object) -> tuple[str, ...]:
    if not isinstance(id2label, Mapping):
        raise ConfigError("id2label is missing; it maps '0', '1', … to class names")
    if set(id2label) != {str(index) for index in range(len(id2label))}:
        raise ConfigError(f"id2label's keys are not '0' to '{len(id2label) - 1}'")
    return check_classes([id2label[str(index)] for index in range(len(id2label))])


def _calibration_of(raw: object) -> Calibration:
    """A config without one is of a model that nobody calibrated: its softmax stands as it is."""
    if raw is None:
        return Calibration()
    if not isinstance(raw, Mapping):
        raise ConfigError(f"calibration is {shown(raw)}; it must be an object")
    return Calibration(**{key: raw[key] for key in Calibration.__dataclass_fields__ if key in raw})


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} is {shown(value)}; it must be one of {', '.join(choices)}")


def _three_numbers(name: str, value: object) -> tuple[float, float, float]:
    numbers = tuple(value) if isinstance(value, (list, tuple)) else ()
    good = [float(n) for n in numbers if type(n) in (int, float) and -1e300 < n < 1e300]  # NaN is refused too
    if len(good) != 3 or len(numbers) != 3:
        raise ConfigError(f"{name} is {shown(value)}; it must be three numbers")
    return good[0], good[1], good[2]
