"""What a revision says of itself is found, whoever wrote it, and nothing a stranger writes makes it fail or grow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tars_hub.card import Measured, write_card
from tars_hub.config import ModelConfig
from tars_hub.server.facts import MAX_CONFIG_BYTES, MAX_README_BYTES, MAX_TAGS, files_wanted, read_facts
from tars_hub.server.records import Facts
from tars_hub.server.tensors import Tensor, TensorFile, parameters_by_type

CONFIG = ModelConfig(backbone="resnet18", classes=("cat", "dog"))
WEIGHTS = TensorFile(metadata={}, tensors=(Tensor("fc.weight", "F32", (2, 3), 6), Tensor("steps", "I64", (), 1)))
TIMM = {"architecture": "resnet50", "num_classes": 1000, "pretrained_cfg": {"tag": "a1_in1k"}}
TRANSFORMERS = {"architectures": ["ResNetForImageClassification"], "model_type": "resnet"}


def facts(card: str = "", config: Any = None, paths: tuple[str, ...] = ("model.safetensors",)) -> Facts:
    readme = f"---\n{card}\n---\n".encode() if card else None
    return read_facts(paths, readme, None if config is None else json.dumps(config).encode(), {})


def shards(count: int, *, of: int | None = None) -> dict[str, int]:
    return {f"model-{number:05}-of-{of or count:05}.safetensors": 9 for number in range(1, count + 1)}


def test_only_what_tells_something_is_read() -> None:
    paths = {"README.md": 9, "config.json": 9, "model.safetensors": 1 << 40, "other.safetensors": 9, "a/config.json": 9}
    assert files_wanted(paths) == ("README.md", "config.json", "model.safetensors")
    assert files_wanted({}) == ()
    assert files_wanted({"README.md": MAX_README_BYTES + 1, "config.json": MAX_CONFIG_BYTES + 1}) == ()


def test_shards_are_read_where_all_are_there() -> None:
    assert files_wanted(dict(reversed(shards(12).items()))) == tuple(shards(12))
    assert files_wanted({**shards(2, of=3), **shards(2)}) == tuple(shards(2))
    assert files_wanted({**shards(2), "model.safetensors": 9}) == ("model.safetensors",)
    for paths in (shards(2, of=3), shards(257), shards(1, of=99_999), {"model-00000-of-00000.safetensors": 9}):
        assert files_wanted(paths) == ()
    assert files_wanted({"x/" + path: 9 for path in shards(2)}) == ()


def test_a_model_of_ours() -> None:
    card = write_card(CONFIG, Measured(accuracy=0.9, pictures=9, dataset="d", split="val"), base_model="timm/resnet18")
    paths = ("README.md", "config.json", "model.safetensors")
    found = read_facts(paths, card.encode(), json.dumps(CONFIG.to_dict()).encode(), parameters_by_type([WEIGHTS]))
    assert (found.library_name, found.pipeline_tag) == ("tars-hub", "image-classification")
    assert found.tags == (
        "tars-hub",
        "safetensors",
        "image-classification",
        "model-index",
        "base_model:timm/resnet18",
        "base_model:finetune:timm/resnet18",
        "pytorch_model_hub_mixin",
        "torchvision",
        "resnet18",
    )
    assert found.parameters == {"F32": 6, "I64": 1}
    assert found.config == {"backbone": "resnet18", "num_classes": 2}
    assert found.model_index[0]["results"][0]["metrics"][0]["value"] == 0.9
    assert found.card["pipeline_tag"] == "image-classification"
    json.dumps([found.card, found.model_index])


@pytest.mark.parametrize(
    ("config", "library", "pipeline"),
    [
        (CONFIG.to_dict(), "tars-hub", "image-classification"),
        ({**CONFIG.to_dict(), **TIMM}, "tars-hub", "image-classification"),
        (TIMM, "timm", "image-classification"),
        ({**TIMM, "num_classes": 0}, "timm", ""),
        (TRANSFORMERS, "transformers", "image-classification"),
        ({"model_type": "bert", "architectures": ["BertModel"]}, "transformers", ""),
        ({"num_classes": 3}, "", ""),
        ({}, "", ""),
        ([], "", ""),
    ],
    ids=["tars", "tars and timm", "timm", "timm, headless", "transformers", "bert", "unknown", "empty", "list"],
)
def test_without_a_card_the_config_tells(config: Any, library: str, pipeline: str) -> None:
    found = facts(config=config)
    assert (found.library_name, found.pipeline_tag) == (library, pipeline)


def test_the_card_is_asked_first() -> None:
    found = facts("library_name: keras\npipeline_tag: depth-estimation", TIMM)
    assert (found.library_name, found.pipeline_tag) == ("keras", "depth-estimation")
    assert facts("tags: image-classification").pipeline_tag == "image-classification"


def test_the_tags_are_those_that_people_filter_by() -> None:
    card = "\n".join(
        [
            "license: [mit, other]",
            "datasets: [mnist, a/b]",
            "language: [no, en]",
            "base_model: [a/b]",
            "base_model_relation: quantized",
            "tags: [x, x, en, ' y  z ']",
        ]
    )
    readme = f"---\n{card}\n---\nhttps://arxiv.org/abs/1512.03385, arxiv.org/pdf/1512.03385v2".encode()
    paths = ("a/b.safetensors", "pytorch_model-00001-of-00002.bin", "m.onnx", "training_args.bin")
    assert read_facts(paths, readme, json.dumps(TRANSFORMERS).encode(), {}).tags == (
        "transformers",
        "safetensors",
        "pytorch",
        "onnx",
        "resnet",
        "image-classification",
        "license:mit",
        "license:other",
        "base_model:a/b",
        "base_model:quantized:a/b",
        "x",
        "en",
        "y z",
        "dataset:mnist",
        "dataset:a/b",
        "no",
        "arxiv:1512.03385",
    )


@pytest.mark.parametrize("paths", [("training_args.bin",), ("safetensors",), ("a.safetensors/b.txt",), ()])
def test_other_files_are_no_weights(paths: tuple[str, ...]) -> None:
    assert facts(paths=paths).tags == ()


def test_tags_have_bounds() -> None:
    many = facts(f"license: mit\ntags: [{','.join(f't{n}' for n in range(9000))}]", TIMM).tags
    assert len(many) == MAX_TAGS
    assert {"timm", "safetensors", "license:mit", "t0"} <= set(many)
    assert facts(f"tags: [{'x' * 129}, {'y' * 128}]\ndatasets: {'z' * 121}", paths=()).tags == ("y" * 128,)


@pytest.mark.parametrize(
    "card",
    [
        "a: [",
        "- a",
        "tags: 5\nlicense: {a: b}\ndatasets: [[a], {b: c}, 3]\nlanguage: true\nbase_model: 1.5\nlibrary_name: [a]",
        "pipeline_tag: [x]\nbase_model_relation: {}\nmodel-index: {a: b}",
        'tags: ["a\\eb", "\\u202e", ""]\npipeline_tag: "a b"',
    ],
)
def test_a_card_that_makes_no_sense_counts_for_little(card: str) -> None:
    found = facts(card, TIMM)
    assert set(found.tags) <= {"timm", "safetensors", "image-classification", "a"}
    assert found.pipeline_tag == "image-classification"
    assert found.model_index == ()


@pytest.mark.parametrize(
    "config",
    [b"", b"{", b"\xff\xfe\xff", b"[" * 100_000, b'{"a":' * 100_000],
    ids=["empty", "torn", "no text", "deep", "deep objects"],
)
def test_a_config_that_makes_no_sense_counts_as_none(config: bytes) -> None:
    assert read_facts((), b"\xff\xfe", config, {}) == Facts()


def test_a_long_number_spoils_only_itself() -> None:
    config = b'{"backbone": "resnet18", "num_classes": ' + b"9" * 100_000 + b"}"
    assert read_facts((), None, config, {}).config == {"backbone": "resnet18"}


@pytest.mark.parametrize("value", [-1, True, False, 0.0, 1e300, "9", None, [1], 10**12])
def test_a_number_of_classes_is_one(value: Any) -> None:
    found = facts(config={"backbone": "resnet18", "num_classes": value})
    assert found.config == {"backbone": "resnet18"}
    assert found.pipeline_tag == ""


def test_of_the_config_only_known_fields_are_kept_and_short() -> None:
    config = {
        "architectures": [f"Net{n}" for n in range(100)] + [3],
        "model_type": ["a", "b"],
        "backbone": "x" * 1000,
        "id2label": {"0": "cat"},
        "num_classes": 0,
    }
    found = facts(config=config)
    assert found.config == {"architectures": [f"Net{n}" for n in range(8)], "num_classes": 0}
    assert found.tags == ("transformers", "safetensors")
