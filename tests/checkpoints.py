"""Checkpoint files for the tests that read them: what the tensors are, and the one line of a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tars_hub.checkpoint import Checkpoint, open_checkpoint
from tars_hub.errors import ModelError

STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "fc.weight": torch.ones(2, 2), "fc.bias": torch.zeros(2)}


def assert_holds(found: Checkpoint, tensors: dict[str, Tensor] = STATE) -> None:
    assert found.tensors.keys() == tensors.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in tensors.items())


def refusal(path: Path, kind: type[ModelError]) -> str:
    """The one line with which the file is refused."""
    with pytest.raises(kind) as caught:
        open_checkpoint(path)
    message = str(caught.value)
    assert type(caught.value) is kind
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < len(str(path)) + 500
    return message
