"""ONNX Runtime on the processor. Needs no torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tars_hub.engines.engine import EngineName
from tars_hub.errors import ModelError
from tars_hub.samples import Pixels

if TYPE_CHECKING:
    from onnxruntime import SessionOptions

# Names of the graph's input, (N, S, S, 3) uint8 RGB, and outputs, (N, C) float32 each.
PICTURES, LOGITS, PROBABILITIES = "pictures", "logits", "probabilities"
_ERRORS_ALONE = 3
_TOGETHER = 4  # more do not fit into a processor's cache, and are slower for each
_CPU = ["CPUExecutionProvider"]


class OnnxEngine:
    """A session of ONNX Runtime around an exported graph; see `engine.Engine`."""

    name: EngineName = "onnx"
    device = "cpu"

    def __init__(self, graph: Path, *, is_optimised: bool = False) -> None:
        """
        Args:
            graph: an .onnx file of ours.
            is_optimised: the graph was written by `optimise` on this kind of machine, and is taken as it is.

        Raises:
            ModelError: it is no graph that this version of ONNX Runtime reads.
        """
        import onnxruntime

        options = _options()
        if is_optimised:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=_CPU)
        except Exception as error:  # its kinds have no common base
            raise ModelError(f"{graph}: ONNX Runtime cannot read it ({_one_line(error)})") from error
        self.callers = _cores()
        self.together = _TOGETHER
        self.memory_bytes = sum(file.stat().st_size for file in graph.parent.iterdir() if file.stem == graph.stem)

    def logits(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) logits, in one batch."""
        return self._asked(LOGITS, pictures)

    def probabilities(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) probabilities, as the graph itself makes them."""
        return self._asked(PROBABILITIES, pictures)

    def _asked(self, output: str, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        batch = np.ascontiguousarray(pictures[0][None]) if len(pictures) == 1 else np.stack(pictures)
        found: NDArray[np.float32] = self._session.run([output], {PICTURES: batch})[0]
        return found


def optimise(graph: Path, target: Path) -> None:
    """Write the graph as ONNX Runtime would run it on this machine: its session starts several times faster.

    Args:
        target: the new .onnx file; its numbers lie beside it, in a file of the same stem that ends in .bin.

    Raises:
        ModelError: ONNX Runtime cannot take it.
    """
    import onnxruntime

    options = _options()
    options.optimized_model_filepath = os.fspath(target)
    # Apart from the graph, numbers are mapped into memory rather than read and copied.
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", f"{target.stem}.bin")
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    try:
        onnxruntime.InferenceSession(graph, options, providers=_CPU)
    except Exception as error:  # as above
        raise ModelError(f"ONNX Runtime cannot take this network ({_one_line(error)})") from error


def version() -> str:
    """ONNX Runtime's: another may optimise otherwise."""
    import onnxruntime

    return str(onnxruntime.__version__)


def _options() -> SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ALONE
    # Named, because with its own choice it pins threads to cores that a container may not have, and complains.
    options.intra_op_num_threads = _cores()
    # A thread that waits for work by spinning takes the core from those that read pictures, and from other programs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
