"""A TrainConfig is checked whoever makes it, and knows what decides a result."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tars_hub.errors import UsageError
from train.config import TrainConfig
from train.recipe import RECIPES

PLAIN = TrainConfig(data=Path("d"), output=Path("o"))


def test_the_recipe_follows_the_weights_unless_given() -> None:
    assert PLAIN.how == RECIPES["finetune"]
    assert replace(PLAIN, weights="none", recipe=None).how == RECIPES["scratch"]
    assert replace(PLAIN, weights="none").how == RECIPES["finetune"]


def test_it_survives_json() -> None:
    found = replace(PLAIN, unknown=Path("u"), time_limit=3.0).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert (found["data"], found["unknown"], found["recipe"]["name"]) == ("d", "u", "finetune")


@pytest.mark.parametrize("changes", [{"data": Path("x")}, {"workers": 3}, {"resume": True}, {"time_limit": 9.0}])
def test_what_changes_no_result_may_change_when_a_run_goes_on(changes: dict[str, Any]) -> None:
    assert replace(PLAIN, **changes).decisive() == PLAIN.decisive()


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"augment": "none"}, {"recipe": RECIPES["tutorial"]}, {"precision": "bf16"}]
)
def test_what_changes_a_result_may_not(changes: dict[str, Any]) -> None:
    assert replace(PLAIN, **changes).decisive() != PLAIN.decisive()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"img_size": 0}, "img_size is 0"),
        ({"metric": "accuracy"}, "metric is 'accuracy'; it must be one of top1, top5"),
        ({"crop": "middle"}, "crop is 'middle'"),
        ({"target_error": 0.0}, "target_error is 0"),
        ({"target_error": 1.0}, "target_error is 1"),
        ({"recipe": replace(RECIPES["scratch"], epochs=0)}, "--epochs is 0; that trains nothing"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        replace(PLAIN, **changes)


def test_no_epochs_are_enough_for_a_head() -> None:
    assert replace(PLAIN, recipe=replace(RECIPES["finetune"], epochs=0)).how.epochs == 0
