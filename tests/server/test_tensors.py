"""Headers of safetensors files are read as safetensors' own reader would, and hostile ones are refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from tars_hub.server.tensors import (
    MAX_HEADER_BYTES,
    MAX_TENSORS,
    Tensor,
    TensorError,
    TensorFile,
    header_length,
    parameters_by_type,
    read_header,
)


def header(**tensors: Any) -> bytes:
    return json.dumps(tensors).encode()


def tensor(dtype: Any = "F32", shape: Any = (2, 3), data_offsets: Any = (0, 24), **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": data_offsets, **more}


def whole(data: bytes, contents: int = 24) -> bytes:
    """A file of this header."""
    return len(data).to_bytes(8, "little") + data + bytes(contents)


def test_a_file_of_the_library_is_read() -> None:
    arrays = {
        "conv.weight": np.zeros((4, 3, 2, 2), np.float32),
        "conv.half": np.zeros((5,), np.float16),
        "steps": np.array(7, np.int64),
        "none": np.zeros((0, 9), np.float32),
    }
    file = save(arrays, metadata={"format": "pt"})
    length = header_length(file[:8])
    found = read_header(file[8 : 8 + length])
    assert found.metadata == {"format": "pt"}
    assert {one.name: one.shape for one in found.tensors} == {name: array.shape for name, array in arrays.items()}
    assert parameters_by_type([found]) == {"F32": 48, "F16": 5, "I64": 1}


def test_parameters_of_shards_are_added() -> None:
    shard = TensorFile(metadata={}, tensors=(Tensor("a", "F32", (2,), 2), Tensor("b", "I8", (), 1)))
    assert parameters_by_type([shard, shard]) == {"F32": 4, "I8": 2}
    assert parameters_by_type([]) == {}


@pytest.mark.parametrize(
    "start",
    [b"", b"\x02" + bytes(6), bytes(8), (MAX_HEADER_BYTES + 1).to_bytes(8, "little"), b"\xff" * 8],
)
def test_a_length_that_is_no_headers_is_refused(start: bytes) -> None:
    with pytest.raises(TensorError):
        header_length(start)


def test_the_longest_header_is_taken() -> None:
    assert header_length(MAX_HEADER_BYTES.to_bytes(8, "little") + b"more") == MAX_HEADER_BYTES


# Headers, and how many bytes of tensors follow them.
GOOD = {
    "none": (b"{}", 0),
    "padded": (header(a=tensor()) + b"   ", 24),
    "not in order": (
        header(a=tensor(shape=[1], data_offsets=[20, 24]), b=tensor(shape=[5], data_offsets=[0, 20])),
        24,
    ),
    "a scalar": (header(a=tensor(shape=[], data_offsets=[0, 4])), 4),
    "nothing in it": (header(a=tensor(shape=[0, 4], data_offsets=[0, 0]), b=tensor()), 24),
    "half bytes": (header(a=tensor("F4", shape=[2, 3], data_offsets=[0, 3])), 3),
}


@pytest.mark.parametrize(("data", "contents"), GOOD.values(), ids=GOOD)
def test_a_good_header_is_read(data: bytes, contents: int) -> None:
    names = {one.name for one in read_header(data).tensors}
    assert names == {name for name, _ in deserialize(whole(data, contents))}


def test_a_type_of_a_later_format_is_taken() -> None:
    assert parameters_by_type([read_header(header(a=tensor("F2_NEW", data_offsets=[0, 2])))]) == {"F2_NEW": 6}


# What safetensors' own reader refuses too.
BAD = {
    "no json": b"hello",
    "no utf-8": b'{"\xff": 1}',
    "a list": b"[]",
    "deep": b'{"a":' * 100_000,
    "deep lists": b"[" * 100_000,
    "metadata is a list": b'{"__metadata__": []}',
    "metadata holds numbers": b'{"__metadata__": {"a": 1}}',
    "a tensor is a text": b'{"a": "b"}',
    "no shape": b'{"a": {"dtype": "F32", "data_offsets": [0, 24]}}',
    "twice": b'{"a": {"dtype":"F32","dtype":"F32","shape":[6],"data_offsets":[0,24]}}',
    "NaN": b'{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 24]}}',
    "a long number": b'{"a": {"dtype": "F32", "shape": [' + b"9" * 100_000 + b'], "data_offsets": [0, 24]}}',
    "overflow": header(a=tensor(shape=[10**17, 10**17])),
    "negative": header(a=tensor(shape=[-2, -3])),
    "a fraction": header(a=tensor(shape=[2.0, 3])),
    "true": header(a=tensor(shape=[True, 6])),
    "a type is a number": header(a=tensor(dtype=32)),
    "a type is a text": header(a=tensor(dtype="float 32")),
    "too large": header(a=tensor(shape=[2, 4])),
    "too small": header(a=tensor(shape=[2, 2])),
    "three offsets": header(a=tensor(data_offsets=[0, 24, 24])),
    "backwards": header(a=tensor(data_offsets=[24, 0])),
    "a hole before": header(a=tensor(data_offsets=[4, 28])),
    "a hole between": header(a=tensor(), b=tensor(data_offsets=[28, 52])),
    "on top of each other": header(a=tensor(), b=tensor()),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_bad_header_is_refused(data: bytes) -> None:
    with pytest.raises(TensorError) as refused:
        read_header(data)
    assert len(str(refused.value)) < 300
    with pytest.raises(SafetensorError):
        deserialize(whole(data))


# What only a hub must refuse, and why, so that it is refused before it costs anything.
TOO_MUCH = {
    "dimensions": (header(a=tensor(shape=[1] * 65, data_offsets=[0, 4])), "short list"),
    "digits": (header(a=tensor(shape=[10**18, 0], data_offsets=[0, 0])), "more than 18 digits"),
    "a field more": (header(a=tensor(extra=1)), "must have dtype, shape and data_offsets"),
    "petabytes": (header(a=tensor("U8", shape=[1 << 50], data_offsets=[0, 1 << 50])), "no good data_offsets"),
    "less than a bit each": (header(a=tensor("NEW", shape=[1 << 50], data_offsets=[0, 8])), "does not fill"),
    "numbers": (b'{"a": [' + b"1," * (17 * MAX_TENSORS) + b"1]}", "more than 100000 tensors"),
    "objects": (b'{"a": [' + b"{}," * (MAX_TENSORS + 2) + b"{}]}", "more than 100000 tensors"),
    "bytes": (b" " * (MAX_HEADER_BYTES + 1), "bytes, over"),
}


@pytest.mark.parametrize(("data", "reason"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_too_much_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(TensorError, match=reason):
        read_header(data)
