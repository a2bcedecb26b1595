"""Memory of networks: what one takes, what one will take, and giving back what one took."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from itertools import chain
from math import prod
from pathlib import Path

from safetensors import safe_open
from torch import Tensor, nn

_NUMBER_BYTES = 4  # networks are loaded as float32, whatever the file has


def memory_of(network: nn.Module) -> int:
    """Bytes of the parameters and buffers."""
    tensors: Iterable[Tensor] = chain(network.parameters(), network.buffers())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def memory_for(weights: Path) -> int:
    """Bytes of a network that is filled from this file, by the file's head alone.

    Of a file that cannot be read its size: whoever loads it says what is wrong.
    """
    try:
        with safe_open(weights, "pt") as file:
            numbers: int = sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
            return _NUMBER_BYTES * numbers
    except Exception:  # safetensors raises half a dozen kinds for a broken file
        return weights.stat().st_size if weights.exists() else 0


def give_back() -> None:
    """Return freed memory to the system, where the C library keeps it: glibc does, for each thread some."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):  # another C library
        return
