"""Mixup and cutmix: what is blended, in which shares, with whom."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from train.batches import Batch
from train.mixing import mix, one_hot
from train.recipe import Recipe

SIDE = 16
MIXES = [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}]


def batch_of(draws: tuple[int, ...], places: tuple[int, ...] | None = None) -> Batch:
    """Pictures that are their draw's number all over."""
    inputs = torch.tensor(draws, dtype=torch.float32).view(len(draws), 1, 1, 1).expand(-1, 3, SIDE, SIDE).contiguous()
    labels = torch.tensor([draw % 4 for draw in draws], dtype=torch.int64)
    return Batch(inputs=inputs, labels=labels, draws=draws, places=places or tuple(range(len(draws))), broken=())


def mixed(batch: Batch, recipe: Recipe, *, seed: int = 0, epoch: int = 1) -> tuple[Tensor, Tensor]:
    return mix(batch, one_hot(batch.labels, 4), recipe, seed=seed, epoch=epoch)


def test_off_is_nothing() -> None:
    batch = batch_of((0, 1, 2))
    inputs, targets = mixed(batch, Recipe())
    assert torch.equal(inputs, batch.inputs)
    assert torch.equal(targets, one_hot(batch.labels, 4))


@pytest.mark.parametrize("changes", MIXES)
def test_targets_hold_the_share_of_pixels_that_each_picture_gave(changes: dict[str, float]) -> None:
    recipe = replace(Recipe(), **changes)
    for seed in range(30):
        inputs, targets = mixed(batch_of((0, 1, 2, 3)), recipe, seed=seed)
        assert torch.allclose(targets.sum(1), torch.ones(4))
        assert torch.allclose(inputs.mean((1, 2, 3)), targets @ torch.arange(4.0), atol=1e-5)
        assert (targets[:2, 2:] == 0).all()  # the partner is the neighbour
        assert (targets[2:, :2] == 0).all()
        assert torch.allclose(targets[0, :2], targets[1, :2].flip(0))  # both alike


def test_cutmix_moves_a_box_and_mixup_blends_everywhere() -> None:
    cut, _ = mixed(batch_of((0, 1)), Recipe(cutmix=1.0))
    assert set(cut.unique().tolist()) <= {0.0, 1.0}
    blended, _ = mixed(batch_of((0, 1)), Recipe(mixup=1.0))
    assert len(blended[0].unique()) == 1


def test_of_both_each_takes_about_half() -> None:
    cut = 0
    for seed in range(200):
        inputs, _ = mixed(batch_of((0, 1)), Recipe(mixup=5.0, cutmix=1.0), seed=seed)
        cut += set(inputs.unique().tolist()) <= {0.0, 1.0}
    assert 70 < cut < 130


def test_shares_are_as_the_papers_draw_them() -> None:
    kept = []
    for seed in range(400):
        _, targets = mixed(batch_of((0, 1)), Recipe(mixup=0.1), seed=seed)
        kept.append(float(targets[0].max()))
    assert sum(share > 0.9 for share in kept) / 400 > 0.75  # Beta(0.1, 0.1) lies at its ends
    assert min(kept) < 0.7


@pytest.mark.parametrize("changes", MIXES)
def test_who_has_no_partner_stays_as_it_is(changes: dict[str, float]) -> None:
    recipe = replace(Recipe(), **changes)
    batch = batch_of((0, 2, 3, 1), places=(0, 2, 3, 4))  # place 1 was broken, and the batch is odd
    inputs, targets = mixed(batch, recipe)
    for row in (0, 3):
        assert torch.equal(inputs[row], batch.inputs[row])
        assert torch.equal(targets[row], one_hot(batch.labels, 4)[row])
    assert 0 < targets[1, 2] < 1


@pytest.mark.parametrize("changes", MIXES)
def test_a_pair_is_mixed_alike_in_any_batch(changes: dict[str, float]) -> None:
    recipe = replace(Recipe(), **changes)
    whole, _ = mixed(batch_of((0, 1, 2, 3)), recipe)
    half, _ = mixed(batch_of((2, 3)), recipe)
    assert torch.equal(whole[2:], half)
    later, _ = mixed(batch_of((2, 3)), recipe, epoch=2)
    assert not torch.equal(later, half)


def test_the_batch_itself_is_left_alone() -> None:
    batch = batch_of((0, 1))
    mixed(batch, Recipe(mixup=1.0))
    assert torch.equal(batch.inputs, batch_of((0, 1)).inputs)


def test_an_empty_batch_stays_empty() -> None:
    inputs, targets = mixed(batch_of(()), Recipe(mixup=1.0))
    assert (len(inputs), targets.shape) == (0, (0, 4))
