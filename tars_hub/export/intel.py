"""OpenVINO, which is imported here alone."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tars_hub.engines.engine import EngineName
from tars_hub.engines.onnx import LOGITS, PROBABILITIES
from tars_hub.errors import UsageError
from tars_hub.samples import Pixels

# By itself it computes with 16 bits where a processor can.
PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}
_TELLTALE = "openvino_telemetry"


def openvino() -> Any:  # noqa: ANN401  # a module that may be missing
    """The module. Raises a UsageError that says how to get it."""
    try:
        with _untold():
            import openvino as found
    except ImportError as error:
        raise UsageError(
            f"OpenVINO cannot be imported ({error}); pip install 'tars-hub[openvino]', "
            "or for a checkout pip install 'openvino>=2025.3'"
        ) from error
    return found


def convert(graph: Path, target: Path) -> None:
    """Write an ONNX graph as OpenVINO's .xml and .bin; float32 stays float32."""
    openvino().save_model(_core().read_model(graph), target, compress_to_fp16=False)


class OpenvinoRunner:
    """OpenVINO on the processor around a written model; see `engine.Engine`."""

    name: EngineName = "onnx"  # whose graph it runs; people cannot choose this one
    device = "cpu"
    callers = together = 1

    def __init__(self, model: Path) -> None:
        self._compiled = _core().compile_model(model, "CPU", PRECISION)
        self.memory_bytes = model.with_suffix(".bin").stat().st_size

    def logits(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) logits, in one batch."""
        return self._asked(LOGITS, pictures)

    def probabilities(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) probabilities, as the model itself makes them."""
        return self._asked(PROBABILITIES, pictures)

    def _asked(self, output: str, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._compiled([np.stack(pictures)])[output].copy()
        return found


@functools.cache
def _core() -> Any:  # noqa: ANN401  # openvino.Core
    """The process's only one.

    Each gives signals a stack of its own, and at its end sets up again the one before. Where the one before has
    ended first, that memory is gone, and Ctrl-C ends the process with a segmentation fault.
    """
    return openvino().Core()


@contextmanager
def _untold() -> Iterator[None]:
    """At its import OpenVINO tells its makers' statistics about it, unless the package for that is missing."""
    if "openvino" in sys.modules or _TELLTALE in sys.modules:
        yield  # somebody else has imported it, and decided
        return
    sys.modules[_TELLTALE] = None  # type: ignore[assignment]  # how Python is told that there is none
    try:
        yield
    finally:
        del sys.modules[_TELLTALE]
