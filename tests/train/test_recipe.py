"""Recipes: numbers, and the rate as a pure function of the step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tars_hub.errors import UsageError
from train.recipe import RECIPES, Recipe, ema_decay, layer_share, lr_share

STEPS = 20  # an epoch


def shares(recipe: Recipe) -> list[float]:
    return [lr_share(recipe, step, STEPS) for step in range(recipe.epochs * STEPS)]


def test_cosine_warms_up_and_falls_to_nothing() -> None:
    found = shares(Recipe(epochs=10))
    assert found[0] == 1 / 20
    assert found[:20] == sorted(found[:20])
    assert max(found) == found[19] == found[20] == 1
    assert found[20:] == sorted(found[20:], reverse=True)
    assert found[110] == pytest.approx(0.5)
    assert 0 < found[-1] < 0.001


def test_past_its_end_cosine_stays_at_nothing() -> None:
    recipe = Recipe(epochs=10)
    assert lr_share(recipe, 200, STEPS) == lr_share(recipe, 1e9, STEPS) == 0


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_handful_of_steps_still_learns(epochs: int) -> None:
    assert max(lr_share(Recipe(epochs=epochs), step, 1) for step in range(epochs)) > 0.5


def test_step_drops_by_gamma_every_so_many_epochs() -> None:
    recipe = Recipe(epochs=20, schedule="step", warmup=0.0, step_epochs=7, step_gamma=0.1)
    found = shares(recipe)
    assert found[: 7 * STEPS] == [1.0] * 7 * STEPS
    assert found[7 * STEPS : 14 * STEPS] == [pytest.approx(0.1)] * 7 * STEPS
    assert found[14 * STEPS :] == [pytest.approx(0.01)] * 6 * STEPS


def test_the_tutorial_is_sgd_that_drops_and_nothing_else() -> None:
    recipe = RECIPES["tutorial"]
    assert (recipe.optimizer, recipe.peak_lr, recipe.momentum, recipe.schedule) == ("sgd", 0.001, 0.9, "step")
    assert not any([recipe.weight_decay, recipe.warmup, recipe.label_smoothing, recipe.mixup, recipe.clip_norm])
    assert set(shares(recipe)) == {1.0}  # five epochs end before the first drop


def test_constant_is_constant_after_the_warm_up() -> None:
    found = shares(Recipe(epochs=5, schedule="constant", warmup=0.2))
    assert found[0] == 0.05
    assert found[20:] == [1.0] * 80


def test_the_rate_grows_with_the_root_of_the_batch() -> None:
    assert Recipe(lr=0.1, lr_batch=64, batch_size=256).peak_lr == pytest.approx(0.2)
    assert Recipe(lr=0.1, lr_batch=64, batch_size=16).peak_lr == pytest.approx(0.05)
    assert Recipe(lr=0.1, lr_batch=0, batch_size=256).peak_lr == 0.1


def test_lower_layers_learn_slower() -> None:
    recipe = Recipe(layer_decay=0.5)
    assert [layer_share(recipe, depth, 4) for depth in range(4)] == [0.125, 0.25, 0.5, 1.0]
    assert layer_share(Recipe(layer_decay=1.0), 0, 12) == 1


def test_averaging_begins_fast_and_ends_at_the_decay_asked_for() -> None:
    recipe = Recipe(ema=0.9)
    assert ema_decay(recipe, 0) == 0.1
    assert ema_decay(recipe, 10) == 11 / 20
    assert ema_decay(recipe, 10_000) == 0.9


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": -1}, "epochs is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"lr": 0.0}, "lr is 0"),
        ({"momentum": 1.0}, "momentum is 1"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1"),
        ({"ema": 1.0}, "ema is 1"),
        ({"schedule": "linear"}, "schedule is 'linear'; it must be one of cosine, step, constant"),
    ],
)
def test_a_number_that_cannot_work_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        replace(Recipe(), **changes)
