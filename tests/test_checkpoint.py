"""Other people's checkpoint files: the tensors are found wherever programs put them, and nothing in a file is run."""

from __future__ import annotations

import argparse
import builtins
import collections
import datetime
import gzip
import io
import os
import pathlib
import pickle
import random
import re
import struct
import subprocess
import sys
import tarfile
import threading
import types
import warnings
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tars_hub import checkpoint
from tars_hub.checkpoint import Checkpoint, open_checkpoint
from tars_hub.errors import ModelError, UnsafeFileError, WeightsError

ROOT = Path(__file__).parents[1]
STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "fc.weight": torch.ones(2, 2), "fc.bias": torch.zeros(2)}
OTHER = {name: tensor + 100 for name, tensor in STATE.items()}


def prefixed(prefix: str, tensors: dict[str, Tensor] = STATE) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def assert_holds(found: Checkpoint, tensors: dict[str, Tensor] = STATE) -> None:
    assert found.tensors.keys() == tensors.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in tensors.items())


def refusal(path: Path, kind: type[ModelError]) -> str:
    """The one line with which the file is refused."""
    with pytest.raises(kind) as caught:
        open_checkpoint(path)
    message = str(caught.value)
    assert type(caught.value) is kind
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < len(str(path)) + 500
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.pth"


# ---------------------------------------------------------------- where the tensors lie


@pytest.mark.parametrize(
    "key",
    ["state_dict", "model", "model_state_dict", "model_state", "net", "network", "weights", "module", "checkpoint"],
)
def test_tensors_are_found_under_the_keys_programs_use(path: Path, key: str) -> None:
    torch.save({"epoch": 3, key: STATE, "optimizer": {"state": {0: {"momentum": torch.ones(5)}}}}, path)
    found = open_checkpoint(path)
    assert_holds(found)
    assert found.where == key
    assert not found.has_ema


def test_a_bare_state_dict(path: Path) -> None:
    torch.save(STATE, path)
    found = open_checkpoint(path)
    assert_holds(found)
    assert (found.where, found.stripped, found.classes) == ("", (), None)


def test_parameters_instead_of_tensors(path: Path) -> None:
    torch.save({name: nn.Parameter(tensor) for name, tensor in STATE.items()}, path)
    assert_holds(open_checkpoint(path))


def test_a_dictionary_in_a_dictionary(path: Path) -> None:
    torch.save({"checkpoint": {"model": {"state_dict": STATE}}}, path)
    assert open_checkpoint(path).where == "checkpoint.model.state_dict"


def test_an_empty_place_is_passed_over(path: Path) -> None:
    torch.save({"state_dict": {}, "model": None, "net": STATE}, path)
    assert_holds(open_checkpoint(path))


def test_a_safetensors_file(path: Path) -> None:
    save_file(prefixed("module."), path)
    found = open_checkpoint(path)
    assert_holds(found)
    assert found.stripped == ("module.",)


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema", "ema_state_dict", "model_ema_state_dict", "ema"])
def test_averaged_weights_are_taken_when_asked_for(path: Path, key: str) -> None:
    torch.save({"state_dict": STATE, key: OTHER}, path)
    plain, averaged = open_checkpoint(path), open_checkpoint(path, ema=True)
    assert_holds(plain)
    assert plain.has_ema
    assert_holds(averaged, OTHER)
    assert averaged.where == key
    assert not averaged.has_ema


def test_timms_checkpoint(path: Path) -> None:
    content = {"epoch": 1, "arch": "x", "state_dict": STATE, "optimizer": {}, "version": 2, "metric": 5.0}
    torch.save({**content, "args": argparse.Namespace(lr=0.1), "state_dict_ema": OTHER}, path)
    assert_holds(open_checkpoint(path, ema=True), OTHER)
    assert open_checkpoint(path).where == "state_dict"


def test_torchvisions_averaged_model(path: Path) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    averaged = torch.optim.swa_utils.AveragedModel(network, use_buffers=True)
    averaged.update_parameters(network)
    torch.save({"model": network.state_dict(), "model_ema": averaged.state_dict(), "epoch": 0}, path)
    found = open_checkpoint(path, ema=True)
    assert "n_averaged" in averaged.state_dict()
    assert_holds(found, network.state_dict())
    assert found.stripped == ("module.",)


