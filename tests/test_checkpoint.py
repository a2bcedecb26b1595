"""Other people's checkpoint files: the tensors are found wherever programs put them, and what is none says so."""

from __future__ import annotations

import argparse
import gzip
import io
import random
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tars_hub import checkpoint
from tars_hub.checkpoint import open_checkpoint
from tars_hub.errors import ModelError, WeightsError
from tests.checkpoints import STATE, assert_holds, refusal

OTHER = {name: tensor + 100 for name, tensor in STATE.items()}


def prefixed(prefix: str, tensors: dict[str, Tensor] = STATE) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


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


# ---------------------------------------------------------------- class names beside the tensors


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
