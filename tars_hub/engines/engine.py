"""What an engine is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tars_hub.samples import Pixels

EngineName = Literal["onnx", "torch"]


class Engine(Protocol):
    """Answers for one network. May be asked by many threads at once.

    Attributes:
        name: "onnx" or "torch".
        device: "cpu", or as torch calls another.
        memory_bytes: about what its numbers take.
        callers: by how many threads at once it is asked best.
        together: how many pictures of different people it is best given in one batch, at most.
    """

    @property
    def name(self) -> EngineName: ...

    @property
    def device(self) -> str: ...

    @property
    def memory_bytes(self) -> int: ...

    @property
    def callers(self) -> int: ...

    @property
    def together(self) -> int: ...

    def logits(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) logits, in one batch."""
        ...
