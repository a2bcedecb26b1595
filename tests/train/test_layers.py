"""Which layers learn, how fast, and which stay as they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from train.config import Freeze
from train.layers import freeze, parameter_groups, set_training, trains_batch_norm
from train.recipe import RECIPES, Recipe
from train.start import heads_of


def made(name: str) -> nn.Module:
    network: nn.Module = get_model(name, weights=None, num_classes=3)
    return network


@pytest.mark.parametrize(
    ("what", "moving"), [("none", {"conv1", "layer4", "fc"}), ("initial", {"layer4", "fc"}), ("backbone", {"fc"})]
)
def test_freezing_begins_at_the_input(what: Freeze, moving: set[str]) -> None:
    network = made("resnet18")
    freeze(network, ("fc",), what)
    found = {name.split(".")[0] for name, each in network.named_parameters() if each.requires_grad}
    assert moving <= found
    assert ("conv1" in found) == (what == "none")
    assert ("layer4" in found) == (what != "backbone")


def test_a_frozen_backbone_keeps_auxiliary_heads_learning() -> None:
    network = get_model("googlenet", weights=None, num_classes=3, init_weights=False)
    freeze(network, heads_of("googlenet"), "backbone")
    assert {name.rpartition(".")[0] for name, each in network.named_parameters() if each.requires_grad} == {
        "fc",
        "aux1.fc2",
        "aux2.fc2",
    }


@pytest.mark.parametrize("what", ["initial", "backbone"])
def test_frozen_batch_norm_keeps_its_statistics(what: Freeze) -> None:
    network = made("resnet18")
    freeze(network, ("fc",), what)
    before = {name: value.clone() for name, value in network.named_buffers()}
    set_training(network)
    network(torch.randn(8, 3, 32, 32))
    kept = {name for name, value in network.named_buffers() if torch.equal(before[name], value)}
    assert {"bn1.running_mean", "layer1.0.bn1.running_var", "bn1.num_batches_tracked"} <= kept
    assert ("layer4.1.bn2.running_mean" in kept) == (what == "backbone")
    assert network.fc.training


def test_batch_norm_that_learns_moves() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    set_training(network)
    network(torch.randn(8, 3, 8, 8))
    assert network[1].num_batches_tracked == 1


def test_a_frozen_tensor_of_a_block_leaves_the_layers_within_it_training() -> None:
    # A vision transformer's class token belongs to the network itself.
    network = made("vit_b_32")
    freeze(network, heads_of("vit_b_32"), "initial")
    set_training(network)
    assert not network.class_token.requires_grad
    assert not network.conv_proj.training
    assert network.heads.head.training
    assert network.encoder.layers[-1].mlp.training


@pytest.mark.parametrize(
    ("name", "what", "expected"),
    [
        ("resnet18", "none", True),
        ("resnet18", "initial", True),
        ("resnet18", "backbone", False),
        ("squeezenet1_1", "none", False),
    ],
)
def test_who_takes_statistics_of_batches(name: str, what: Freeze, expected: bool) -> None:
    network = made(name)
    freeze(network, heads_of(name), what)
    assert trains_batch_norm(network) == expected


def test_every_trained_parameter_is_in_one_group() -> None:
    network = made("resnet18")
    network.conv1.weight.requires_grad_(requires_grad=False)
    groups = parameter_groups(network, ("fc",), RECIPES["finetune"])
    grouped = [id(each) for group in groups for each in group["params"]]
    assert sorted(grouped) == sorted(id(each) for each in network.parameters() if each.requires_grad)


def test_vectors_do_not_decay() -> None:
    network = made("resnet18")
    decays = {
        id(each): group["weight_decay"]
        for group in parameter_groups(network, ("fc",), Recipe(weight_decay=0.3))
        for each in group["params"]
    }
    assert {decays[id(each)] for each in network.parameters() if each.ndim == 1} == {0.0}
    assert {decays[id(each)] for each in network.parameters() if each.ndim > 1} == {0.3}


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "mobilenet_v3_small"])
def test_rates_fall_from_the_head_to_the_input(name: str) -> None:
    network = made(name)
    recipe = Recipe(lr=0.1, lr_batch=0, layer_decay=0.5)
    groups = parameter_groups(network, heads_of(name), recipe)
    peak = {id(each): group["peak_lr"] for group in groups for each in group["params"]}
    rates = [peak[id(each)] for each in network.parameters()]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(0.1 * 0.5**11)
    assert peak[id(network.get_submodule(heads_of(name)[0]).weight)] == 0.1
    assert rates.count(0.1) == 2  # the head's weight and bias


def test_without_layer_decay_all_learn_alike() -> None:
    groups = parameter_groups(made("squeezenet1_1"), heads_of("squeezenet1_1"), Recipe(lr=0.1, lr_batch=0))
    assert {group["peak_lr"] for group in groups} == {0.1}


def test_batch_norm_can_keep_the_statistics_that_the_weights_came_with() -> None:
    network = made("resnet18")
    set_training(network, "keep")
    before = {name: value.clone() for name, value in network.named_buffers()}
    network(torch.randn(8, 3, 32, 32))
    assert all(torch.equal(before[name], value) for name, value in network.named_buffers())
    assert network.bn1.weight.requires_grad
    assert not trains_batch_norm(network, "keep")
