"""The models that prediction is measured with, and the same networks as others keep them.

    python benchmarks/models.py DATA MODELS

    MODELS/resnet50              ours, trained on DATA (benchmarks/data.py): an hour on two cores
    MODELS/mobilenet_v3_small    ours, with random weights, which takes as long to answer; so is vit_b_16
    MODELS/NAME.timm             as timm keeps it; MODELS/NAME.transformers as transformers does, with its own code
    MODELS/NAME.onnx             the bare graph: uint8 pictures in, probabilities out

What is there already stays as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # instead of this folder
CLASSES = 10
_LABELS = [f"class {number}" for number in range(CLASSES)]
TRAINED = "resnet50"


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network by the names that others have for it.

    Attributes:
        transformers: its class there and that of its preparation of pictures; None: through timm, as it has none.
    """

    timm: str
    transformers: tuple[str, str] | None = None


NETWORKS = {
    "resnet50": Network(timm="resnet50", transformers=("ResNet", "ConvNextImageProcessor")),
    "mobilenet_v3_small": Network(timm="mobilenetv3_small_100"),
    "vit_b_16": Network(timm="vit_base_patch16_224", transformers=("ViT", "ViTImageProcessor")),
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One run of the trainer, which goes on from the last one's weights."""

    img_size: int
    epochs: int
    more: tuple[str, ...] = ()


# Small pictures first: the shapes are learned at a tenth of the price.
STAGES = (
    Stage(img_size=64, epochs=10, more=("--lr", "0.002", "--augment", "light")),
    Stage(img_size=112, epochs=2, more=("--lr", "0.001", "--augment", "none", "--head-first")),
    Stage(img_size=224, epochs=1, more=("--lr", "0.0005", "--augment", "none", "--head-first")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("models", type=Path, metavar="MODELS")
    given = parser.parse_args()
    for name in NETWORKS:
        prepare(given.models, name, train_on=given.data)


def prepare(models: Path, name: str, *, train_on: Path | None) -> None:
    """Make what is missing of one network; `train_on` is where the pictures are, None for random weights."""
    models.mkdir(parents=True, exist_ok=True)
    learned = name == TRAINED and train_on is not None
    made: dict[str, Callable[[Path], None]] = {
        name: (lambda to: train(to, train_on)) if learned else (lambda to: _ours(to, name)),
        f"{name}.timm": lambda to: _timm(to, NETWORKS[name]),
        f"{name}.transformers": lambda to: _transformers(to, name),
        f"{name}.onnx": lambda to: _graph(to, models / name),
    }
    for file, make in made.items():
        if not (models / file).exists():
            print(f"making {models / file}", file=sys.stderr, flush=True)
            _whole(models / file, make)


def _whole(path: Path, make: Callable[[Path], None]) -> None:
    """A half made thing never stands under its name."""
    half = path.with_name(f"{path.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    half.unlink(missing_ok=True)
    make(half)
    half.rename(path)


def train(folder: Path, data: Path) -> None:
    """A ResNet-50 that knows the benchmark's pictures, by our own trainer, from random weights."""
    weights = "none"
    for number, stage in enumerate(STAGES):
        output = folder if stage is STAGES[-1] else folder.with_name(f"{folder.name}.{number}")
        command = [sys.executable, "-m", "train", "--data", data, "--model", TRAINED, "--weights", weights]
        command += ["--img-size", str(stage.img_size), "--epochs", str(stage.epochs), "--batch-size", "32"]
        command += ["--recipe", "scratch", *stage.more, "--output", output, "--overwrite"]
        subprocess.run(list(map(str, command)), check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
        if number:
            shutil.rmtree(weights)
        weights = str(output)


def _ours(folder: Path, name: str) -> None:
    from tars_hub import TarsClassifier

    TarsClassifier.create(name, _LABELS).save_pretrained(folder)


def _timm(folder: Path, network: Network) -> None:
    import timm
    from timm.models import save_for_hf

    model = timm.create_model(network.timm, num_classes=CLASSES, pretrained_cfg_overlay={"crop_pct": 0.875})
    save_for_hf(model, str(folder), model_config={"label_names": _LABELS}, safe_serialization=True)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.pop("model_args", None)  # transformers would give them twice
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def _transformers(folder: Path, name: str) -> None:
    """Its own network where it has one; a link to timm's folder, which it reads, where it has none."""
    import transformers

    own = NETWORKS[name].transformers
    if own is None:
        folder.symlink_to(f"{name}.timm")
        return
    family, processor = own
    config = getattr(transformers, f"{family}Config")(num_labels=CLASSES)
    getattr(transformers, f"{family}ForImageClassification")(config).save_pretrained(folder)
    size: Any = {"crop_pct": 0.875, "size": {"shortest_edge": 224}} if family == "ResNet" else {}
    getattr(transformers, processor)(**size).save_pretrained(folder)


def _graph(path: Path, folder: Path) -> None:
    """(N, S, S, 3) uint8 to (N, C) probabilities, with nothing of ours but the weights."""
    import torch

    from tars_hub import TarsClassifier

    model = TarsClassifier.from_pretrained(folder).eval()
    prepared = model.config.preprocess
    mean, std = (255 * torch.tensor(numbers).view(3, 1, 1) for numbers in (prepared.mean, prepared.std))

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = model.backbone

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            planes = (pictures.permute(0, 3, 1, 2).float() - mean) / std
            logits: torch.Tensor = self.network(planes)
            return logits.softmax(1)

    side = prepared.crop_size
    example = torch.zeros((2, side, side, 3), dtype=torch.uint8)
    shapes = ({0: torch.export.Dim("pictures")},)
    torch.onnx.export(
        Graph().eval(), (example,), path, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False
    )


if __name__ == "__main__":
    main()
