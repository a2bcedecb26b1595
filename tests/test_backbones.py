"""The table of backbones: torchvision's own list, with what each row says tried on the network itself."""

from __future__ import annotations

import hashlib
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from tars_hub import backbones
from tars_hub.backbones import (
    BACKBONES,
    Backbone,
    build,
    build_empty,
    build_pretrained,
    check_size,
    find,
    preprocess_for,
    replace_head,
    timm_fields,
)
from tars_hub.config import MAX_SIDE_PX, ModelConfig, Preprocess
from tars_hub.errors import ConfigError, DownloadError, UsageError
from tests.networks import assert_same_answers, pictures

CLASSES = 7
ROWS = pytest.mark.parametrize("row", BACKBONES.values(), ids=BACKBONES)
TIMM_ROWS = {
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
    *(f"densenet{depth}" for depth in (121, 161, 169, 201)),
}


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


@cache
def on_meta(name: str) -> nn.Module:
    """The network for CLASSES classes, its tensors shapes alone: running it is cheap and finds what does not fit."""
    return build_empty(name, CLASSES).to("meta")


def run_on_meta(network: nn.Module, px: int) -> Any:
    return network(torch.empty(2, 3, px, px, device="meta"))


def write_imagenet_weights(home: Path, name: str, network: nn.Module | bytes) -> Path:
    """A file where torch looks for the downloaded ImageNet weights of that backbone."""
    entry = torchvision.models.get_model_weights(name)[BACKBONES[name].weights]
    path = home / "hub" / "checkpoints" / entry.url.rpartition("/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(network, bytes):
        path.write_bytes(network)
    else:
        torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path


def test_the_table_is_torchvisions_list() -> None:
    assert sorted(BACKBONES) == torchvision.models.list_models(module=torchvision.models)
    assert len(BACKBONES) >= 80
    assert all(name == row.name for name, row in BACKBONES.items())


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        BACKBONES["x"] = BACKBONES["resnet18"]  # type: ignore[index]


def test_the_rows_timm_reads_are_the_residual_and_dense_families() -> None:
    assert {name for name, row in BACKBONES.items() if row.timm_equal} == TIMM_ROWS


@ROWS
def test_a_replaced_head_is_what_the_plain_builder_makes(row: Backbone) -> None:
    network, plain = build_empty(row.name, 1000), on_meta(row.name)
    buffers = [buffer.is_meta for buffer in network.buffers()]
    assert not any(buffers), "a buffer that no file fills would stay without values"
    assert sum(tensor.numel() for tensor in network.parameters() if not tensor.is_meta) < 1_000_000
    with_1000 = shapes(network)
    heads = (row.head, *row.aux_heads)
    for path in heads:
        replace_head(network, path, CLASSES)
    assert shapes(network) == shapes(plain)
    assert repr(network) == repr(plain)  # layers, kernels, strides, biases
    assert all(parameter.requires_grad for parameter in network.parameters())
    differing = {name.rpartition(".")[0] for name, shape in shapes(plain).items() if shape != with_1000[name]}
    assert differing == set(heads), "the class count shows elsewhere than in the heads"


@ROWS
def test_the_smallest_size_works_and_a_smaller_one_does_not(row: Backbone) -> None:
    try_sizes(row, row.fixed_px or row.min_px, training=False)


@pytest.mark.parametrize(
    "name", ["googlenet", "inception_v3", "maxvit_t", "squeezenet1_1", "swin_t", "vgg11_bn", "resnet18"]
)
def test_the_smallest_size_for_training_works_and_a_smaller_one_does_not(name: str) -> None:
    row = BACKBONES[name]
    try_sizes(row, row.fixed_px or row.min_train_px, training=True)


def try_sizes(row: Backbone, least: int, *, training: bool) -> None:
    network = on_meta(row.name).train(training)
    logits = run_on_meta(network, least)
    for part in logits if isinstance(logits, tuple) else [logits]:
        assert part.shape == (2, CLASSES)
    check_size(row, least, training=training)
    if least > 1:
        smaller = least - (32 if row.fixed_px else 1)
        with pytest.raises((RuntimeError, AssertionError, ValueError)):
            run_on_meta(network, smaller)
        with pytest.raises(UsageError, match=f"{row.name}.*{least} px.*{smaller} px"):
            check_size(row, smaller, training=training)


@pytest.mark.parametrize("name", [name for name, row in BACKBONES.items() if row.fixed_px])
def test_a_size_that_cannot_change_says_so(name: str) -> None:
    row = BACKBONES[name]
    assert row.fixed_px is not None
    for px in (row.fixed_px - 32, row.fixed_px + 32, row.fixed_px * 2):
        with pytest.raises((RuntimeError, AssertionError, ValueError)):
            run_on_meta(on_meta(name).eval(), px)
        with pytest.raises(
            UsageError, match=rf"{name} takes {row.fixed_px} px pictures and no other size, not {px} px"
        ):
            preprocess_for(name, img_size=px)


@ROWS
def test_pictures_are_prepared_as_the_weights_were_trained(row: Backbone) -> None:
    transform = torchvision.models.get_model_weights(row.name)[row.weights].transforms()
    prepared = preprocess_for(row.name)
    assert prepared.crop_size == transform.crop_size[0]
    assert prepared.resize_size == transform.resize_size[0]
    assert prepared.interpolation == transform.interpolation.value
    if not row.own_scaling:
        assert (list(prepared.mean), list(prepared.std)) == (transform.mean, transform.std)
    check_size(row, prepared.crop_size, training=True)


@pytest.mark.parametrize("name", [name for name, row in BACKBONES.items() if row.own_scaling])
def test_own_scaling_is_what_torchvision_does_inside(name: str) -> None:
    """torchvision gets ImageNet's scaling and undoes it; ours never does it. The network sees the same."""
    network = torchvision.models.get_model(name, num_classes=3, aux_logits=False, init_weights=False).eval()
    px, raw = 96, pictures(96)  # values 0..1
    transform = torchvision.models.get_model_weights(name)[BACKBONES[name].weights].transforms()
    prepared = preprocess_for(name, img_size=px)
    channel = (1, 3, 1, 1)
    with torch.inference_mode():
        ours = network((raw - torch.tensor(prepared.mean).view(channel)) / torch.tensor(prepared.std).view(channel))
        network.transform_input = True
        theirs = network((raw - torch.tensor(transform.mean).view(channel)) / torch.tensor(transform.std).view(channel))
    assert_same_answers(ours, theirs)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_heads_have_the_class_count_and_are_off_in_eval(name: str) -> None:
    row, network = BACKBONES[name], on_meta(name)
    assert row.aux_heads
    training = run_on_meta(network.train(), 299)
    assert isinstance(training, tuple)
    assert len(training) == 1 + len(row.aux_heads)
    assert {part.shape for part in training} == {(2, CLASSES)}
    logits = run_on_meta(network.eval(), 299)
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (2, CLASSES)


@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x0_5", "regnet_y_400mf", "mnasnet0_5"])
def test_building_is_the_plain_builders(name: str) -> None:
    torch.manual_seed(3)
    ours = build(name, 4)
    torch.manual_seed(3)
    theirs = torchvision.models.get_model(name, num_classes=4)
    assert type(ours) is type(theirs)
    for key, tensor in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], tensor)


