"""The recipe's pure functions."""

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from train import recipe
from train.config import Freeze


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    factors = [recipe.lr_factor(step, 200) for step in range(200)]
    assert 0 < factors[0] < 0.1
    assert max(factors) == pytest.approx(1.0)
    assert factors.index(max(factors)) <= 21
    assert factors[20:] == sorted(factors[20:], reverse=True)
    assert factors[-1] < 0.001


@pytest.mark.parametrize("total", [1, 2, 3])
def test_a_handful_of_steps_still_learns(total: int) -> None:
    assert max(recipe.lr_factor(step, total) for step in range(total)) > 0.5


def test_a_pretrained_networks_head_learns_faster_and_vectors_do_not_decay() -> None:
    network = get_model("resnet18", weights=None, num_classes=3)
    groups = recipe.parameter_groups(network, ("fc",), 0.1, pretrained=True)
    assert sum(p.numel() for group in groups for p in group["params"]) == sum(p.numel() for p in network.parameters())
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert rates[id(network.fc.weight)] > rates[id(network.conv1.weight)] == 0.1
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert decays[id(network.bn1.weight)] == decays[id(network.fc.bias)] == 0 < decays[id(network.conv1.weight)]


@pytest.mark.parametrize(
    ("what", "trained"), [("none", {"conv1", "layer4", "fc"}), ("initial", {"layer4", "fc"}), ("backbone", {"fc"})]
)
def test_freeze(what: Freeze, trained: set[str]) -> None:
    network = get_model("resnet18", weights=None, num_classes=3)
    recipe.freeze(network, ("fc",), what)
    moving = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    assert trained <= moving
    assert ("conv1" in moving) == (what == "none")
    assert ("layer4" in moving) == (what != "backbone")


def test_frozen_batchnorm_keeps_its_statistics() -> None:
    network = get_model("resnet18", weights=None, num_classes=3)
    recipe.freeze(network, ("fc",), "backbone")
    before = {name: value.clone() for name, value in network.named_buffers()}
    recipe.set_training(network)
    network(torch.randn(8, 3, 32, 32))
    assert all(torch.equal(before[name], value) for name, value in network.named_buffers())
    assert network.fc.training


def test_moving_batchnorm_does_not() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    recipe.set_training(network)
    network(torch.randn(8, 3, 8, 8))
    assert network[1].num_batches_tracked == 1
