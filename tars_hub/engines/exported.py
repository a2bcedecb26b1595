"""A folder that `tars export` wrote as ONNX answers too, without the model it was made from and without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tars_hub.config import CONFIG_NAME, WEIGHTS_NAME, ModelConfig
from tars_hub.engines.onnx import OnnxEngine
from tars_hub.errors import ModelError, UsageError
from tars_hub.samples import Pixels

EXPORT_NAME = "export.json"
GRAPH_NAME = "model.onnx"


class ExportedEngine(OnnxEngine):
    """An OnnxEngine around a graph that anybody may have made; what it answers is checked."""

    def __init__(self, graph: Path, config: ModelConfig) -> None:
        """Ask it about one black picture, so that what cannot answer is found here.

        Raises:
            ModelError: it is no graph, or none for this config.
        """
        super().__init__(graph)
        self._graph, self._classes = graph, config.num_classes
        side = config.preprocess.crop_size
        self.logits([np.zeros((side, side, 3), np.uint8)])

    def logits(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """As an OnnxEngine. Raises a ModelError where the graph fails, or gives no (N, C) logits."""
        try:
            found = super().logits(pictures)
        except Exception as error:  # ONNX Runtime's kinds have no common base
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{self._graph} does not answer as its config.json says ({reason})") from error
        shape, kind = getattr(found, "shape", None), getattr(found, "dtype", None)
        if shape != (len(pictures), self._classes) or kind != np.float32:
            raise ModelError(
                f"{self._graph} gives logits of shape {shape} and type {kind} for {len(pictures)} pictures "
                f"and {self._classes} classes"
            )
        return found


def is_export(folder: Path) -> bool:
    """Whether a folder holds an export, and no model."""
    return (folder / EXPORT_NAME).is_file() and not (folder / WEIGHTS_NAME).exists()


def numbers_of(folder: Path) -> Path:
    """The file with a model's or an export's numbers."""
    return folder / (GRAPH_NAME if is_export(folder) else WEIGHTS_NAME)


def load_export(folder: Path, *, device: str | None, engine: str | None) -> tuple[ExportedEngine, ModelConfig]:
    """What answers for an exported folder.

    Raises:
        UsageError: another engine or device is asked for.
        ConfigError: config.json cannot be used.
        ModelError: the export is of another format, or does not answer.
    """
    if not (folder / GRAPH_NAME).is_file():
        raise ModelError(f"{folder} is an export without {GRAPH_NAME}; its README.md says what runs it")
    if engine not in (None, "onnx") or device not in (None, "cpu"):
        raise UsageError(f"{folder} is an export: ONNX Runtime answers for it, on the processor")
    config = ModelConfig.load(folder / CONFIG_NAME)
    return ExportedEngine(folder / GRAPH_NAME, config), config
