"""torch, as the network was trained; on a GPU in half precision, where that answers the same."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tars_hub.engines.engine import EngineName
from tars_hub.engines.graph import Answering
from tars_hub.engines.parity import HALF, check_pictures, compare_logits
from tars_hub.memory import memory_of
from tars_hub.model import TarsClassifier
from tars_hub.samples import Pixels

_log = logging.getLogger(__name__)


class TorchEngine:
    """torch's own kernels around a classifier; see `engine.Engine`."""

    name: EngineName = "torch"
    callers = 1  # its own threads are enough for all cores
    together = 16

    def __init__(self, model: TarsClassifier, device: str, *, half: bool = True) -> None:
        """
        Args:
            model: moved to the device, into eval mode and the layout of memory that suits convolutions.
            half: a GPU may answer with 16 bits.
        """
        self.device = device
        answering = Answering(model.eval()).to(torch.device(device))
        self._answering = answering.to(memory_format=torch.channels_last)  # as the pictures lie: rows of colours
        self.memory_bytes = memory_of(answering)
        if half and torch.device(device).type == "cuda":
            self._halve(model)

    @torch.inference_mode()
    def logits(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Prepared (S, S, 3) uint8 pictures to (N, C) logits, in one batch."""
        logits, _ = self._answering(torch.from_numpy(np.stack(pictures)).to(self.device))
        found: NDArray[np.float32] = logits.float().cpu().numpy()
        return found

    def _halve(self, model: TarsClassifier) -> None:
        """Answer with a copy in 16 bits, unless its answers are others: some networks' numbers leave their range."""
        pictures = check_pictures(model.config.preprocess)
        expected = self.logits(pictures)
        self._answering.backbone = _Half(model.backbone)
        parity = compare_logits(expected, self.logits(pictures), model.config.calibration.temperature)
        if parity.within(HALF):
            self.memory_bytes += memory_of(self._answering)
        else:
            self._answering.backbone = model.backbone
            _log.warning("%s answers with 32 bits: with 16, %s", model.config.backbone, parity)


class _Half(nn.Module):
    """A copy of a network in 16 bits, for pictures and logits in 32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).half()

    def forward(self, planes: Tensor) -> Tensor:
        logits: Tensor = self.network(planes.half())
        return logits.float()