def test_averaged_weights_alone_are_taken_unasked(path: Path) -> None:
    torch.save({"state_dict_ema": OTHER, "epoch": 1}, path)
    found = open_checkpoint(path)
    assert_holds(found, OTHER)
    assert not found.has_ema


@pytest.mark.parametrize("nothing", [None, {}, 0.999, {"decay": 0.999}])
def test_an_empty_place_for_averaged_weights_is_none(path: Path, nothing: Any) -> None:
    torch.save({"model": STATE, "ema": nothing}, path)
    assert not open_checkpoint(path).has_ema
    assert_holds(open_checkpoint(path, ema=True))


# ---------------------------------------------------------------- prefixes


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "backbone.", "net.", "network."])
def test_a_wrappers_prefix_is_taken_off(path: Path, prefix: str) -> None:
    torch.save(prefixed(prefix), path)
    found = open_checkpoint(path)
    assert_holds(found)
    assert found.stripped == (prefix,)


@pytest.mark.parametrize(
    "prefixes",
    [("module.", "_orig_mod."), ("_orig_mod.", "module."), ("model.", "module.", "_orig_mod."), ("module.",) * 2],
)
def test_stacked_prefixes_are_taken_off(path: Path, prefixes: tuple[str, ...]) -> None:
    torch.save({"state_dict": prefixed("".join(prefixes))}, path)
    found = open_checkpoint(path)
    assert_holds(found)
    assert found.stripped == prefixes


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod."])
def test_a_prefix_that_not_every_tensor_has_stays(path: Path, prefix: str) -> None:
    state = {**prefixed(prefix), "extra.weight": torch.ones(1)}
    torch.save(state, path)
    found = open_checkpoint(path)
    assert_holds(found, state)
    assert found.stripped == ()


def test_a_name_that_only_begins_like_a_prefix_stays(path: Path) -> None:
    state = {"modules.a": torch.ones(1), "model_a": torch.ones(1)}
    torch.save(state, path)
    assert_holds(open_checkpoint(path), state)


def test_the_wrappers_themselves(path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    for wrapped, prefixes in (
        (nn.DataParallel(network), ("module.",)),
        (torch.compile(network), ("_orig_mod.",)),
        (nn.DataParallel(torch.compile(network)), ("module.", "_orig_mod.")),
        (torch.compile(nn.DataParallel(network)), ("_orig_mod.", "module.")),
    ):
        torch.save(wrapped.state_dict(), path)
        found = open_checkpoint(path)
        assert_holds(found, network.state_dict())
        assert found.stripped == prefixes


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


@pytest.mark.parametrize("name", ["classes", "class_names", "labels", "names"])
@pytest.mark.parametrize(
    "names", [["cat", "dog"], ("cat", "dog"), [np.str_("cat"), np.str_("dog")]], ids=["list", "tuple", "numpy"]
)
def test_class_names_in_the_file(path: Path, name: str, names: Any) -> None:
    torch.save({"state_dict": STATE, name: names}, path)
    assert open_checkpoint(path).classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("class_to_idx", {"dog": 1, "cat": 0}),
        ("class_to_idx", {"dog": np.int64(1), "cat": np.int64(0)}),
        ("idx_to_class", {1: "dog", 0: "cat"}),
        ("id2label", {"1": "dog", "0": "cat"}),
        ("names", {0: "cat", 1: "dog"}),
    ],
)
def test_class_names_by_index(path: Path, key: str, value: Any) -> None:
    torch.save({"model": STATE, key: value}, path)
    assert open_checkpoint(path).classes == ("cat", "dog")


def test_more_than_ten_classes_by_index_keep_their_order(path: Path) -> None:
    names = tuple(f"c{index}" for index in range(12))
    torch.save({"model": STATE, "id2label": {str(index): name for index, name in enumerate(names)}}, path)
    assert open_checkpoint(path).classes == names


