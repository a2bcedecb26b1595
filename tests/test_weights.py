"""Tensors go into a network all of them, exactly, or with a message that names what is wrong."""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tars_hub.errors import WeightsError
from tars_hub.weights import check, fill, read_safetensors, write_safetensors


def network() -> nn.Module:
    """Eight tensors: a convolution, BatchNorm and a head."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def container(header: Any, data: bytes = b"") -> bytes:
    """A safetensors file of this header, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: str, shape: list[int], size: int) -> dict[str, Any]:
    """A header with one tensor, "a"."""
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}


def copied(module: nn.Module) -> dict[str, Tensor]:
    """Its tensors, out of reach of what happens to it."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def complaint(tensors: dict[str, Tensor]) -> str:
    """What `fill` says of them; the network stays as it was."""
    ours = network()
    before = copied(ours)
    with pytest.raises(WeightsError) as caught:
        fill(ours, tensors, source="x.pth")
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_tensors_come_back_bit_by_bit(tmp_path: Path) -> None:
    tensors = {
        "b": torch.randn(3, 4),
        "a": torch.tensor(7),
        "c": torch.empty(0, 3),
        "nan": torch.tensor([float("nan")]),
    }
    write_safetensors(tensors, tmp_path / "f")
    found = read_safetensors(tmp_path / "f")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(found[name].nan_to_num(5), tensor.nan_to_num(5))
        assert found[name].dtype == tensor.dtype


def test_the_file_is_marked_as_pytorchs(tmp_path: Path) -> None:
    write_safetensors({"a": torch.zeros(1)}, tmp_path / "f")
    with safe_open(tmp_path / "f", "pt") as file:
        assert file.metadata() == {"format": "pt"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_the_file_may_be_read_by_whoever_may_read_others_here(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_safetensors({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_tensors_in_any_memory_layout_are_written(tmp_path: Path) -> None:
    picture = torch.randn(2, 3, 4, 5)
    tensors = {
        "last": picture.to(memory_format=torch.channels_last),
        "turned": picture.permute(3, 2, 1, 0),
        "part": picture[:, 1:],
    }
    write_safetensors(tensors, tmp_path / "f")
    for name, tensor in read_safetensors(tmp_path / "f").items():
        assert torch.equal(tensor, tensors[name])


def test_filling_gives_the_network_exactly_these_tensors() -> None:
    theirs, ours = network(), network()
    fill(ours, theirs.state_dict(), source="x")
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], tensor)


def test_a_filled_network_trains_and_shares_nothing_with_its_source() -> None:
    tensors = copied(network())
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    ours = network().train()
    fill(ours, tensors, source="x")
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in ours.parameters())
    optimizer = torch.optim.SGD(ours.parameters(), lr=1.0)
    ours(torch.randn(4, 3, 3, 3)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(ours.state_dict()["3.weight"], before["3.weight"])
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors.items())


def test_a_filled_network_does_not_change_with_the_file_it_came_from(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_safetensors(network().state_dict(), path)
    ours = network().eval()
    fill(ours, read_safetensors(path), source="x")
    answer = ours(torch.ones(1, 3, 3, 3))
    with path.open("r+b") as stream:  # as `cp` over it does; the mapped pages change
        stream.seek(0)
        stream.write(bytes(path.stat().st_size))
    assert torch.equal(ours(torch.ones(1, 3, 3, 3)), answer)


def test_tensors_that_share_memory_are_parted(tmp_path: Path) -> None:
    state = copied(network())
    state["1.bias"] = state["1.weight"]
    state["1.running_mean"] = torch.zeros(1).expand(4)
    ours = network()
    fill(ours, state, source="x")
    write_safetensors(ours.state_dict(), tmp_path / "f")
    found = read_safetensors(tmp_path / "f")
    assert torch.equal(found["1.bias"], state["1.weight"])
    assert torch.equal(found["1.running_mean"], torch.zeros(4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_the_networks(dtype: torch.dtype) -> None:
    state = {name: tensor.to(dtype) for name, tensor in network().state_dict().items()}  # the step counter too
    ours = network()
    fill(ours, state, source="x")
    assert {tensor.dtype for tensor in ours.state_dict().values()} == {torch.float32, torch.int64}
    for name, tensor in ours.state_dict().items():
        assert torch.equal(tensor, state[name].to(tensor.dtype))


def test_a_missing_tensor_is_named() -> None:
    state = copied(network())
    del state["3.bias"]
    assert complaint(state) == "x.pth lacks 3.bias"


def test_an_unexpected_tensor_is_named() -> None:
    assert complaint({**network().state_dict(), "extra": torch.zeros(1)}) == "x.pth has the unexpected extra"


def test_a_misshapen_tensor_is_named_with_both_shapes() -> None:
    state = {**network().state_dict(), "3.weight": torch.zeros(5, 4)}
    assert complaint(state) == "x.pth has another shape in 3.weight (5, 4) instead of (2, 4)"


def test_a_tensor_with_the_right_count_but_another_shape_is_misshapen() -> None:
    assert "3.weight (4, 2)" in complaint({**network().state_dict(), "3.weight": torch.zeros(4, 2)})
    assert "1.num_batches_tracked (1,)" in complaint({**network().state_dict(), "1.num_batches_tracked": torch.ones(1)})


def test_everything_wrong_is_named_at_once_and_many_names_are_counted() -> None:
    text = complaint({"3.weight": torch.zeros(1, 1), **{f"odd{index}": torch.zeros(1) for index in range(9)}})
    assert re.fullmatch(
        r"x\.pth lacks 0\.weight, 1\.bias, 1\.num_batches_tracked and 4 more; "
        r"has the unexpected odd0, odd1, odd2 and 6 more; has another shape in 3\.weight \(1, 1\) instead of \(2, 4\)",
        text,
    )


def test_names_made_to_rewrite_the_terminal_are_shown_as_text() -> None:
    state = network().state_dict()
    text = complaint({**state, "a\nb\x1b[2J": torch.zeros(1), "x" * 10**6: torch.zeros(1)})
    assert text.isprintable()
    assert len(text) < 400


def test_no_tensors_at_all() -> None:
    assert "lacks" in complaint({})


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(2, 4, dtype=torch.int8),
        torch.zeros(2, 4, dtype=torch.complex64),
        torch.zeros(2, 4, dtype=torch.bool),
        torch.zeros(2, 4, dtype=torch.float8_e4m3fn),
        torch.zeros(2, 4, device="meta"),
        torch.zeros(2, 4).to_sparse(),
    ],
    ids=["int8", "complex", "bool", "float8", "no values", "sparse"],
)
def test_a_tensor_that_is_no_plain_one_is_named(tensor: Tensor) -> None:
    assert "has no plain numbers in 3.weight" in complaint({**network().state_dict(), "3.weight": tensor})


def test_check_says_nothing_where_all_is_well() -> None:
    state = network().state_dict()
    check(state, dict(reversed(list(state.items()))), source="x")


def test_what_state_dict_does_not_tell_safetensors_is_kept() -> None:
    """mnasnet's state dict carries a version in an attribute, without which it refuses to load."""

    class Versioned(nn.Linear):
        _version = 2

        def _load_from_state_dict(self, *args: Any) -> None:
            assert args[2]["version"] == 2
            super()._load_from_state_dict(*args)

    fill(Versioned(2, 2), {"weight": torch.ones(2, 2), "bias": torch.ones(2)}, source="x")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234",
        b"\0" * 100,
        (1 << 63).to_bytes(8, "little"),
        (10**8).to_bytes(8, "little") + b"{}",
        container(b"{"),
        container(b"[]"),
        container(b'{"a":' + b"[" * 100_000),
        container(entry("F32", [1], 4)),
        container(entry("F32", [2], 4), b"1234"),
        container(entry("F32", [-1], 4), b"1234"),
        container(entry("F32", [1 << 63, 1 << 63], 4), b"1234"),
        container(entry("F32", [0, 1 << 63], 0)),
        container(entry("ZZZ", [1], 4), b"1234"),
        container(entry("F6_E2M3", [4], 3), b"123"),
        container({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"12345678"),
        container({"__metadata__": {"format": 5}}),
        container({"a": None}),
    ],
    ids=lambda content: repr(content[8:40]),
)
def test_a_file_that_is_none_is_a_weights_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=re.escape(str(path))) as caught:
        read_safetensors(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 300


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        read_safetensors(tmp_path / "none")
    with pytest.raises(WeightsError, match=re.escape(str(tmp_path))):
        read_safetensors(tmp_path)


def test_random_damage_is_a_weights_error_or_only_other_numbers(tmp_path: Path) -> None:
    good = tmp_path / "good"
    save_file(network().state_dict(), good)
    start = good.read_bytes()
    rng = random.Random(0)  # noqa: S311  # the same at every run
    outcomes = {"filled": 0, "refused": 0}
    for turn in range(1500):
        bad = bytearray(start)
        for _ in range(rng.randint(1, 4)):
            bad[rng.randrange(rng.choice([8, 700, len(bad)]))] = rng.randrange(256)
        path = tmp_path / f"bad{turn}"
        path.write_bytes(bytes(bad[: rng.choice([len(bad), len(bad), rng.randrange(len(bad))])]))
        try:
            fill(network(), read_safetensors(path), source="x")
            outcomes["filled"] += 1
        except WeightsError:
            outcomes["refused"] += 1
        path.unlink()
    assert min(outcomes.values()) > 50


def test_to_cpu_gives_copies_that_training_does_not_reach() -> None:
    ours = network()
    kept = copied(ours)
    before = {name: tensor.clone() for name, tensor in kept.items()}
    with torch.no_grad():
        for tensor in ours.state_dict().values():
            tensor.fill_(5)
    assert all(torch.equal(kept[name], before[name]) for name in kept)
    assert not any(tensor.requires_grad for tensor in kept.values())
