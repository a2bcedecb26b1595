"""One door for whatever people hold: a model folder, a repository id, or an old .pth file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tars_hub.legacy import import_checkpoint
from tars_hub.model import TarsClassifier
from tars_hub.remote import ModelSource


def from_pretrained(source: ModelSource, **options: Any) -> TarsClassifier:  # noqa: ANN401  # handed on
    """Load a classifier in eval mode.

    Args:
        source: a model folder, a repository id, or a checkpoint file (.pth, .pt, .safetensors).
        options: as in `TarsClassifier.from_pretrained`; of these a checkpoint file takes `device` alone.

    Raises:
        ModelError, DownloadError: as `TarsClassifier.from_pretrained` and `legacy.import_checkpoint`.
    """
    if Path(source).is_file():
        model = import_checkpoint(Path(source)).model
        device = options.get("device")
        return model if device is None else model.to(device)
    return TarsClassifier.from_pretrained(source, **options)
