"""Averaged weights follow the trained ones slowly."""

from __future__ import annotations

import torch
from torch import nn

from train.ema import AveragedWeights
from train.recipe import Recipe


def test_the_average_is_what_the_formula_says() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 0.0)
    average = AveragedWeights(network, Recipe(ema=0.5))
    expected = 0.0
    for step in range(12):
        nn.init.constant_(network.weight, step + 1.0)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * (step + 1)
    assert torch.allclose(average.network.weight, torch.tensor(expected))
    assert network.weight.item() == 12


def test_batch_norms_statistics_are_averaged_and_its_count_copied() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    average = AveragedWeights(network, Recipe(ema=0.9))
    network(10 + torch.randn(8, 3, 8, 8))
    average.update(1_000)
    assert average.network[1].num_batches_tracked == 1
    assert torch.allclose(average.network[1].running_mean, 0.1 * network[1].running_mean)


def test_the_average_is_a_network_of_its_own_in_eval_mode() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    average = AveragedWeights(network, Recipe(ema=0.9))
    assert network.training
    assert not average.network.training
    assert average.network[0].weight.data_ptr() != network[0].weight.data_ptr()