@pytest.mark.parametrize(
    "value",
    [
        5,
        "cat",
        [],
        {},
        [1, 2],
        ["cat", 2],
        ["cat", ""],
        {"cat": "dog"},
        {"cat": 0.5},
        {0: 1},
        torch.ones(2),
        None,
        [["cat"]],
    ],
    ids=repr,
)
def test_what_is_no_list_of_names_is_passed_over(path: Path, value: Any) -> None:
    torch.save({"model": STATE, "classes": value}, path)
    found = open_checkpoint(path)
    assert found.classes is None
    assert_holds(found)


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


# ---------------------------------------------------------------- files that are none


def a_zip(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/"), text)
    return stream.getvalue()


def a_tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\x80", "damaged or cut short"),
        (b"\x80\x02.", "damaged or cut short"),
        (b"\x80\x02N", "damaged or cut short"),
        (b"hello, this is text\n" * 9, "no PyTorch checkpoint"),
        (b"cat\ndog\nbird\n", "no PyTorch checkpoint"),  # begins like a pickle that calls at.dog
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "no PyTorch checkpoint"),
        (b'{"a": 1, "bcdefgh": {}}', "no PyTorch checkpoint"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "no PyTorch checkpoint"),
        (b"\0" * 1000, "no PyTorch checkpoint"),
        (random.Random(0).randbytes(1000), "no PyTorch checkpoint"),  # noqa: S311
        (gzip.compress(b"x" * 100), "no PyTorch checkpoint"),
        (a_tar(), "no PyTorch checkpoint"),
        (a_zip(a="hello"), "a zip archive, but not one that torch.save wrote"),
        (a_zip(word__document="xml"), "a zip archive, but not one that torch.save wrote"),
        (a_zip(m__data="x", m__version="3"), "a zip archive, but not one that torch.save wrote"),
        (a_zip(), "a zip archive, but not one that torch.save wrote"),
        (b"PK\x03\x04" + b"\0" * 60, "damaged or cut short"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 46830571\n",
            "Git LFS pointer, not the file itself; fetch it with `git lfs pull`",
        ),
        (struct.pack("<Q", 10**6) + b'{"a":', "no readable safetensors file"),
    ],
    ids=lambda value: repr(value)[:16],
)
def test_a_file_that_is_no_checkpoint_says_what_it_is(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    assert words in refusal(path, WeightsError)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.pth", WeightsError)
    assert "directory" in refusal(tmp_path, WeightsError)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old form"])
def test_a_file_cut_anywhere_is_refused(path: Path, zipped: bool) -> None:
    torch.save({"state_dict": STATE, "args": argparse.Namespace(a=1)}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for size in [*range(1, len(whole), max(1, len(whole) // 60)), len(whole) - 1]:
        path.unlink()
        path.write_bytes(whole[:size])
        assert "damaged" in refusal(path, WeightsError)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old form"])
def test_random_damage_raises_our_errors_alone(path: Path, zipped: bool) -> None:
    content = {"state_dict": STATE, "args": argparse.Namespace(a=np.float64(1)), "classes": ["a", "b"]}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    rng = random.Random(0)  # noqa: S311  # the same at every run
    refused = 0
    for _ in range(400):
        bad = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        path.unlink()
        path.write_bytes(bytes(bad))
        try:
            open_checkpoint(path)
        except ModelError as error:
            refused += "\n" not in str(error)
    assert refused > 50


@pytest.mark.parametrize(
    "content",
    [torch.zeros(3), [torch.zeros(3)], 3, "text", None, {}, {"epoch": 3}, {1: torch.zeros(2)}, {"model": {"a": 1}}],
    ids=repr,
)
def test_a_checkpoint_without_named_tensors_says_what_it_holds(path: Path, content: Any) -> None:
    torch.save(content, path)
    message = refusal(path, WeightsError)
    kind = type(content).__name__
    assert (f"holds a {kind}" if not isinstance(content, dict) else "holds no tensors by name") in message
    assert "state_dict" in message


def test_a_dictionary_that_holds_itself_ends(path: Path) -> None:
    held: dict[str, Any] = {}
    held |= dict.fromkeys((*checkpoint._PLAIN_KEYS, *checkpoint._EMA_KEYS), held)
    torch.save(held, path)
    refusal(path, WeightsError)
