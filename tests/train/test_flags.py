"""Flags, new and old, become one TrainConfig."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from tars_hub.errors import UsageError
from train.config import TrainConfig
from train.flags import parse
from train.recipe import RECIPES, Recipe

NEEDED = ["--data", "d", "--output", "o"]


def parsed(line: str) -> TrainConfig:
    return parse([*NEEDED, *line.split()])


def test_long_flags() -> None:
    config = parsed("--model resnet18 --epochs 3 --batch-size 8 --img-size 64 --seed 7 --weights none --freeze initial")
    assert (config.data, config.output, config.model) == (Path("d"), Path("o"), "resnet18")
    assert (config.how.epochs, config.how.batch_size, config.img_size, config.seed) == (3, 8, 64, 7)
    assert (config.weights, config.freeze) == ("none", "initial")


def test_without_flags_a_run_finetunes_and_without_weights_it_starts_from_scratch() -> None:
    assert parsed("").recipe == RECIPES["finetune"]
    assert parsed("--weights none").recipe == RECIPES["scratch"]
    assert parsed("--weights none --recipe finetune").recipe == RECIPES["finetune"]


def test_a_setting_is_a_flag_too_and_the_last_word_counts() -> None:
    assert parsed("--set lr=0.5 --set mixup=0.2") == parsed("--lr 0.5 --mixup 0.2")
    assert parsed("--time-limit 30 --set time-limit=none").time_limit is None
    assert parsed("--set epochs=5 --epochs 6").how.epochs == 6
    assert parsed("--epochs 6 --set epochs=5").how.epochs == 5
    assert parsed("--balance").balance
    assert not parsed("--balance --set balance=no").balance


def test_a_rate_that_somebody_states_is_meant_as_it_stands() -> None:
    assert parsed("--lr 0.01 --batch-size 256").how.peak_lr == 0.01
    assert parsed("--set lr=0.01 --set lr_batch=64 --batch-size 256").how.peak_lr == 0.02
    assert parsed("--batch-size 256").how.peak_lr == 2 * RECIPES["finetune"].lr


def test_every_setting_is_explained_by_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed("--help")
    assert caught.value.code == 0
    said = capsys.readouterr().out
    shown = [each.name for kind in (Recipe, TrainConfig) for each in fields(kind) if each.metadata.get("shown")]
    assert len(shown) > 30
    for name in shown:
        assert name in said or "--" + name.replace("_", "-") in said
    rates = ", ".join(f"{name} {recipe.lr:g}" for name, recipe in RECIPES.items())
    assert f"default {rates}" in said


def test_the_tutorials_line_trains_all_layers() -> None:
    config = parse("-idl d -sl checkpoint/ -mo resnet50 -ep 5 -b 8 -fi".split())
    assert (config.data, config.output, config.model) == (Path("d"), Path("checkpoint"), "resnet50")
    assert (config.how.epochs, config.how.batch_size, config.freeze) == (5, 8, "none")


@pytest.mark.parametrize("flag", ["-f", "-fi"])
def test_inverted_freeze_switches_freeze_nothing(flag: str) -> None:
    assert parsed(f"--freeze backbone {flag}").freeze == "none"


def test_other_old_switches() -> None:
    assert parsed("-g").device == "cpu"
    assert parsed("-p") == parsed("")
    assert parsed("-is 299").img_size == 299


def test_mixup_is_off_until_asked_for() -> None:
    assert parsed("").how.mixup == 0
    assert parsed("-mx").how.mixup == 0.1
    assert parsed("-mx -mxal 0.4").how.mixup == 0.4
    assert parsed("-mxal 0.4").how.mixup == 0
    assert parsed("-mx --mixup 0.3").how.mixup == 0.3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--epochs -1", "epochs is -1"),
        ("--batch-size 0", "batch_size is 0"),
        ("--epochs many", "epochs is 'many'; it must be a whole number"),
        ("--lr nan", "lr is nan"),
        ("--time-limit 0", "time_limit is 0"),
        ("-mx -mxal 99", "mixup is 99"),
        ("--frobnicate", "--frobnicate"),
        ("--freeze everything", "everything"),
        ("--set epoch=3", "did you mean epochs"),
        ("--set epochs", "--set epochs lacks a value; write --set epochs=VALUE"),
        ("--set balance=perhaps", "balance is 'perhaps'; it must be yes or no"),
        ("--set optimizer=lion", "optimizer is 'lion'; it must be one of adamw, sgd"),
        ("--set name=mine", "no such setting"),
        ("--set data=elsewhere", "no such setting"),
    ],
)
def test_a_flag_that_cannot_work_is_named(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parsed(line)
    assert "\n" not in str(caught.value)


def test_a_missing_flag_is_named() -> None:
    with pytest.raises(UsageError, match="--output"):
        parse(["--data", "d"])
