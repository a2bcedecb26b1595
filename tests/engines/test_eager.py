"""torch as an engine. No GPU is at hand: what a GPU does in 16 bits is tried on the processor, which can too."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from tars_hub.engines.eager import TorchEngine
from tars_hub.engines.parity import HALF, check_pictures, compare_logits
from tars_hub.model import TarsClassifier


def test_sixteen_bits_answer_nearly_the_same_and_leave_the_model_alone(folder: Path) -> None:
    model = TarsClassifier.from_pretrained(folder)
    engine = TorchEngine(model, "cpu")
    pictures = check_pictures(model.config.preprocess)
    exact, before = engine.logits(pictures), engine.memory_bytes
    engine._halve(model)
    found = engine.logits(pictures)
    assert found.dtype == np.float32
    assert np.abs(found - exact).max() > 0
    assert compare_logits(exact, found, 0.5).within(HALF)
    assert {tensor.dtype for tensor in model.backbone.parameters()} == {torch.float32}
    assert np.array_equal(TorchEngine(model, "cpu").logits(pictures), exact)
    assert before == sum(tensor.numel() * 4 for tensor in model.parameters()) + 6 * 4


def test_a_network_whose_numbers_leave_the_range_of_16_bits_keeps_32(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = TarsClassifier.from_pretrained(folder)
    with torch.no_grad():
        model.backbone.features[0].weight *= 1e6
        model.backbone.classifier[1].weight *= 1e-6
    engine = TorchEngine(model, "cpu")
    pictures = check_pictures(model.config.preprocess)
    exact = engine.logits(pictures)
    with caplog.at_level(logging.WARNING):
        engine._halve(model)
    assert np.array_equal(engine.logits(pictures), exact)
    assert "squeezenet1_1 answers with 32 bits" in caplog.text
