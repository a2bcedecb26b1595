"""The model card says what the model knows, and its measurements can be read back."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard

import tars_hub
from tars_hub.card import Measured, read_measured, write_card
from tars_hub.config import Calibration, ModelConfig, Preprocess
from tars_hub.evaluation import Evaluated
from tars_hub.metrics import measure

CONFIG = ModelConfig(backbone="resnet18", classes=("cat", "dog"))
CALIBRATED = replace(CONFIG, calibration=Calibration(temperature=1.3, threshold=0.6149, error=0.05))
HOSTILE = [
    "a`b",
    "``",
    "a|b",
    "`|`",
    "a\nb",
    "# x",
    "<script>alert(1)</script>",
    "[x](y)",
    "![x](y)",
    "a | b | c",
    "$x$",
]
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


def metrics_of(classes: tuple[str, ...], calibration: Calibration | None = None) -> dict[str, Any]:
    """What metrics.json holds of a model that is right four times in five."""
    labels = np.arange(200) % len(classes)
    logits = np.random.default_rng(0).normal(0, 1, (200, len(classes))).astype(np.float32)
    logits[np.arange(200), np.where(np.arange(200) % 5 > 0, labels, 0)] += 4
    files = tuple(map(str, range(200)))
    found = Evaluated(classes=classes, files=files, labels=labels, logits=logits)
    return measure(found, calibration or Calibration(), fitted_here=False).to_dict()


def test_figures_stand_in_a_table_with_their_intervals() -> None:
    metrics = metrics_of(CONFIG.classes)
    text = body(write_card(CONFIG, MEASURED, metrics=metrics))
    low, high = metrics["top1_interval"]
    assert f"| Top-1 accuracy | {metrics['top1']:.1%} | {low:.1%} to {high:.1%} |" in text
    assert f"| F1 (mean over classes) | {metrics['f1']:.1%} |" in text
    assert f"| Loss (negative log-likelihood) | {metrics['loss']:.4f} |" in text
    assert "Top-5" not in write_card(CONFIG, MEASURED, metrics=metrics)  # of two classes it says nothing
    assert "also chose the epoch" in text
    cat = metrics["per_class"]["cat"]
    assert f"| `cat` | {cat['precision']:.1%} | {cat['recall']:.1%} | {cat['f1']:.1%} | 100 |" in text


def test_hubs_see_f1_and_top5_beside_the_accuracy() -> None:
    config = replace(CONFIG, classes=tuple("abcdefg"))
    metrics = metrics_of(config.classes)
    text = write_card(config, MEASURED, metrics=metrics)
    found = ModelCard(text).data.eval_results
    assert found is not None
    assert [(each.metric_type, each.metric_value) for each in found] == [
        ("accuracy", 0.987654),
        ("f1", round(metrics["f1"], 6)),
        ("top_5_accuracy", round(metrics["top5"], 6)),
    ]
    assert read_measured(text) == MEASURED
    assert metadata(text)["metrics"] == ["accuracy", "f1"]
    assert "datasets" not in metadata(text)
    assert "Top-5 accuracy" in body(text)


def test_many_classes_are_not_tabled() -> None:
    config = replace(CONFIG, classes=tuple(f"class {index}" for index in range(101)))
    text = body(write_card(config, metrics=metrics_of(config.classes)))
    assert "| `class 3` |" not in text
    assert "each of the 101 classes are in metrics.json" in text


def test_the_card_says_when_the_model_declines() -> None:
    metrics = metrics_of(CONFIG.classes, CALIBRATED.calibration)
    text = body(write_card(CALIBRATED, MEASURED, metrics=metrics))
    assert 'It declines ("not sure") below 61.4%: then at most about 5% of its answers are wrong' in text
    assert f"it answered {metrics['answered']:.1%}, {metrics['error_when_answered']:.1%} of them wrongly." in text
    assert "for every picture" not in text
    assert "for every picture" in body(write_card(CONFIG, MEASURED))
    nearly = replace(CALIBRATED, calibration=Calibration(threshold=0.99996, error=0.05))
    assert "below 99.9%" in body(write_card(nearly))


def test_pictures_of_no_known_class_are_reported() -> None:
    asked = {"pictures": 1200, "declined": 0.83, "declined_interval": [0.75, 0.89], "auroc": 0.971}
    text = body(write_card(CALIBRATED, metrics=metrics_of(CONFIG.classes) | {"unknown": asked}))
    assert "1,200 pictures of none of its classes. It declined 83.0% of them (75.0% to 89.0%)." in text
    assert "97.1% of pairs" in text
    never = asked | {"declined": None, "declined_interval": None}
    assert "It declined" not in body(write_card(CONFIG, metrics={"unknown": never}))


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"top1": None, "f1": "much", "loss": float("nan"), "per_class": None, "unknown": 5},
        {"top1": 0.5, "top1_interval": None, "epoch": 3, "split": "val", "pictures": 9},
    ],
)
def test_figures_that_are_missing_are_left_out(metrics: dict[str, Any]) -> None:
    text = write_card(CALIBRATED, MEASURED, metrics=metrics)
    assert read_measured(text) == MEASURED
    assert "None" not in body(text)
    assert "nan" not in body(text)


def test_how_it_was_made_and_its_figures() -> None:
    text = body(
        write_card(
            CONFIG,
            training={"Command": "python -m train --data a|b", "Epochs": "20", "Note": ""},
            figures=[("training/curves.png", "Loss and [accuracy]"), ("training/a b.png", "x")],
        )
    )
    assert "## How it was made" in text
    assert "| Epochs | `20` |" in text
    assert "| Command | python -m train --data a&#124;b |" in text
    assert "![Loss and &#91;accuracy&#93;](training/curves.png)" in text
    assert "![x](training/a%20b.png)" in text
    assert "How it was made" not in body(write_card(CONFIG))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_strangers_words_stay_text_in_tables(name: str) -> None:
    config = replace(CONFIG, classes=(name, "z"))
    text = body(write_card(config, MEASURED, metrics=metrics_of(config.classes), training={"Classes": name}))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows} == {6, 4, 3}  # classes, figures, how it was made
    outside = re.sub(r"(`+) ?.*?[^`] ?\1(?!`)", "", "\n".join(rows))
    assert "<" not in outside
    assert "](" not in outside
    assert "$" not in outside
    assert not [line for line in text.splitlines() if line.startswith("# x")]


def test_sections_stand_in_paragraphs_of_their_own() -> None:
    text = body(write_card(CALIBRATED, MEASURED, metrics=metrics_of(CONFIG.classes), training={"a": "b"}))
    for line, following in zip(text.splitlines(), text.splitlines()[1:], strict=False):
        assert not line.startswith("#") or following == "" or "code" in line
    assert "\n\n\n" not in text
    assert text.endswith("tensor names.\n")
