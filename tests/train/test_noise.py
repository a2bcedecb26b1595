"""Dropout and stochastic depth that belong to the picture, wherever it stands in a batch."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.ops import StochasticDepth

from train.noise import PictureNoise, install

CPU = torch.device("cpu")


def network(p: float = 0.3) -> tuple[nn.Sequential, PictureNoise]:
    made = nn.Sequential(nn.Dropout(p), nn.Identity(), StochasticDepth(p, "row"))
    return made, install(made)


def after(noise: PictureNoise, layer: nn.Module, draws: list[int], *, seed: int = 0, epoch: int = 1) -> Tensor:
    noise.seed(seed, epoch, draws, CPU)
    found: Tensor = layer(torch.ones(len(draws), 8, 50))
    return found


@pytest.mark.parametrize("index", [0, 2])
def test_a_draw_has_its_mask_whatever_the_batch(index: int) -> None:
    made, noise = network()
    together = after(noise, made[index], list(range(40)))
    alone = torch.cat([after(noise, made[index], [draw]) for draw in range(40)])
    turned = after(noise, made[index], list(reversed(range(40)))).flip(0)
    assert torch.equal(together, alone)
    assert torch.equal(together, turned)


def test_the_mask_is_another_for_each_seed_epoch_draw_and_layer() -> None:
    made = nn.Sequential(nn.Dropout(0.3), nn.Dropout(0.3))
    noise = install(made)
    found = [
        after(noise, made[0], [1]),
        after(noise, made[0], [2]),
        after(noise, made[0], [1], epoch=2),
        after(noise, made[0], [1], seed=1),
        after(noise, made[1], [1]),
    ]
    for index, first in enumerate(found):
        for other in found[index + 1 :]:
            # Two masks that know nothing of each other agree where both keep or both drop.
            assert float((first == other).float().mean()) == pytest.approx(0.7**2 + 0.3**2, abs=0.1)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_drops_its_share_and_keeps_the_mean(p: float) -> None:
    made, noise = network(p)
    values = after(noise, made[0], list(range(500)))
    assert float((values == 0).float().mean()) == pytest.approx(p, abs=0.01)
    assert float(values.mean()) == pytest.approx(1, abs=0.02)
    assert values.unique().tolist() == pytest.approx([0, 1 / (1 - p)])
    by_place = (values == 0).float().mean(0).flatten()
    assert float(by_place.std()) < 0.05  # no place is dropped more often than another


def test_stochastic_depth_drops_whole_pictures() -> None:
    made, noise = network(0.3)
    values = after(noise, made[2], list(range(4000)))
    assert len(values.flatten(1).unique(dim=1).T) == 1
    assert float((values[:, 0, 0] == 0).float().mean()) == pytest.approx(0.3, abs=0.03)


def test_neighbouring_draws_are_as_independent_as_distant_ones() -> None:
    noise = PictureNoise()
    noise.seed(0, 1, range(2000), CPU)
    values = noise.uniform((2000, 1), 0)[:, 0]
    assert 0 <= float(values.min()) < 0.01
    assert 0.99 < float(values.max()) < 1
    for lag in (1, 2, 7):
        assert abs(float(torch.corrcoef(torch.stack([values[lag:], values[:-lag]]))[0, 1])) < 0.08


def test_off_in_eval_mode_and_without_seeds_a_mistake() -> None:
    made, _ = network()
    ones = torch.ones(3, 4)
    with pytest.raises(AssertionError):
        made(ones)
    assert torch.equal(made.eval()(ones), ones)


def test_half_precision_stays_half() -> None:
    made, noise = network()
    noise.seed(0, 1, [0, 1], CPU)
    assert made[0](torch.ones(2, 5, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("name", ["squeezenet1_1", "efficientnet_b0", "mobilenet_v3_small"])
def test_installing_changes_neither_names_nor_answers(name: str) -> None:
    plain = get_model(name, weights=None).eval()
    keys, said = list(plain.state_dict()), plain(torch.ones(1, 3, 32, 32))
    install(plain)
    assert list(plain.state_dict()) == keys
    assert torch.equal(plain(torch.ones(1, 3, 32, 32)), said)
    assert not [each for each in plain.modules() if isinstance(each, (nn.Dropout, StochasticDepth)) and each.p > 0]


def test_a_networks_forward_pass_does_not_depend_on_the_batch() -> None:
    made = get_model("squeezenet1_1", weights=None)
    noise = install(made)
    pictures = torch.rand(6, 3, 32, 32)

    def answers(rows: list[int]) -> Tensor:
        noise.seed(3, 1, rows, CPU)
        found: Tensor = made(pictures[rows])
        return found

    whole = answers([0, 1, 2, 3, 4, 5])
    assert torch.allclose(torch.cat([answers(rows) for rows in ([0, 1], [2], [3, 4, 5])]), whole, atol=1e-5)
    assert any(not torch.equal(a, b) for a, b in pairwise(whole))
