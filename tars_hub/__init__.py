"""Tars Hub: train, keep and show image classifiers on your own machines.

Public names are resolved on first use (PEP 562), so that `import tars_hub` costs nothing and parts
that need no torch start without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tars_hub.version import VERSION as __version__  # noqa: N811  # the name every package has

if TYPE_CHECKING:
    from tars_hub.config import ModelConfig, Preprocess
    from tars_hub.errors import TarsError
    from tars_hub.loading import from_pretrained
    from tars_hub.model import TarsClassifier
    from tars_hub.predict import Prediction, Predictor

_HOMES = {
    "ModelConfig": "tars_hub.config",
    "Prediction": "tars_hub.predict",
    "Predictor": "tars_hub.predict",
    "Preprocess": "tars_hub.config",
    "TarsClassifier": "tars_hub.model",
    "TarsError": "tars_hub.errors",
    "from_pretrained": "tars_hub.loading",
}

__all__ = [
    "ModelConfig",
    "Prediction",
    "Predictor",
    "Preprocess",
    "TarsClassifier",
    "TarsError",
    "__version__",
    "from_pretrained",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  # PEP 562: any public object
    if name not in _HOMES:
        raise AttributeError(f"module 'tars_hub' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
