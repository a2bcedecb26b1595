"""The headers of safetensors files: what tensors there are, without their numbers.

A file is 8 bytes (the header's length, little-endian), the header (JSON), then the tensors, one after the other.
https://huggingface.co/docs/safetensors#format
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 25 << 20  # the format allows 100 MB; the largest seen have 5
MAX_TENSORS = 100_000
_MAX_COMMAS = 16 * MAX_TENSORS  # each makes a Python object, some 60 bytes
_MAX_FILE_BYTES = 1 << 48
_MAX_DIMENSIONS = 64
_DIGITS = re.compile(r"[0-9]+")
_DTYPE = re.compile(r"[A-Z][A-Z0-9_]{0,15}")

# Bits of one number. A type that is not here may come with a later version of the format.
_BITS = (
    {"C64": 64, "F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16}
    | dict.fromkeys(("I16", "U16"), 16)
    | dict.fromkeys(("I8", "U8", "BOOL", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ"), 8)
    | {"F6_E2M3": 6, "F6_E3M2": 6, "F4": 4}
)


class TensorError(ValueError):
    """No header of a safetensors file."""


@dataclass(frozen=True)
class Tensor:
    """A tensor without its numbers; `parameters` is how many they are.

    Attributes:
        first, last: its bytes, from the first up to and without the last, counted from the end of the header.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    parameters: int
    first: int = 0
    last: int = 0


def reading_order(tensor: Tensor) -> str:
    """To sort by: names as people order them, layer2 before layer10."""
    return _DIGITS.sub(lambda found: found[0].zfill(9), tensor.name)


@dataclass(frozen=True)
class TensorFile:
    """What the header of one file says."""

    metadata: Mapping[str, str]
    tensors: tuple[Tensor, ...]


def header_length(start: bytes) -> int:
    """How many bytes of header follow the first eight of a file.

    Raises:
        TensorError: fewer than eight bytes, or a length that is no header's.
    """
    if len(start) < LENGTH_BYTES:
        raise TensorError(f"a safetensors file begins with {LENGTH_BYTES} bytes of length, this has {len(start)}")
    length = int.from_bytes(start[:LENGTH_BYTES], "little")
    if not 2 <= length <= MAX_HEADER_BYTES:
        raise TensorError(f"a safetensors header of {length} bytes; it has 2 to {MAX_HEADER_BYTES}")
    return length


def read_header(data: bytes) -> TensorFile:
    """Read the header, `data` being the `header_length` bytes behind the first eight.

    Raises:
        TensorError: it is not what safetensors' own reader would take.
    """
    fields = _json_object(data)
    metadata = fields.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise TensorError("__metadata__ of a safetensors header must be texts by name")
    read = [_tensor(name, value) for name, value in fields.items()]
    end = 0
    for (first, last), tensor in sorted(read, key=lambda one: one[0]):
        if first != end:
            raise TensorError(f"tensor {_short(tensor.name)} begins at byte {first}, the one before it ends at {end}")
        end = last
    return TensorFile(metadata=metadata, tensors=tuple(tensor for _, tensor in read))


def parameters_by_type(headers: Iterable[TensorFile]) -> dict[str, int]:
    """How many parameters the files have together, by data type, as huggingface.co counts them."""
    count: Counter[str] = Counter()
    for header in headers:
        for tensor in header.tensors:
            count[tensor.dtype] += tensor.parameters
    return dict(count)


def _json_object(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_HEADER_BYTES:
        raise TensorError(f"a safetensors header of {len(data)} bytes, over {MAX_HEADER_BYTES}")
    if data.count(b"{") > MAX_TENSORS + 2 or data.count(b",") > _MAX_COMMAS:
        raise TensorError(f"a safetensors header of more than {MAX_TENSORS} tensors")
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_int=_integer)
    except TensorError:
        raise
    except RecursionError as error:
        raise TensorError("a safetensors header that is nested too deep") from error
    except ValueError as error:
        raise TensorError("a safetensors header that is not JSON in UTF-8") from error
    if not isinstance(found, dict):
        raise TensorError("a safetensors header that is not a JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise TensorError("a safetensors header that names something twice")
    return found


def _integer(digits: str) -> int:
    if len(digits) > 18:  # within 64 bits, and quick to read
        raise TensorError("a safetensors header with a number of more than 18 digits")
    return int(digits)


def _tensor(name: str, value: object) -> tuple[tuple[int, int], Tensor]:
    """The bytes of a tensor, from the first up to and without the last, and the tensor."""
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise TensorError(f"tensor {_short(name)} must have dtype, shape and data_offsets")
    dtype = value["dtype"]
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise TensorError(f"tensor {_short(name)} has no good dtype")
    shape = _naturals(name, "shape", value["shape"])
    offsets = _naturals(name, "data_offsets", value["data_offsets"])
    if len(offsets) != 2 or offsets[1] > _MAX_FILE_BYTES:
        raise TensorError(f"tensor {_short(name)} has no good data_offsets")
    parameters, size_bits = math.prod(shape), 8 * (offsets[1] - offsets[0])
    # Of a type that is not known yet: at least a bit each. Offsets that go backwards are less than nothing.
    if parameters > size_bits or (dtype in _BITS and parameters * _BITS[dtype] != size_bits):
        raise TensorError(f"tensor {_short(name)} of shape {_short(list(shape))} does not fill its data_offsets")
    return (offsets[0], offsets[1]), Tensor(name, dtype, shape, parameters, offsets[0], offsets[1])


def _naturals(name: str, key: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > _MAX_DIMENSIONS:
        raise TensorError(f"{key} of tensor {_short(name)} must be a short list")
    if not all(type(one) is int and one >= 0 for one in value):
        raise TensorError(f"{key} of tensor {_short(name)} must be whole numbers, 0 or more")
    return tuple(value)


def _short(value: object) -> str:
    return repr(value)[:80]