def test_building_an_empty_network_leaves_torch_as_it_was() -> None:
    build_empty("resnet18", 2)
    assert not torch.empty(1).is_meta
    assert not nn.Linear(2, 2).weight.is_meta


def test_a_replaced_head_keeps_place_precision_and_bias() -> None:
    network = nn.Sequential(nn.Linear(4, 3, bias=False, dtype=torch.float64), nn.Linear(3, 3, device="meta"))
    replace_head(network, "0", 2)
    replace_head(network, "1", 2)
    first, second = network
    assert isinstance(first, nn.Linear)
    assert isinstance(second, nn.Linear)
    assert (first.bias, first.weight.dtype, first.weight.shape) == (None, torch.float64, (2, 4))
    assert second.weight.is_meta
    assert second.bias is not None


def test_a_head_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="ReLU"):
        replace_head(nn.Sequential(nn.ReLU()), "0", 2)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("resnet-50", "resnet50"),
        ("ResNet18", "resnet18"),
        ("mobilenetv3_small", "mobilenet_v3_small"),
        ("zzz", "resnet50"),
    ],
)
def test_an_unknown_name_gets_near_ones(name: str, near: str) -> None:
    with pytest.raises(UsageError, match=rf"there is no backbone '{name}'.*{near}"):
        find(name)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "__import__('os')", "resnet18\0", "x" * 10**7, "\n"])
