"""config.json: what it holds, and that nothing a stranger writes there does more than raise a ConfigError."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from tars_hub.config import FORMAT_VERSION, MAX_CLASSES, Calibration, ModelConfig, Preprocess, check_classes
from tars_hub.errors import ConfigError

CONFIG = ModelConfig(
    backbone="resnet18",
    classes=("cat", "dog", "Füchse & Hasen"),
    preprocess=Preprocess(
        crop_size=96, resize_size=112, crop="pad", interpolation="bicubic", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)
    ),
    drawings=True,
    calibration=Calibration(temperature=1.7, threshold=0.61, error=0.05),
)
WRONG = [
    None,
    True,
    False,
    -1,
    0,
    1.5,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "x",
    "x" * 10**6,
    [],
    [[]],
    {},
    {"a": {}},
]
WRONG_IDS = [repr(value)[:12] for value in WRONG]


def write(path: Path, value: Any) -> Path:
    """A config.json of this value; texts go in as they are."""
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def refusal(path: Path, value: Any) -> str:
    """The message with which that config.json is refused: one short line that names the file."""
    with pytest.raises(ConfigError) as caught:
        ModelConfig.load(write(path, value))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 400
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def test_a_config_comes_back_from_json_as_it_was() -> None:
    raw = json.loads(json.dumps(CONFIG.to_dict()))
    assert ModelConfig.from_dict(raw) == CONFIG
    assert hash(ModelConfig.from_dict(raw)) == hash(CONFIG)


def test_the_keys_of_the_file() -> None:
    assert json.loads(json.dumps(CONFIG.to_dict())) == {
        "format_version": 1,
        "library_name": "tars-hub",
        "backbone": "resnet18",
        "num_classes": 3,
        "id2label": {"0": "cat", "1": "dog", "2": "Füchse & Hasen"},
        "label2id": {"cat": 0, "dog": 1, "Füchse & Hasen": 2},
        "preprocess": {
            "crop_size": 96,
            "resize_size": 112,
            "crop": "pad",
            "interpolation": "bicubic",
            "mean": [0.1, 0.2, 0.3],
            "std": [0.4, 0.5, 0.6],
        },
        "drawings": True,
        "calibration": {"temperature": 1.7, "threshold": 0.61, "error": 0.05},
    }


def test_strangers_keys_are_passed_over() -> None:
    raw = CONFIG.to_dict()
    raw |= {"architecture": "vit", "transformers_version": [], "classes": "no"}
    raw["preprocess"] |= {"rotate": 90}
    raw["calibration"] |= {"method": "isotonic"}
    assert ModelConfig.from_dict(raw) == CONFIG


def test_ten_classes_and_more_keep_their_order() -> None:
    names = tuple(f"class {index}" for index in range(25))
    raw = json.loads(json.dumps(replace(CONFIG, classes=names).to_dict(), sort_keys=True))  # "10" before "2"
    assert ModelConfig.from_dict(raw).classes == names


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        CONFIG.backbone = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        CONFIG.preprocess.crop_size = 5  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        CONFIG.calibration.threshold = 0.5  # type: ignore[misc]


@pytest.mark.parametrize("key", ["format_version", "id2label", "preprocess", "backbone"])
def test_a_missing_key_is_named(path: Path, key: str) -> None:
    raw = CONFIG.to_dict()
    del raw[key]
    assert key in refusal(path, raw)


@pytest.mark.parametrize("key", ["crop_size", "resize_size", "crop", "interpolation", "mean", "std"])
def test_a_missing_key_of_preprocess_is_named(path: Path, key: str) -> None:
    raw = CONFIG.to_dict()
    del raw["preprocess"][key]
    assert f"preprocess lacks {key}" in refusal(path, raw)


@pytest.mark.parametrize("value", WRONG, ids=WRONG_IDS)
@pytest.mark.parametrize("key", ["format_version", "backbone", "num_classes", "id2label", "preprocess"])
def test_a_value_of_the_wrong_kind_is_named(path: Path, key: str, value: Any) -> None:
    raw = {**CONFIG.to_dict(), key: value}
    if key == "backbone" and isinstance(value, str):
        assert ModelConfig.load(write(path, raw)).backbone == value  # a text; the table of backbones judges it
    else:
        refusal(path, raw)


@pytest.mark.parametrize("value", WRONG, ids=WRONG_IDS)
@pytest.mark.parametrize("key", ["crop_size", "resize_size", "crop", "interpolation", "mean", "std"])
def test_a_wrong_value_of_preprocess_is_named(path: Path, key: str, value: Any) -> None:
    raw = CONFIG.to_dict()
    raw["preprocess"][key] = value
    message = refusal(path, raw)
    assert key in message or "crop_size" in message


@pytest.mark.parametrize(
    "values", [WRONG, [1, 2, "3"], [1, 2], [1, 2, 3, 4], [1, 2, True], [1, 2, None], [0, 10**400, 0]]
)
def test_a_mean_is_three_numbers(path: Path, values: list[Any]) -> None:
    raw = CONFIG.to_dict()
    raw["preprocess"]["mean"] = values
    assert "preprocess.mean" in refusal(path, raw)


@pytest.mark.parametrize("std", [[0, 1, 1], [-1, 1, 1], [1e-30, 1, 1], [1e30, 1, 1]])
def test_a_deviation_that_would_make_infinities_is_refused(path: Path, std: list[float]) -> None:
    raw = CONFIG.to_dict()
    raw["preprocess"]["std"] = std
    assert "std" in refusal(path, raw)


@pytest.mark.parametrize("value", [True, False, None, 5, 1.5, "", [], {}, ["a"]], ids=repr)
def test_a_class_name_is_a_non_empty_text(path: Path, value: Any) -> None:
    raw = CONFIG.to_dict()
    raw["id2label"]["1"] = value
    assert "class name" in refusal(path, raw)


@pytest.mark.parametrize(
    "keys", [("0", "1", "3"), ("1", "2", "3"), ("0", "1", "02"), ("0", "1", " 2"), ("0", "1", "two"), ("0", "1", "-2")]
)
def test_the_keys_of_id2label_are_the_indices(path: Path, keys: tuple[str, ...]) -> None:
    raw = {**CONFIG.to_dict(), "id2label": dict(zip(keys, "abc", strict=True))}
    assert "id2label" in refusal(path, raw)


def test_a_class_cannot_stand_twice(path: Path) -> None:
    raw = CONFIG.to_dict()
    raw["id2label"]["2"] = "cat"
    assert "'cat' stands twice" in refusal(path, raw)


def test_many_equal_classes_do_not_take_for_ever(path: Path) -> None:
    names = {str(index): f"c{index // 2}" for index in range(50_000)}  # counted one by one: 2.5 billion steps
    assert "stands twice" in refusal(path, {**CONFIG.to_dict(), "id2label": names, "num_classes": 50_000})


def test_a_thousand_million_classes(path: Path) -> None:
    assert "num_classes" in refusal(path, {**CONFIG.to_dict(), "num_classes": 10**9})


def test_more_classes_than_a_network_can_have(path: Path) -> None:
    names = {str(index): str(index) for index in range(MAX_CLASSES + 1)}
    assert str(MAX_CLASSES + 1) in refusal(path, {**CONFIG.to_dict(), "id2label": names})


def test_a_later_format_says_to_upgrade(path: Path) -> None:
    message = refusal(path, {**CONFIG.to_dict(), "format_version": FORMAT_VERSION + 1})
    assert "upgrade" in message
    assert str(FORMAT_VERSION + 1) in message


def test_an_endless_version_number(path: Path) -> None:
    refusal(path, {**CONFIG.to_dict(), "format_version": 10**4000})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '"text"',
        "12",
        "NaN",
        "{} {}",
        "\ufeff{}",
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 5000,
        "<!DOCTYPE html>",
        "version https://git-lfs.github.com/spec/v1",
        "\0" * 100,
    ],
    ids=lambda text: repr(text)[:12],
)
def test_a_file_that_is_no_json_object(path: Path, text: str) -> None:
    refusal(path, text)


def test_bytes_that_are_no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00{}")
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        ModelConfig.load(path)


def test_a_config_without_a_calibration_is_of_a_model_that_nobody_calibrated(path: Path) -> None:
    plain = replace(CONFIG, calibration=Calibration())
    assert json.loads(json.dumps(plain.to_dict()))["calibration"] == {
        "temperature": 1.0,
        "threshold": None,
        "error": None,
    }
    raw = CONFIG.to_dict()
    for absent in ({}, None):
        raw["calibration"] = absent
        assert ModelConfig.load(write(path, raw)) == plain
    del raw["calibration"]
    assert ModelConfig.load(write(path, raw)) == plain


def test_a_calibration_may_be_of_the_temperature_alone(path: Path) -> None:
    raw = {**CONFIG.to_dict(), "calibration": {"temperature": 2}}
    assert ModelConfig.load(write(path, raw)).calibration == Calibration(temperature=2.0)


@pytest.mark.parametrize("value", [value for value in WRONG if value not in (None, {}, {"a": {}})], ids=repr)
def test_a_calibration_is_an_object(path: Path, value: Any) -> None:
    assert "calibration" in refusal(path, {**CONFIG.to_dict(), "calibration": value})


@pytest.mark.parametrize("value", [*WRONG, 1e-4, 1001, -1.0, float("-inf")], ids=lambda value: repr(value)[:12])
def test_a_temperature_is_a_sane_number(path: Path, value: Any) -> None:
    raw = CONFIG.to_dict()
    raw["calibration"]["temperature"] = value
    if value == 1.5:
        assert ModelConfig.load(write(path, raw)).calibration.temperature == 1.5
    else:
        assert "calibration.temperature" in refusal(path, raw)


@pytest.mark.parametrize("value", [*WRONG, 1.0001, -1e-9, float("-inf")], ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("key", ["threshold", "error"])
def test_a_threshold_and_an_error_are_shares(path: Path, key: str, value: Any) -> None:
    raw = CONFIG.to_dict()
    raw["calibration"][key] = value
    if value is None or (value == 0 and value is not False):
        assert getattr(ModelConfig.load(write(path, raw)).calibration, key) == value
    else:
        assert f"calibration.{key}" in refusal(path, raw)


@pytest.mark.parametrize(
    "calibration",
    [Calibration(temperature=1e-3, threshold=0, error=0), Calibration(temperature=1e3, threshold=1.0, error=1)],
)
def test_the_limits_of_a_calibration_come_back(path: Path, calibration: Calibration) -> None:
    config = replace(CONFIG, calibration=calibration)
    assert ModelConfig.load(write(path, config.to_dict())) == config


def test_a_threshold_comes_back_to_the_last_bit(path: Path) -> None:
    config = replace(CONFIG, calibration=Calibration(threshold=0.1 + 0.2))
    assert ModelConfig.load(write(path, config.to_dict())).calibration.threshold == 0.1 + 0.2


@pytest.mark.parametrize("key", ["backbone", "format_version", "num_classes", "mean", "id2label", "calibration"])
def test_nesting_of_every_depth_around_the_recursion_limit(path: Path, key: str) -> None:
    raw = CONFIG.to_dict()
    (raw["preprocess"] if key == "mean" else raw)[key] = "HERE"
    for depth in range(900, 1010, 3):  # what was just shallow enough to be read must be shown in a message too
        refusal(path, json.dumps(raw).replace('"HERE"', "[" * depth + "]" * depth))


def test_no_file_says_what_a_model_folder_holds(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.json.*model\.safetensors"):
        ModelConfig.load(path)


def test_a_folder_of_that_name(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        ModelConfig.load(path)


def test_a_huge_file_is_not_read(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(40 << 30)  # sparse: takes no room on the disk, but would in memory
    with pytest.raises(ConfigError, match="MB"):
        ModelConfig.load(path)


def test_the_resize_is_not_below_the_crop() -> None:
    with pytest.raises(ConfigError, match="resize_size 100 is below crop_size 101"):
        Preprocess(crop_size=101, resize_size=100)


@pytest.mark.parametrize("side", [0, -1, 4097, 10**9, 224.0, True, "224"])
def test_a_side_is_a_sane_number_of_pixels(side: Any) -> None:
    with pytest.raises(ConfigError, match="crop_size"):
        Preprocess(crop_size=side, resize_size=max(256, side) if type(side) is int else 256)


@pytest.mark.parametrize(
    ("classes", "complaint"),
    [
        ("cat,dog", "give a list"),
        ([], "0 classes"),
        (["cat", ""], "''"),
        (["cat", 5], "5"),
        (["cat", "cat"], "twice"),
        ({"cat", "dog"}, "order of the logits"),
        ({"cat": 1, "dog": 0}, "order of the logits"),
        (5, "order of the logits"),
        (None, "order of the logits"),
        (["cat", "d\udcf6g"], "Unicode"),  # a folder's name in Latin-1, as Python gives it on a UTF-8 system
    ],
)
def test_classes_that_cannot_stand(classes: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        check_classes(classes)


@pytest.mark.parametrize("classes", [["cat"], ("cat", "dog"), (name for name in "ab"), ["a\nb", "名前", " ", "🐈"]])
def test_classes_that_can(classes: Any) -> None:
    found = check_classes(classes)
    assert isinstance(found, tuple)
    assert json.loads(json.dumps(found)) == list(found)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a JSON value."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from places(value[key])


def test_random_changes_raise_config_errors_and_nothing_else() -> None:
    rng = random.Random(0)  # noqa: S311  # the same at every run
    outcomes = {"loaded": 0, "refused": 0}
    wrong = [value for value in WRONG if not isinstance(value, str) or len(value) < 100]
    for _ in range(1500):
        raw = json.loads(json.dumps(CONFIG.to_dict()))
        for _ in range(rng.randint(1, 3)):
            container, key = rng.choice(list(places(raw)))
            if rng.random() < 0.2:
                del container[key]
            else:
                container[key] = copy.deepcopy(rng.choice([*wrong, 3, 224, "cat", [0.5] * 3, {"0": "a"}]))
        try:
            ModelConfig.from_dict(raw)
            outcomes["loaded"] += 1
        except ConfigError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 50


def test_random_damage_to_the_bytes_raises_config_errors_and_nothing_else(path: Path) -> None:
    rng = random.Random(1)  # noqa: S311  # the same at every run
    good = json.dumps(CONFIG.to_dict(), indent=2).encode()
    refused = 0
    for _ in range(1000):
        bad = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        path.unlink(missing_ok=True)  # overwritten in place, it would go to the disk each time
        path.write_bytes(bytes(bad[: rng.choice([len(bad), rng.randrange(len(bad))])]))
        try:
            ModelConfig.load(path)
        except ConfigError:
            refused += 1
    assert refused > 500
