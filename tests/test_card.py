"""The model card says what the model knows, and its measurements can be read back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from huggingface_hub import ModelCard

import tars_hub
from tars_hub.card import Measured, read_measured, write_card
from tars_hub.config import ModelConfig, Preprocess

CONFIG = ModelConfig(backbone="resnet18", classes=("cat", "dog"))
MEASURED = Measured(accuracy=0.987654, pictures=1797, dataset="digits", split="val")


def metadata(text: str) -> dict[str, object]:
    """The YAML between the first two lines of dashes, read without huggingface_hub."""
    start, front, _ = text.split("---\n", 2)
    assert start == ""
    found: dict[str, object] = yaml.safe_load(front)
    return found


def body(text: str) -> str:
    return text.split("---\n", 2)[2]


def test_the_metadata_is_what_hubs_search_by() -> None:
    found = metadata(write_card(CONFIG, base_model="timm/resnet18"))
    assert found["library_name"] == "tars-hub"
    assert found["pipeline_tag"] == "image-classification"
    assert {"image-classification", "torchvision", "resnet18"} <= set(found["tags"])  # type: ignore[call-overload]
    assert found["base_model"] == "timm/resnet18"
    assert "model-index" not in found


def test_nothing_empty_is_written() -> None:
    assert None not in metadata(write_card(CONFIG)).values()
    assert "base_model" not in metadata(write_card(CONFIG))


@pytest.mark.parametrize(
    "measured",
    [
        MEASURED,
        Measured(accuracy=0.0, pictures=1, dataset="d", split="test"),
        Measured(accuracy=1.0, pictures=10**7, dataset="d", split="val"),
        Measured(accuracy=0.5, pictures=3, dataset='no: it\'s "odd"\n---\n# x', split="val"),
        Measured(accuracy=0.5, pictures=3, dataset="12", split="true"),
        Measured(accuracy=0.5, pictures=3, dataset="Füchse 🦊", split="val"),
    ],
    ids=lambda measured: measured.dataset[:6],
)
def test_measurements_are_read_back_as_they_were(measured: Measured) -> None:
    assert read_measured(write_card(CONFIG, measured)) == measured


def test_measurements_are_what_hubs_show() -> None:
    text = write_card(CONFIG, MEASURED)
    found = ModelCard(text).data.eval_results
    assert found is not None
    assert [(each.task_type, each.metric_type, each.metric_value) for each in found] == [
        ("image-classification", "accuracy", 0.987654)
    ]
    assert metadata(text)["metrics"] == ["accuracy"]
    assert "98.8% of 1,797 pictures of `digits` (val)" in body(text)
    assert "also chose the epoch" in body(text)
    assert "also chose the epoch" not in body(write_card(CONFIG, replace(MEASURED, split="test")))


def test_a_card_without_measurements_says_so() -> None:
    text = write_card(CONFIG)
    assert "Nobody has measured it yet" in text
    assert read_measured(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# Only a heading",
        "---\n---\n",
        "---\n: : :\n---\n",
        "---\n[1, 2]\n---\n",
        "---\nmodel-index: 5\n---\n",
        "---\nmodel-index:\n- name: x\n  results: 5\n---\n",
        "---\nmodel-index:\n- name: x\n---\n",
        "---\n!!python/object/apply:os.system ['true']\n---\n",
        "---\na: &a [*a]\n---\n",
        "\0" * 100,
        "---\n" + "[" * 5000,
        write_card(CONFIG, MEASURED).replace("0.987654", "'much'"),
        write_card(CONFIG, MEASURED).replace("0.987654", "98.7654"),
        write_card(CONFIG, MEASURED).replace("0.987654", ".nan"),
        write_card(CONFIG, MEASURED).replace("0.987654", "true"),
        write_card(CONFIG, MEASURED).replace("type: accuracy", "type: f1"),
    ],
    ids=lambda text: repr(text)[:20],
)
def test_a_strangers_card_is_never_worth_a_failure(text: str) -> None:
    assert read_measured(text) is None


def test_a_strangers_accuracy_without_a_count_of_pictures() -> None:
    found = read_measured(write_card(CONFIG, MEASURED).replace("pictures: 1797", "pictures: many"))
    assert found == replace(MEASURED, pictures=0)


def test_classes_are_listed_and_many_are_cut() -> None:
    assert "2 classes: `cat`, `dog`." in write_card(CONFIG)
    text = write_card(replace(CONFIG, classes=tuple(f"class {index}" for index in range(150))))
    assert "150 classes:" in text
    assert "`class 99` and 50 more, listed in config.json." in text
    assert "`class 100`" not in text


@pytest.mark.parametrize("name", ["a`b", "``", "a\nb", "# x", "<script>alert(1)</script>", "[x](y)", "`", "a``b`"])
def test_a_class_name_stays_text_in_markdown(name: str) -> None:
    line = next(
        line for line in body(write_card(replace(CONFIG, classes=(name, "z")))).splitlines() if "2 classes:" in line
    )
    code = line.removeprefix("2 classes: ").removesuffix(", `z`.")
    fence = code[: len(code) - len(code.lstrip("`"))]
    assert fence
    inner = code.removeprefix(fence).removesuffix(fence)
    assert inner.strip() == " ".join(name.split())
    assert fence not in inner.replace(fence + "`", "")  # a run of the fence's own length would end it


@pytest.mark.parametrize(
    ("crop", "words"), [("center", "centre 64 px cut out"), ("squash", "squashed"), ("pad", "borders")]
)
def test_the_card_says_how_pictures_are_prepared(crop: str, words: str) -> None:
    prepared = Preprocess(crop_size=64, resize_size=72, crop=crop)  # type: ignore[arg-type]
    assert words in write_card(replace(CONFIG, preprocess=prepared))


def test_the_example_names_what_the_package_has() -> None:
    code = write_card(CONFIG).split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")
    assert "from tars_hub import Predictor" in code
    assert "Predictor" in tars_hub.__all__
