"""The model card, from config and measurements to text and back; pure, no files, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tars_hub import card_text
from tars_hub.config import ModelConfig

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How good a model was found to be.

    Attributes:
        accuracy: share of pictures whose first answer was right, 0..1.
        pictures: how many were asked.
        dataset: the name of the data folder.
        split: "val", "test" …
    """

    accuracy: float
    pictures: int
    dataset: str
    split: str


def write_card(
    config: ModelConfig,
    measured: Measured | None = None,
    *,
    base_model: str | None = None,
    metrics: Mapping[str, Any] | None = None,
    training: Mapping[str, str] | None = None,
    figures: Sequence[tuple[str, str]] = (),
) -> str:
    """The text of README.md: Hub metadata, what the model knows, how good it is, how it was made, how to use it.

    Args:
        metrics: what metrics.json holds; figures that are missing are left out.
        training: names and values, such as the recipe, the data and the command.
        figures: paths of images from the model folder, and what they show.
    """
    found = _NOTHING if metrics is None else metrics
    head = _metadata(config, measured, base_model, found)
    return f"---\n{head}---\n\n{_body(config, measured, found, training or {}, figures)}"


def read_measured(text: str) -> Measured | None:
    """The first accuracy of a card's `model-index`; None where a card, perhaps a stranger's, has none."""
    from huggingface_hub import ModelCard

    try:
        results = getattr(ModelCard(text, ignore_metadata_errors=True).data, "eval_results", None) or []
    except Exception:  # any text may stand there, and a card is never worth a failure
        return None
    for result in results:
        value = result.metric_value
        if result.metric_type == "accuracy" and type(value) in (int, float) and 0 <= value <= 1:
            count = (result.dataset_args or {}).get("pictures")
            return Measured(
                accuracy=float(value),
                pictures=count if type(count) is int and count > 0 else 0,
                dataset=str(result.dataset_name),
                split=str(result.dataset_split or ""),
            )
    return None


def _metadata(
    config: ModelConfig, measured: Measured | None, base_model: str | None, metrics: Mapping[str, Any]
) -> str:
    from huggingface_hub import ModelCardData

    facts: dict[str, Any] = {
        "library_name": "tars-hub",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "pytorch_model_hub_mixin", "tars-hub", "torchvision", config.backbone],
        "base_model": base_model,
    }
    if measured is not None:
        results = {"accuracy": ("Accuracy", measured.accuracy)}
        if type(f1 := metrics.get("f1")) is float:
            results["f1"] = ("F1 (macro)", f1)
        if config.num_classes > 5 and type(top5 := metrics.get("top5")) is float:
            results["top_5_accuracy"] = ("Top-5 accuracy", top5)
        facts["metrics"] = [kind for kind in results if kind != "top_5_accuracy"]  # the others are the Hub's own words
        facts["model_name"] = f"{config.backbone} for {config.num_classes} classes"
        facts["eval_results"] = [_result(measured, kind, *result) for kind, result in results.items()]
    return str(ModelCardData(**facts).to_yaml()) + "\n"


def _result(measured: Measured, kind: str, name: str, value: float) -> EvalResult:
    from huggingface_hub import EvalResult

    return EvalResult(
        task_type="image-classification",
        dataset_type="imagefolder",
        dataset_name=measured.dataset,
        dataset_split=measured.split,
        dataset_args={"pictures": measured.pictures},
        metric_type=kind,
        metric_name=name,
        metric_value=round(value, 6),
    )


def _body(
    config: ModelConfig,
    measured: Measured | None,
    metrics: Mapping[str, Any],
    training: Mapping[str, str],
    figures: Sequence[tuple[str, str]],
) -> str:
    sections = [
        f"# {config.backbone} for {config.num_classes} classes",
        f"An image classifier: torchvision's `{config.backbone}`, trained with Tars Hub.",
        "## What it knows",
        card_text.class_list(config.classes),
        card_text.declining(config.calibration, metrics),
        "## How good it is",
        _quality(measured, metrics),
        card_text.headline(metrics),
        card_text.unknown(metrics),
        *(card_text.figure(path, alt) for path, alt in figures),
        card_text.each_class(metrics),
        *(["## How it was made", card_text.training_table(training)] if training else []),
        "## Use it",
        _use(config),
    ]
    return "\n\n".join(filter(None, sections))


def _use(config: ModelConfig) -> str:
    preprocess = config.preprocess
    cut = {
        "center": f"shorter side to {preprocess.resize_size} px, centre {preprocess.crop_size} px cut out",
        "squash": f"squashed to {preprocess.crop_size} px",
        "pad": f"longer side to {preprocess.crop_size} px, borders filled",
    }[preprocess.crop]
    return f"""```python
from tars_hub import Predictor

predictor = Predictor.from_pretrained("path/to/this/folder")  # or its repository id
answer = predictor("picture.jpg")
print(answer.label, answer.probability)
```

Pictures are turned upright, read as RGB, {cut}, and scaled by mean {_numbers(preprocess.mean)} and deviation
{_numbers(preprocess.std)}. `model.safetensors` holds torchvision's own tensor names.
"""


def _quality(measured: Measured | None, metrics: Mapping[str, Any]) -> str:
    if measured is None:
        count = metrics.get("pictures")
        return f"Measured by {count:,} pictures." if type(count) is int else "Nobody has measured it yet."
    chosen = " These pictures also chose the epoch that was kept." if measured.split == "val" else ""
    return (
        f"{measured.accuracy:.1%} of {measured.pictures:,} pictures of {card_text.code(measured.dataset)} "
        f"({measured.split}) were given their right class.{chosen}"
    )


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