def test_an_odd_name_is_only_unknown(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("px", [0, -1, -224])
def test_no_picture_has_such_a_size(px: int) -> None:
    with pytest.raises(UsageError):
        preprocess_for("resnet18", img_size=px)


def test_a_size_beyond_all_sense() -> None:
    with pytest.raises(UsageError, match=str(MAX_SIDE_PX)):
        preprocess_for("resnet18", img_size=MAX_SIDE_PX + 1)
    assert preprocess_for("resnet18", img_size=MAX_SIDE_PX).crop_size == MAX_SIDE_PX


def test_another_size_keeps_the_proportion_of_the_margin() -> None:
    prepared = preprocess_for("resnet18", img_size=112)
    assert (prepared.crop_size, prepared.resize_size) == (112, 128)
    assert preprocess_for("resnet18", img_size=224) == preprocess_for("resnet18")


def test_imagenet_weights_without_network_say_what_else_there_is(torch_home: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        build_pretrained("resnet18", 5)
    message = str(caught.value)
    assert "resnet18" in message
    assert "--weights none" in message
    assert "model folder or repository id" in message
    assert "\n" not in message
    assert not list(torch_home.rglob("*.pth"))


@pytest.mark.parametrize("name", ["squeezenet1_1", "densenet121", "googlenet", "inception_v3"])
def test_imagenet_weights_are_taken_but_for_the_heads(torch_home: Path, name: str) -> None:
    row = BACKBONES[name]
    trained = build(name, 1000)
    write_imagenet_weights(torch_home, name, trained)
    network = build_pretrained(name, CLASSES)
    heads = (row.head, *row.aux_heads)
    for key, tensor in network.state_dict().items():
        if key.rpartition(".")[0] in heads:
            assert tensor.shape[0] == CLASSES
        else:
            assert torch.equal(tensor, trained.state_dict()[key]), key
    assert repr(network) == repr(on_meta(name))
    assert getattr(network, "transform_input", False) is False


class _Command:
    """A pickle that makes a file when somebody opens it trustingly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_planted_file_of_imagenet_weights_is_not_run(torch_home: Path) -> None:
    planted = write_imagenet_weights(torch_home, "resnet18", b"")
    torch.save({"fc.weight": _Command(torch_home / "was-run")}, planted)
    with pytest.raises(DownloadError, match="damaged or holds more than tensors"):
        build_pretrained("resnet18", 2)
    assert not (torch_home / "was-run").exists()


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x02.", b"PK\x03\x04 cut"])
def test_a_damaged_file_of_imagenet_weights_is_one_line(torch_home: Path, content: bytes) -> None:
    write_imagenet_weights(torch_home, "resnet18", content)
    with pytest.raises(DownloadError, match="resnet18") as caught:
        build_pretrained("resnet18", 2)
    assert "\n" not in str(caught.value)


def test_a_download_cut_short_is_noticed_by_its_hash(torch_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(_url: str, _path: str, hash_prefix: str, **_: Any) -> None:
        assert not hashlib.sha256(b"half").hexdigest().startswith(hash_prefix)
        raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "half")')

    monkeypatch.setattr(torch.hub, "download_url_to_file", half)
    with pytest.raises(DownloadError, match="invalid hash value"):
        build_pretrained("resnet18", 2)
    assert torch_home.exists()


@ROWS
def test_timms_fields_are_there_for_equal_rows_alone(row: Backbone) -> None:
    config = ModelConfig(backbone=row.name, classes=("a", "b"), preprocess=preprocess_for(row.name))
    fields = timm_fields(config)
    assert bool(fields) == row.timm_equal
    if fields:
        network = on_meta(row.name)
        assert fields["architecture"] == fields["pretrained_cfg"]["architecture"] == row.name
        assert fields["num_features"] == network.get_submodule(row.head).in_features
        first = network.get_submodule(fields["pretrained_cfg"]["first_conv"])
        assert isinstance(first, nn.Conv2d)
        assert first.in_channels == 3
        assert network.get_submodule(fields["pretrained_cfg"]["classifier"]) is network.get_submodule(row.head)


def test_timms_crop_share_gives_back_the_resize_at_every_size() -> None:
    for crop in range(16, 600):
        for resize in {crop, crop + 1, crop + 8, crop + 32, round(crop * 256 / 224), round(crop * 232 / 224)}:
            config = ModelConfig(
                backbone="resnet18", classes=("a",), preprocess=Preprocess(crop_size=crop, resize_size=resize)
            )
            share = backbones._crop_share(config.preprocess)
            assert math.floor(crop / share) == resize  # as timm computes it
            assert abs(share - crop / resize) < 0.02


@pytest.mark.parametrize(("crop", "mode"), [("center", "center"), ("squash", "squash"), ("pad", "border")])
def test_timms_crop_modes(crop: Any, mode: str) -> None:
    prepared = Preprocess(crop_size=64, resize_size=128, crop=crop)
    fields = timm_fields(ModelConfig(backbone="resnet18", classes=("a",), preprocess=prepared))["pretrained_cfg"]
    assert fields["crop_mode"] == mode
    assert fields["crop_pct"] == (0.5 if crop == "center" else 1.0)


def test_a_size_error_in_a_file_is_its_own_kind() -> None:
    """`find` and `check_size` speak of flags; in a file the same is a ConfigError, which `model` makes of it."""
    assert not issubclass(UsageError, ConfigError)
