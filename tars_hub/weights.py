"""Tensors by name: read them from a file, check them against a network, put them in.

Strict on purpose: a tensor that is missing, unexpected or misshapen is an error that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tars_hub.config import shown, shown_name
from tars_hub.errors import WeightsError

_SHOWN = 3  # names in a message; a checkpoint of another network would list hundreds
_REAL = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
_WHOLE = frozenset({torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64})


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, on the CPU, mapped into memory rather than read."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file") from None
    except Exception as error:  # safetensors and torch raise half a dozen kinds for a broken file
        raise WeightsError(f"{path}: no readable safetensors file ({_one_line(error)})") from error


def write_safetensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write with the metadata that marks PyTorch's tensors, which transformers asks for.

    The file may be read by whoever may read a new file here; safetensors alone would keep it to its owner.
    """
    path.touch()
    mode = path.stat().st_mode
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata={"format": "pt"})
    path.chmod(mode)


def fill(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Give the network copies of these tensors.

    Copies, because parameters that lie in a file mapped into memory change when somebody writes over
    that file, end the process when it is cut, and lie unaligned there, which changes answers' last bits.

    Args:
        source: the file's name, for the message.

    Raises:
        WeightsError: names and shapes are not exactly the network's.
    """
    own = network.state_dict()
    check(own, tensors, source=source)
    # Not a new dict: state_dict() carries versions (mnasnet's, BatchNorm's) that safetensors does not keep.
    for name, tensor in tensors.items():
        own[name] = tensor.to(own[name].dtype, copy=True, memory_format=torch.contiguous_format)
    network.load_state_dict(own, strict=True, assign=True)


def check(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Raise a WeightsError that names what is missing, unexpected, misshapen or no plain tensor."""
    complaints = [
        _complaint("lacks", [name for name in expected if name not in tensors]),
        _complaint("has the unexpected", [name for name in tensors if name not in expected]),
        _complaint("has another shape in", list(_misshapen(expected, tensors))),
        _complaint("has no plain numbers in", list(_unusable(expected, tensors))),
    ]
    if any(complaints):
        raise WeightsError(f"{source} {'; '.join(filter(None, complaints))}")


def _misshapen(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> Iterable[str]:
    for name in expected.keys() & tensors.keys():
        if expected[name].shape != tensors[name].shape:
            yield f"{name} {shown(tuple(tensors[name].shape))} instead of {tuple(expected[name].shape)}"


def _unusable(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> Iterable[str]:
    """Quantized, sparse, complex or valueless tensors, and whole numbers where the network has real ones."""
    for name in expected.keys() & tensors.keys():
        tensor, real = tensors[name], expected[name].is_floating_point()
        fits = tensor.dtype in _REAL or (tensor.dtype in _WHOLE and not real)
        if not fits or tensor.is_meta or tensor.layout is not torch.strided:
            yield f"{name} ({str(tensor.dtype).removeprefix('torch.')})"


def _complaint(verb: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{verb} {', '.join(shown_name(name) for name in sorted(names)[:_SHOWN])}{more}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
