"""The formats: what each writes, and what runs it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from tars_hub.engines.engine import Engine, EngineName
from tars_hub.engines.exported import GRAPH_NAME
from tars_hub.engines.onnx import OnnxEngine
from tars_hub.errors import UsageError
from tars_hub.export.intel import OpenvinoRunner, convert, openvino
from tars_hub.memory import memory_of
from tars_hub.samples import Pixels

if TYPE_CHECKING:
    from tars_hub.model import TarsClassifier

FormatName = Literal["onnx", "torch-export", "openvino"]
_MOST_IN_ONE_FILE = 2_000_000_000  # bytes of numbers; protobuf holds 2^31, names and all


class Runner(Engine, Protocol):
    """An engine that also gives the probabilities that the written file makes itself."""

    def probabilities(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, kw_only=True)
class Format:
    """
    Attributes:
        name: as people say it.
        file: the file that is opened to run it.
        files: all that it may consist of.
        has_int8: it can hold whole numbers of 8 bits.
        runs: opens a written file.
    """

    name: FormatName
    file: str
    files: tuple[str, ...]
    has_int8: bool
    runs: Callable[[Path], Runner]


class TorchRunner:
    """A program of torch.export, from its file; see `engine.Engine`."""

    name: EngineName = "torch"
    device = "cpu"
    callers = together = 1

    def __init__(self, file: Path) -> None:
        import torch

        self._module = torch.export.load(file).module()
        self.memory_bytes = memory_of(self._module)

    def logits(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) logits, in one batch."""
        return self._asked(pictures)[0]

    def probabilities(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) probabilities, as the program itself makes them."""
        return self._asked(pictures)[1]

    def _asked(self, pictures: Sequence[Pixels]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        import torch

        with torch.inference_mode():
            logits, probabilities = self._module(torch.from_numpy(np.stack(pictures)))
        return logits.numpy(), probabilities.numpy()


FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        Format(
            name="onnx",
            file=GRAPH_NAME,
            files=(GRAPH_NAME, f"{GRAPH_NAME}.data"),
            has_int8=True,
            runs=OnnxEngine,
        ),
        Format(name="torch-export", file="model.pt2", files=("model.pt2",), has_int8=False, runs=TorchRunner),
        Format(
            name="openvino",
            file="model.xml",
            files=("model.xml", "model.bin"),
            has_int8=True,
            runs=OpenvinoRunner,
        ),
    )
}


def find(name: str) -> Format:
    """The format of that name, once it is known that this machine can write it. Raises UsageError."""
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}; there are {', '.join(get_args(FormatName))}")
    if name == "openvino":
        openvino()
    return FORMATS[name]


def write(model: TarsClassifier, form: Format, folder: Path) -> None:
    """Write a model's files into a folder. Raises ModelError where it cannot be exported."""
    import torch

    from tars_hub.engines.graph import exported, write_onnx

    if form.name == "torch-export":
        torch.export.save(exported(model), folder / form.file)
        return
    apart = is_large(model)
    if form.name == "onnx":
        write_onnx(model, folder / form.file, apart=apart)
        return
    with TemporaryDirectory(dir=folder) as between:
        graph = Path(between) / GRAPH_NAME
        write_onnx(model, graph, apart=apart)
        convert(graph, folder / form.file)


def convert_graph(graph: Path, form: Format, folder: Path) -> None:
    """Put an ONNX graph of one file into a folder, in this format."""
    if form.name == "onnx":
        graph.rename(folder / form.file)
    else:
        convert(graph, folder / form.file)


def is_large(model: TarsClassifier) -> bool:
    """Whether its numbers do not fit into one file of ONNX."""
    return memory_of(model) > _MOST_IN_ONE_FILE
