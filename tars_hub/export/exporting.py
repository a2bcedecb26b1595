"""The whole of an export: written, asked about real pictures, described, and only then put in place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tars_hub.config import CARD_NAME, CONFIG_NAME, WEIGHTS_NAME, ModelConfig
from tars_hub.engines.exported import EXPORT_NAME, GRAPH_NAME
from tars_hub.engines.parity import EXACT, Parity, compare
from tars_hub.engines.silence import silently
from tars_hub.errors import DataError, ModelError, UsageError
from tars_hub.export import cost, int8, pictures
from tars_hub.export.cost import Cost
from tars_hub.export.described import facts, readme
from tars_hub.export.formats import FORMATS, Format, Runner, convert_graph, is_large, write
from tars_hub.files import replace_folder
from tars_hub.predict import Predictor
from tars_hub.samples import Pixels
from tars_hub.version import VERSION

if TYPE_CHECKING:
    from tars_hub.model import TarsClassifier

MAX_LOSS_POINTS = 1.0
_TOOLS = {
    "onnx": ("torch", "onnx", "onnxscript", "onnxruntime"),
    "torch-export": ("torch",),
    "openvino": ("torch", "onnx", "onnxscript", "openvino"),
}
_FORMAT_FILES = frozenset(file for form in FORMATS.values() for file in form.files)

_Rows = NDArray[np.float32]
Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be made.

    Attributes:
        form: the format.
        output: the folder.
        data: pictures to check by; for int8 a labelled folder.
        int8: 8-bit numbers.
        bound: what a probability may differ by from torch's.
        max_loss: points of accuracy, out of 100, that int8 may cost.
        overwrite: an export that stands there may go.
    """

    form: Format
    output: Path
    data: Path | None = None
    int8: bool = False
    bound: float = EXACT
    max_loss: float = MAX_LOSS_POINTS
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was made; `parity` is that of the floats, `cost` that of 8-bit numbers."""

    parity: Parity
    cost: Cost | None
    size_bytes: int


@dataclass(frozen=True)
class Watch:
    """
    Attributes:
        say: gets a line when something begins that takes a while.
        bar: (title, pictures) opens what is told how many pictures are done.
    """

    say: Callable[[str], object] = lambda _: None
    bar: Bar = lambda _title, _total: nullcontext(lambda _count: None)


def check(order: Order) -> None:
    """What can be known before the model is loaded.

    Raises:
        UsageError: the order contradicts itself, or something else stands in the folder.
        DataError: there is no such folder of pictures.
    """
    if order.int8 and not order.form.has_int8:
        raise UsageError(f"{order.form.name} has no 8-bit numbers here; --int8 goes with onnx and openvino")
    if order.int8 and order.data is None:
        raise UsageError("--int8 needs --data DIR, a folder of labelled pictures to calibrate and measure by")
    if order.data is not None and not order.data.is_dir():
        raise DataError(f"{order.data}: no such folder; --data takes a folder of pictures")
    output = order.output
    if (output / WEIGHTS_NAME).exists():
        raise UsageError(f"{output} holds a model; choose another folder for its export")
    if output.is_dir() and any(output.iterdir()):
        if not (output / EXPORT_NAME).is_file():
            raise UsageError(f"{output} holds something else than an export; choose another folder")
        if not order.overwrite:
            raise UsageError(f"{output} already holds an export; choose another folder, or say --overwrite")
    elif output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file; choose another name for the folder")


def export(model: TarsClassifier, order: Order, watch: Watch | None = None) -> Exported:
    """Make the folder; where anything fails, nothing is changed.

    Raises:
        UsageError, DataError: as `check`; or the network is too large for 8 bits, or the pictures are no use.
        ModelError: it cannot be exported, or answers otherwise than torch by more than the bound.
    """
    check(order)
    if order.int8 and is_large(model):
        raise UsageError(f"{model.config.backbone} is above 2 GB, which is too much for --int8")
    made: list[Exported] = []
    work = _Work(model, order, watch or Watch())
    replace_folder(order.output, lambda folder: made.append(work.into(folder)), remove=_FORMAT_FILES)
    return made[0]


@dataclass(frozen=True)
class _Work:
    model: TarsClassifier
    order: Order
    watch: Watch

    @property
    def config(self) -> ModelConfig:
        return self.model.config

    def into(self, folder: Path) -> Exported:
        """Fill an empty folder."""
        form, spent = self.order.form, None
        self.watch.say(f"writing {self.config.backbone} as {form.name}; this may take a minute")
        if self.order.int8:
            parity, spent = self._eight_bits(folder)
        else:
            with self._silently():
                write(self.model, form, folder)
            parity = self._check(self._open(folder / form.file))
        self._describe(folder, parity, spent)
        size = sum(file.stat().st_size for file in folder.iterdir() if file.name in form.files)
        return Exported(parity=parity, cost=spent, size_bytes=size)

    def _eight_bits(self, folder: Path) -> tuple[Parity, Cost]:
        """Floats first, checked as ever; then from the same graph 8-bit numbers, measured."""
        form, config, data = self.order.form, self.config, self.order.data
        if data is None:
            raise UsageError("8-bit numbers need pictures")
        division = pictures.divide(data, config.classes)
        with TemporaryDirectory(dir=folder) as between:
            floats, graph = Path(between, "float"), Path(between, "float", GRAPH_NAME)
            floats.mkdir()
            with self._silently():
                write(self.model, FORMATS["onnx"], floats)
                if form.name != "onnx":
                    convert_graph(graph, form, floats)
            before = self._open(floats / form.file)
            parity = self._check(before)
            small = Path(between) / GRAPH_NAME
            seen = self._quantise(graph, small, division)
            with self._silently():
                convert_graph(small, form, folder)
            after = self._open(folder / form.file)
            with self.watch.bar("measuring", 2 * len(division.measured)) as on_progress:
                spent = cost.measure(config, before, after, division, calibrated_by=seen, on_progress=on_progress)
        if not spent.loss_points <= self.order.max_loss:
            raise ModelError(
                f"int8 loses {spent.loss_points:.1f} points of accuracy, and {self.order.max_loss:g} are allowed "
                f"(--max-loss): {spent}"
            )
        return parity, spent

    def _quantise(self, graph: Path, target: Path, division: pictures.Division) -> int:
        batches = pictures.to_calibrate(division.calibrating, self.config.preprocess)
        with self.watch.bar("calibrating", len(division.calibrating)) as on_progress:
            vino = self.order.form.name == "openvino"
            return int8.quantise(graph, target, batches, first_layer_floats=vino, on_progress=on_progress)

    def _check(self, found: Runner) -> Parity:
        """How far its probabilities lie from torch's. Raises a ModelError where that is too far."""
        reference = Predictor(self.model, device="cpu")
        answers: tuple[list[_Rows], list[_Rows]] = ([], [])
        with self.watch.bar("checking", pictures.CHECKED if self.order.data else 0) as on_progress:
            for batch in self._pictures():
                answers[0].append(reference.probabilities(batch))
                answers[1].append(found.probabilities(batch))
                on_progress(len(batch))
        parity = compare(*map(np.concatenate, answers))
        if not parity.within(self.order.bound):
            raise ModelError(
                f"{self.order.form.name} answers otherwise than torch, by more than {self.order.bound:g} "
                f"(--bound): {parity}"
            )
        return parity

    def _pictures(self) -> Iterator[list[Pixels]]:
        return pictures.to_check(self.order.data, self.config.preprocess)

    def _open(self, file: Path) -> Runner:
        with self._silently():
            return self.order.form.runs(file)

    def _describe(self, folder: Path, parity: Parity, spent: Cost | None) -> None:
        form, bound, config = self.order.form, self.order.bound, self.config
        tools = {"tars-hub": VERSION} | {tool: version(tool) for tool in _TOOLS[form.name]}
        found = facts(config, form, parity=parity, bound=bound, cost=spent, made_with=tools)
        texts = {
            CONFIG_NAME: json.dumps(config.to_dict(), indent=2, ensure_ascii=False),
            EXPORT_NAME: json.dumps(found, indent=2, ensure_ascii=False),
            CARD_NAME: readme(config, form, parity=parity, cost=spent),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")

    def _silently(self) -> AbstractContextManager[None]:
        return silently(f"{self.config.backbone} cannot be exported as {self.order.form.name}")
