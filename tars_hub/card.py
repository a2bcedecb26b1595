"""The model card, from config and measurements to text and back; pure, no files, no network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tars_hub.config import ModelConfig

_CLASSES_SHOWN = 100


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


def write_card(config: ModelConfig, measured: Measured | None = None, *, base_model: str | None = None) -> str:
    """The text of README.md: Hub metadata, what the model knows, how good it is, how to use it."""
    return f"---\n{_metadata(config, measured, base_model)}---\n\n{_body(config, measured)}"


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


def _metadata(config: ModelConfig, measured: Measured | None, base_model: str | None) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    facts: dict[str, Any] = {
        "library_name": "tars-hub",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "pytorch_model_hub_mixin", "tars-hub", "torchvision", config.backbone],
        "base_model": base_model,
    }
    if measured is not None:
        facts["metrics"] = ["accuracy"]
        facts["model_name"] = f"{config.backbone} for {config.num_classes} classes"
        facts["eval_results"] = [
            EvalResult(
                task_type="image-classification",
                dataset_type="imagefolder",
                dataset_name=measured.dataset,
                dataset_split=measured.split,
                dataset_args={"pictures": measured.pictures},
                metric_type="accuracy",
                metric_value=round(measured.accuracy, 6),
            )
        ]
    return str(ModelCardData(**facts).to_yaml()) + "\n"


def _body(config: ModelConfig, measured: Measured | None) -> str:
    preprocess = config.preprocess
    cut = {
        "center": f"shorter side to {preprocess.resize_size} px, centre {preprocess.crop_size} px cut out",
        "squash": f"squashed to {preprocess.crop_size} px",
        "pad": f"longer side to {preprocess.crop_size} px, borders filled",
    }[preprocess.crop]
    return f"""# {config.backbone} for {config.num_classes} classes

An image classifier: torchvision's `{config.backbone}`, trained with Tars Hub.

## What it knows

{_class_list(config.classes)}

It answers with one of these for every picture, also for a picture of something else.

## How good it is

{_quality(measured)}

## Use it

```python
from tars_hub import Predictor

predictor = Predictor.from_pretrained("path/to/this/folder")  # or its repository id
answer = predictor("picture.jpg")
print(answer.label, answer.probability)
```

Pictures are turned upright, read as RGB, {cut}, and scaled by mean {_numbers(preprocess.mean)} and deviation
{_numbers(preprocess.std)}. `model.safetensors` holds torchvision's own tensor names.
"""


def _class_list(classes: Sequence[str]) -> str:
    shown = ", ".join(_code(name) for name in classes[:_CLASSES_SHOWN])
    more = len(classes) - _CLASSES_SHOWN
    return f"{len(classes)} classes: {shown}" + (f" and {more} more, listed in config.json." if more > 0 else ".")


def _quality(measured: Measured | None) -> str:
    if measured is None:
        return "Nobody has measured it yet."
    chosen = " These pictures also chose the epoch that was kept." if measured.split == "val" else ""
    return (
        f"{measured.accuracy:.1%} of {measured.pictures:,} pictures of {_code(measured.dataset)} "
        f"({measured.split}) were given their right class.{chosen}"
    )


def _code(text: str) -> str:
    """As code in Markdown: a folder's name stays text, whatever it holds."""
    flat = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    return f"{fence} {flat} {fence}" if "`" in flat else f"`{flat}`"


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
