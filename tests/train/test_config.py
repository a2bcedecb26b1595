"""Flags, new and old, become one TrainConfig."""

from pathlib import Path

import pytest

from tars_hub.errors import UsageError
from train.config import parse

NEEDED = ["--data", "d", "--output", "o"]


def test_long_flags() -> None:
    flags = "--model resnet18 --epochs 3 --batch-size 8 --img-size 64 --seed 7 --weights none"
    config = parse([*NEEDED, *flags.split()])
    assert (config.data, config.output, config.model) == (Path("d"), Path("o"), "resnet18")
    assert (config.epochs, config.batch_size, config.img_size, config.seed) == (3, 8, 64, 7)
    assert config.weights == "none"


def test_the_tutorials_line_trains_all_layers() -> None:
    config = parse("-idl d -sl checkpoint/ -mo resnet50 -ep 5 -b 8 -fi".split())
    assert (config.data, config.output, config.model) == (Path("d"), Path("checkpoint"), "resnet50")
    assert (config.epochs, config.batch_size, config.freeze) == (5, 8, "none")


@pytest.mark.parametrize("flag", ["-f", "-fi"])
def test_inverted_freeze_switches_freeze_nothing(flag: str) -> None:
    assert parse([*NEEDED, "--freeze", "backbone", flag]).freeze == "none"


def test_other_old_switches() -> None:
    assert parse([*NEEDED, "-g"]).device == "cpu"
    assert parse([*NEEDED, "-p"]) == parse(NEEDED)
    assert parse([*NEEDED, "-is", "299"]).img_size == 299


def test_mixup_is_off_until_asked_for() -> None:
    assert parse(NEEDED).mixup == 0
    assert parse([*NEEDED, "-mx"]).mixup == 0.1
    assert parse([*NEEDED, "-mx", "-mxal", "0.4"]).mixup == 0.4
    assert parse([*NEEDED, "-mxal", "0.4"]).mixup == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "d"], "--output"),
        ([*NEEDED, "--epochs", "0"], "--epochs is 0"),
        ([*NEEDED, "--batch-size", "-1"], "--batch-size is -1"),
        ([*NEEDED, "--epochs", "many"], "many"),
        ([*NEEDED, "--lr", "nan"], "--lr is nan"),
        ([*NEEDED, "-mx", "-mxal", "99"], "99"),
        ([*NEEDED, "--frobnicate"], "--frobnicate"),
        ([*NEEDED, "--freeze", "everything"], "everything"),
    ],
)
def test_a_flag_that_cannot_work_is_named(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse(arguments)
    assert "\n" not in str(caught.value)
