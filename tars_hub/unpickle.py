"""Read what torch.save wrote without running anything in it, and say what a refused file would have run.

torch's weights-only reader does the reading. Training programs leave settings and scores beside the tensors
(options, paths, dates, NumPy's numbers); for those it gets stand-ins defined here, which do nothing. NumPy's own
classes would not do: they act on a memory layout that a stranger wrote down, and a false one ends the process.
"""

from __future__ import annotations

import pickletools
import re
import threading
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from tars_hub.config import shown_name
from tars_hub.errors import ModelError, UnsafeFileError, WeightsError

_NEWEST_PROTOCOL = 3  # torch's reader knows the words of no later one
_SHOWN = 3

# What tensors themselves are made of; torch's reader does not run more than its own small functions for them.
_OF_TENSORS = re.compile(
    r"torch\.(Size|device|Tensor|\w*Storage|b?float\w*|q?u?int\w*|complex\w*|bool|double|half|long)"
    r"|torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2|torch\.storage\.\w+"
    r"|torch\.nn\.parameter\.Parameter|torch\.serialization\._get_layout"
    r"|collections\.(OrderedDict|Counter)|_codecs\.encode|builtins\.(set|complex|bytearray)"
)


class _Setting:
    """Stands for an object whose content nobody here asks for, whatever it is made of."""

    def __new__(cls, *_: object) -> _Setting:
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass


class _Kind:
    """Stands for numpy.dtype: a name such as "f8", and which byte comes first."""

    def __init__(self, name: str = "", *_: object) -> None:
        self.name = str(name)
        self.order = "<"

    def __setstate__(self, state: Any) -> None:  # noqa: ANN401  # whatever was pickled
        self.order = ">" if state[1] == ">" else "<"


def _number(kind: _Kind, data: Any = b"") -> object:  # noqa: ANN401  # whatever was pickled
    """A NumPy scalar as a plain number or text."""
    if re.fullmatch(r"[fiub][1248]", kind.name):
        return np.frombuffer(data, dtype=kind.order + kind.name)[0].item()
    if re.fullmatch(r"U\d+", kind.name):
        return str(data, "utf-32-be" if kind.order == ">" else "utf-32-le")
    return _Setting()


def _array(*_: object) -> _Setting:
    return _Setting()


def _dictionary(*_: object) -> OrderedDict[object, object]:
    return OrderedDict()


_SETTINGS = (
    *("argparse.Namespace", "types.SimpleNamespace", "numpy.ndarray"),
    *("datetime.datetime", "datetime.date", "datetime.timedelta"),
    *(f"pathlib.{kind}" for kind in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    *(f"pathlib._local.{kind}" for kind in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    *(f"builtins.{kind}" for kind in ("bool", "dict", "float", "int", "list", "str", "tuple")),  # of a defaultdict
)
_STAND_INS: dict[str, Callable[..., object]] = {
    **dict.fromkeys(_SETTINGS, _Setting),
    "collections.defaultdict": _dictionary,
    "numpy.dtype": _Kind,
    "numpy.core.multiarray.scalar": _number,
    "numpy._core.multiarray.scalar": _number,
    "numpy.core.multiarray._reconstruct": _array,
    "numpy._core.multiarray._reconstruct": _array,
}
_PYTHON_2 = {"__builtin__": "builtins", "commands": "subprocess"}  # old protocols write its names
_lock = threading.Lock()  # torch keeps one list of what may be called for the whole process


def unpickle(path: Path) -> Any:  # noqa: ANN401  # whatever was pickled
    """The object in the file: tensors on the CPU, plain containers, numbers and texts.

    Raises:
        UnsafeFileError: it holds more than data; the message names what opening it would call.
        WeightsError: not a file of torch.save's, or a damaged one.
    """
    allowed: list[Any] = [(stand_in, name) for name, stand_in in _STAND_INS.items()]
    try:
        with _lock, torch.serialization.safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's about old protocols and sparse tensors
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds for a broken file
        raise _explanation(path) from error


def _explanation(path: Path) -> ModelError:
    """Why the file was refused, found by reading its pickles' words one by one, which runs none of them."""
    called, protocol = _contents(path)
    if called:
        more = f" and {len(called) - _SHOWN} more" if len(called) > _SHOWN else ""
        return UnsafeFileError(
            f"{path} holds more than tensors: opening it would call {', '.join(called[:_SHOWN])}{more}. "
            "Nothing was run. If this is a whole pickled network of yours, save its state_dict() with torch.save "
            "where it was made and import that"
        )
    if protocol > _NEWEST_PROTOCOL:
        return WeightsError(
            f"{path}: pickle protocol {protocol} cannot be read without running what it holds; "
            "where it was made, save it with torch.save and without pickle_protocol"
        )
    return WeightsError(f"{path}: {_damage(path)}")


def _damage(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(2)
    try:
        if start == b"PK" and not _records(path):
            return "a zip archive, but not one that torch.save wrote"
    except Exception:  # noqa: S110  # damaged, as is said below
        pass
    if start[:1] not in (b"P", b"\x80"):
        return "no PyTorch checkpoint; torch.save and safetensors write those"
    return "damaged or cut short, or no PyTorch checkpoint"


def _contents(path: Path) -> tuple[list[str], int]:
    """Names that are called beyond tensors, in order, and the highest pickle protocol in the file."""
    called: dict[str, None] = {}
    protocol = 0
    try:
        for opcode, value in _words(path):
            if opcode == "PROTO":
                protocol = max(protocol, int(value))
            elif opcode == "CALL" and value not in _STAND_INS and not _OF_TENSORS.fullmatch(value):
                called[shown_name(value)] = None
    except Exception:  # noqa: S110  # a broken file: what was found so far counts
        pass
    return list(called), protocol


def _words(path: Path) -> Iterator[tuple[str, str]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive, archive.open(_records(path)[0]) as stream:
            yield from _names(stream)
        return
    with path.open("rb") as stream:
        if stream.read(1) != b"\x80":  # any text may begin like one of the oldest pickles, but does not end like it
            stream.seek(0)
            yield from list(_names(stream))
            return
        stream.seek(0)
        for _ in range(5):  # before 1.6, torch.save wrote five pickles one after the other
            yield from _names(stream)


def _records(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name for name in archive.namelist() if name.endswith("/data.pkl")]


def _names(stream: IO[bytes]) -> Iterator[tuple[str, str]]:
    """("CALL", "module.name") for each thing a pickle fetches, ("PROTO", number) for its protocol."""
    texts: list[str] = ["?", "?"]
    memory: dict[str, str] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        name, value = opcode.name, str(argument)[:200]
        if name in ("GLOBAL", "INST"):
            module, _, called = value.partition(" ")
            yield "CALL", f"{_PYTHON_2.get(module, module)}.{called}"
        elif name == "STACK_GLOBAL":
            yield "CALL", ".".join(texts[-2:])
        elif name == "PROTO":
            yield "PROTO", value
        elif "UNICODE" in name or "STRING" in name:
            texts.append(value)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            texts.append(memory.get(value, "?"))
        elif name == "MEMOIZE" or name.endswith("PUT"):
            memory[str(len(memory)) if argument is None else value] = texts[-1]
        del texts[:-2]
