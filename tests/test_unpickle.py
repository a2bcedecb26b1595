"""Reading what torch.save wrote: settings beside the tensors are no hindrance, and nothing in a file is run."""

from __future__ import annotations

import argparse
import builtins
import collections
import datetime
import os
import pathlib
import pickle
import re
import subprocess
import sys
import threading
import types
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tars_hub.checkpoint import open_checkpoint
from tars_hub.errors import UnsafeFileError, WeightsError
from tests.checkpoints import STATE, assert_holds, refusal

ROOT = Path(__file__).parents[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.pth"


# ---------------------------------------------------------------- what lies beside the tensors


@pytest.mark.parametrize(
    "beside",
    [
        argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("/x"), steps=[1, 2], nested=argparse.Namespace()),
        types.SimpleNamespace(a=1),
        np.float64(0.5),
        np.float32(0.5),
        np.int64(7),
        np.bool_(True),
        np.str_("best"),
        np.arange(5),
        np.array([[1.5]]),
        np.array(["cat", "dog"]),
        Path("/somewhere"),
        pathlib.PureWindowsPath("C:/x"),
        collections.defaultdict(list, {"loss": [1.0, 2.0]}),
        collections.OrderedDict(a=1),
        collections.Counter("abc"),
        {1, 2},
        1j,
        b"bytes",
        datetime.datetime(2018, 1, 1, tzinfo=datetime.timezone.utc).replace(tzinfo=None),
        datetime.timedelta(seconds=1),
        torch.float16,
        torch.device("cuda:0"),
        torch.Size([1, 2]),
        torch.get_rng_state(),
        None,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old form"])
def test_settings_and_scores_beside_the_tensors_are_no_hindrance(path: Path, beside: Any, zipped: bool) -> None:
    torch.save({"state_dict": STATE, "beside": beside, "list": [beside]}, path, _use_new_zipfile_serialization=zipped)
    assert_holds(open_checkpoint(path))


def test_an_optimizers_and_a_schedules_state_are_no_hindrance(path: Path) -> None:
    network = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
    torch.save({"model": STATE, "optimizer": optimizer.state_dict(), "lr_scheduler": schedule.state_dict()}, path)
    assert_holds(open_checkpoint(path))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old form"])
@pytest.mark.parametrize("protocol", [2, 3])
def test_both_forms_that_torch_save_has_had(path: Path, zipped: bool, protocol: int) -> None:
    torch.save({"state_dict": STATE}, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    assert_holds(open_checkpoint(path))


def test_reading_prints_and_warns_nothing(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for zipped in (True, False):
        torch.save({"state_dict": STATE}, path, _use_new_zipfile_serialization=zipped, pickle_protocol=3)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            open_checkpoint(path)
        assert not caught
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old form"])
def test_a_protocol_that_cannot_be_read_safely_says_what_would_work(path: Path, zipped: bool, protocol: int) -> None:
    torch.save({"state_dict": STATE}, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    message = refusal(path, WeightsError)
    assert f"pickle protocol {protocol}" in message
    assert "without pickle_protocol" in message


# ---------------------------------------------------------------- files with code in them


class Call:
    """Pickled as a call, which happens when somebody opens it trustingly."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def write_zip(path: Path, content: Any, protocol: int) -> None:
    torch.save(content, path, pickle_protocol=protocol)


def write_old(path: Path, content: Any, protocol: int) -> None:
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)


def write_pickle(path: Path, content: Any, protocol: int) -> None:
    path.write_bytes(pickle.dumps(content, protocol))


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("write", [write_zip, write_old, write_pickle])
@pytest.mark.parametrize("function", ["os.system", "builtins.eval", "subprocess.Popen", "pathlib.Path.touch"])
def test_a_command_in_a_file_is_named_and_not_run(
    path: Path, tmp_path: Path, write: Callable[..., None], protocol: int, function: str
) -> None:
    trace = tmp_path / "was-run"
    call = {
        "os.system": Call(os.system, f"touch '{trace}'"),
        "builtins.eval": Call(builtins.eval, f"open({str(trace)!r}, 'w')"),
        "subprocess.Popen": Call(subprocess.Popen, ["touch", str(trace)]),
        "pathlib.Path.touch": Call(Path.touch, trace),
    }[function]
    if write is not write_pickle and protocol < 2:
        protocol = 2  # torch.save knows no older ones
    write(path, {"state_dict": STATE if write is not write_pickle else {}, "extra": call}, protocol)
    message = refusal(path, UnsafeFileError)
    named = {
        "os.system": "posix.system",
        "pathlib.Path.touch": r"(pathlib(\._local)?\.Path(\.touch)?|builtins.getattr)",
    }
    assert re.search(named.get(function, function), message)
    assert "Nothing was run" in message
    assert not trace.exists()


def test_the_command_would_have_run(path: Path, tmp_path: Path) -> None:
    """The files of the test before are live ones."""
    for write in (write_zip, write_old):
        trace = tmp_path / "was-run"
        write(path, {"x": Call(os.system, f"touch '{trace}'")}, 2)
        torch.load(path, weights_only=False)
        assert trace.exists()
        trace.unlink()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old form"])
@pytest.mark.parametrize("key", [None, "model"])
def test_a_whole_pickled_network_is_refused_with_what_would_work(path: Path, zipped: bool, key: str | None) -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    torch.save({key: network} if key else network, path, _use_new_zipfile_serialization=zipped)
    message = refusal(path, UnsafeFileError)
    assert "torch.nn.modules.container.Sequential" in message
    assert "state_dict()" in message


@pytest.mark.parametrize(
    "value",
    [os.path.join, nn.ReLU, range(3), slice(1), torch.optim.SGD, torch.load],
    ids="join ReLU range slice SGD load".split(),
)
def test_functions_and_classes_are_refused(path: Path, value: Any) -> None:
    torch.save({"state_dict": STATE, "value": value}, path)
    assert "opening it would call" in refusal(path, UnsafeFileError)


def test_a_name_made_to_rewrite_the_terminal_is_shown_as_text(path: Path) -> None:
    path.write_bytes(b"\x80\x02cos\x1b[2J\nsys\x1b[31mtem\n(X\x04\x00\x00\x00truetR.")
    assert refusal(path, UnsafeFileError).isprintable()


def test_a_torchscript_program_is_refused(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated, and files of it are about
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(path))
    message = refusal(path, UnsafeFileError)
    assert "TorchScript" in message
    assert "nothing was run" in message


class HostileKind:
    """NumPy's dtype with a layout of its own: an object reference where the data holds any number."""

    def __reduce__(self) -> Any:
        return np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 1)


@pytest.mark.parametrize("holder", ["scalar", "array"])
def test_a_false_memory_layout_does_not_end_the_process(path: Path, holder: str) -> None:
    """With NumPy's own classes in the reader these files crash Python, or worse."""
    where = b"\x41" * 8
    hostile: Any = Call(np._core.multiarray.scalar, HostileKind(), where)  # type: ignore[attr-defined]
    if holder == "array":
        hostile = HostileArray(where)
    torch.save({"state_dict": STATE, "x": hostile}, path)
    code = f"""
import gc
from pathlib import Path
from tars_hub.checkpoint import open_checkpoint
print(len(open_checkpoint(Path({str(path)!r})).tensors), flush=True)
gc.collect()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


class HostileArray:
    """An array of such objects."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> Any:
        rebuild = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        return rebuild, (np.ndarray, (0,), b"b"), (1, (1,), HostileKind(), False, self.data)


def test_stand_ins_do_not_stay_behind_in_torch(path: Path) -> None:
    torch.save({"state_dict": STATE, "args": argparse.Namespace()}, path)
    before = set(torch.serialization.get_safe_globals())
    open_checkpoint(path)
    assert set(torch.serialization.get_safe_globals()) == before
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


def test_many_threads_read_at_once(path: Path) -> None:
    torch.save({"state_dict": STATE, "args": argparse.Namespace(a=np.float64(1))}, path)
    start = threading.Barrier(8)

    def read(_: int) -> None:
        start.wait()
        for _ in range(20):
            assert_holds(open_checkpoint(path))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(8)))
