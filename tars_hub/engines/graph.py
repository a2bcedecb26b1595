"""A classifier as a graph that others run: uint8 pictures in, logits and probabilities out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from tars_hub.engines.onnx import LOGITS, PICTURES, PROBABILITIES
from tars_hub.engines.silence import silently
from tars_hub.errors import ModelError
from tars_hub.model import TarsClassifier


class Answering(nn.Module):
    """A network with all that stands between a prepared picture and its probabilities.

    Shape: (N, S, S, 3) uint8 RGB to (N, C) logits and (N, C) probabilities, float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: TarsClassifier) -> None:
        super().__init__()
        self.backbone = model.backbone
        self.temperature = model.config.calibration.temperature
        prepare = model.config.preprocess
        self.register_buffer("mean", torch.tensor(prepare.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(prepare.std).view(3, 1, 1), persistent=False)
        self.eval()

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Scales as `preprocess.to_tensor` does."""
        planes = pictures.permute(0, 3, 1, 2).float().div(255).sub(self.mean).div(self.std)
        logits = self.backbone(planes)
        return logits, (logits / self.temperature).softmax(1)


def example(model: TarsClassifier) -> Tensor:
    """(2, S, S, 3) uint8: what the network is traced with. Two, because one would count as a fixed number."""
    side = model.config.preprocess.crop_size
    return torch.zeros((2, side, side, 3), dtype=torch.uint8)


def exported(model: TarsClassifier) -> torch.export.ExportedProgram:
    """The network as torch.export sees it, for any number of pictures.

    Raises:
        ModelError: it cannot be traced.
    """
    with silently(f"{model.config.backbone} cannot be exported"):
        pictures = {0: torch.export.Dim("pictures")}
        return torch.export.export(Answering(model), (example(model),), dynamic_shapes=(pictures,))


def write_onnx(model: TarsClassifier, path: Path, *, apart: bool = False) -> None:
    """Write the graph: input `pictures`, outputs `logits` and `probabilities`.

    Args:
        apart: numbers go into a file of their own beside it, as they must above 2 GB.

    Raises:
        ModelError: it cannot be exported.
    """
    program = exported(model)
    with silently(f"{model.config.backbone} cannot be exported"):
        made = torch.onnx.export(
            program, input_names=[PICTURES], output_names=[LOGITS, PROBABILITIES], dynamo=True, verbose=False
        )
        if made is None:
            raise ModelError("torch.onnx gives no graph")
        made.save(path, external_data=apart)
