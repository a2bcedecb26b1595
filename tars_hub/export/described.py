"""export.json and README.md: what lies in the folder, and how somebody without this library runs it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tars_hub.config import ModelConfig
from tars_hub.engines.onnx import LOGITS, PICTURES, PROBABILITIES
from tars_hub.engines.parity import Parity
from tars_hub.export import preparing

if TYPE_CHECKING:
    from tars_hub.export.cost import Cost
    from tars_hub.export.formats import Format

FORMAT_VERSION = 1

_NEEDS = {
    "onnx": "onnxruntime opencv-python",
    "torch-export": "torch torchvision opencv-python",
    "openvino": "openvino opencv-python",
}
_IMPORTS = {
    "onnx": "import numpy as np\nimport onnxruntime",
    "torch-export": "import numpy as np\nimport torch",
    "openvino": "import numpy as np\nimport openvino",
}
_RUNS = {
    "onnx": """\
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
logits, probabilities = session.run(None, {"pictures": pictures})""",
    "torch-export": """\
program = torch.export.load("model.pt2").module()
with torch.inference_mode():
    logits, probabilities = (each.numpy() for each in program(torch.from_numpy(pictures)))""",
    "openvino": """\
exact = {"INFERENCE_PRECISION_HINT": "f32"}  # without it, some processors compute with 16 bits
answers = openvino.Core().compile_model("model.xml", "CPU", exact)([pictures])
probabilities = answers["probabilities"]""",
}


def facts(
    config: ModelConfig,
    form: Format,
    *,
    parity: Parity,
    bound: float,
    cost: Cost | None,
    made_with: Mapping[str, str],
) -> dict[str, Any]:
    """The JSON object of export.json."""
    side, classes = config.preprocess.crop_size, config.num_classes
    return {
        "format_version": FORMAT_VERSION,
        "format": form.name,
        "file": form.file,
        "backbone": config.backbone,
        "numbers": "float32" if cost is None else "int8",
        "made_with": dict(made_with),
        "inputs": [{"name": PICTURES, "shape": ["N", side, side, 3], "dtype": "uint8"}],
        "outputs": [
            {"name": LOGITS, "shape": ["N", classes], "dtype": "float32"},
            {"name": PROBABILITIES, "shape": ["N", classes], "dtype": "float32"},
        ],
        "labels": "id2label of config.json; its keys are the positions in the outputs",
        "temperature": config.calibration.temperature,
        "threshold": config.calibration.threshold,
        "preparation": preparing.numbers(config.preprocess),
        "parity": parity.to_dict() | {"bound": bound},
        "int8": None if cost is None else cost.to_dict(),
    }


def readme(config: ModelConfig, form: Format, *, parity: Parity, cost: Cost | None) -> str:
    """The text of README.md."""
    side, classes = config.preprocess.crop_size, config.num_classes
    sections = [
        f"# {config.backbone} for {classes} classes, as {form.name}",
        (
            f"`{form.file}` takes `{PICTURES}`, (N, {side}, {side}, 3) uint8, and gives `{LOGITS}` and "
            f"`{PROBABILITIES}`, (N, {classes}) float32; scaling, softmax and temperature are inside. "
            "`config.json` names the classes."
        ),
        "## Before it",
        "\n".join(f"{number}. {step}" for number, step in enumerate(preparing.steps(config.preprocess), 1)),
        "## Run it",
        f"    pip install {_NEEDS[form.name]}",
        f"```python\n{code(config, form)}\n```",
        _declining(config),
        "## How near it is",
        f"To the model it was made from: {parity}." if cost is None else f"{cost}.\n\n{_WARNING}",
        "`export.json` holds all of this for programs.",
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


_WARNING = (
    "Measured on the machine that made it. A processor without instructions for 8-bit numbers (VNNI, or dotprod on "
    "ARM) may gain no speed, and an older x86 one may lose accuracy."
)


def code(config: ModelConfig, form: Format) -> str:
    """The lines of Python that README.md shows: in the folder they answer about picture.jpg."""
    return "\n".join(
        [
            "import json",
            "",
            "import cv2",
            _IMPORTS[form.name],
            "",
            "",
            preparing.lines(config.preprocess),
            "",
            "",
            'pictures = np.stack([prepare("picture.jpg")])',
            _RUNS[form.name],
            'labels = json.load(open("config.json", encoding="utf-8"))["id2label"]',
            "best = int(probabilities[0].argmax())",
            "print(labels[str(best)], probabilities[0, best])",
        ]
    )


def _declining(config: ModelConfig) -> str:
    threshold = config.calibration.threshold
    return "" if threshold is None else f"An answer less probable than {threshold:g} means: not sure."
