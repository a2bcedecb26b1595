"""Which engine answers: ONNX Runtime on the processor, torch on a GPU, and torch where ONNX Runtime cannot."""

from __future__ import annotations

import ctypes.util
import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tars_hub.config import CONFIG_NAME, WEIGHTS_NAME, ModelConfig, read_card
from tars_hub.engines.engine import Engine
from tars_hub.engines.exported import is_export, load_export
from tars_hub.engines.settings import Settings, checked_engine
from tars_hub.errors import ModelError, UsageError
from tars_hub.files import read_together

if TYPE_CHECKING:
    from tars_hub.model import TarsClassifier

_log = logging.getLogger(__name__)
_SIGNS_OF_A_GPU = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA's driver, the same below Windows, and AMD's


@dataclass(frozen=True)
class Chosen:
    """A model with the engine that answers for it.

    Attributes:
        card: the text of README.md; None where there is none.
        load: gives the model itself, with torch. Raises a ModelError where its files are not what they were.
    """

    engine: Engine
    config: ModelConfig
    card: str | None
    load: Callable[[], TarsClassifier]


def for_model(model: TarsClassifier, device: str | None, *, half: bool = True) -> Chosen:
    """torch, for a model in memory: nobody knows which weights it will have tomorrow."""
    from tars_hub.engines.eager import TorchEngine

    return Chosen(TorchEngine(model, device or _best_device(), half=half), model.config, model.card, lambda: model)


def for_folder(folder: Path, *, device: str | None = None, engine: str | None = None, half: bool = True) -> Chosen:
    """The best engine for a model folder on this machine, or the one that is named.

    Where ONNX Runtime has no graph of this model yet, it is exported now, which takes some seconds once.

    Raises:
        UsageError: no such engine, or it does not run on that device.
        ConfigError, WeightsError: the folder holds no model that can be loaded.
        ModelError: `engine` is "onnx" and cannot answer for this model.
    """
    from tars_hub.engines.prepared import RefusedError

    settings = Settings.from_environment()
    named = checked_engine(engine)
    if is_export(folder):
        return _of_export(folder, device, named)
    wanted = named or settings.engine
    device = device or ("cpu" if wanted == "onnx" else _best_device())
    if wanted == "onnx" and device != "cpu":
        raise UsageError(f"ONNX Runtime answers on the processor here, not on {device}; say torch")
    if wanted == "torch" or device != "cpu":
        return _by_torch(folder, device, half)
    try:
        return _by_onnx(folder, settings)
    except (RefusedError, OSError, subprocess.TimeoutExpired) as error:
        refusal = error
    if named:
        raise ModelError(f"{folder}: ONNX Runtime does not answer for this model: {refusal}") from refusal
    chosen = _by_torch(folder, device, half)  # says what is wrong where it is the model
    _log.warning("%s: torch answers, and not ONNX Runtime: %s", folder, refusal)
    return chosen


def _by_torch(folder: Path, device: str, half: bool) -> Chosen:
    from tars_hub.model import TarsClassifier

    return for_model(TarsClassifier.from_pretrained(folder), device, half=half)


def _by_onnx(folder: Path, settings: Settings) -> Chosen:
    from tars_hub.engines import prepared

    config_file, weights = folder / CONFIG_NAME, folder / WEIGHTS_NAME

    def read() -> tuple[ModelConfig, prepared.Place]:
        config = ModelConfig.load(config_file)
        return config, prepared.place_of(settings, config, weights)

    config, place = read_together([config_file, weights], read)
    engine = place.engine()
    if engine is None:
        _log.info("exporting this %s for ONNX Runtime, once; it takes some seconds", config.backbone)
        engine = prepared.prepare(settings, place, folder)

    def load() -> TarsClassifier:
        from tars_hub.model import TarsClassifier

        model = TarsClassifier.from_pretrained(folder)
        if prepared.place_of(settings, model.config, weights) != place:
            raise ModelError(f"{folder} holds another model than when it was loaded; load it again")
        return model

    return Chosen(engine, config, read_card(folder), load)


def _of_export(folder: Path, device: str | None, engine: str | None) -> Chosen:
    answering, config = load_export(folder, device=device, engine=engine)

    def load() -> TarsClassifier:
        raise ModelError(f"{folder} holds an export, not a model; what needs the network itself needs the model folder")

    return Chosen(answering, config, read_card(folder), load)


def _best_device() -> str:
    """A GPU where there is one. torch, which takes seconds to import, is asked only where there may be."""
    if "torch" not in sys.modules and not _may_have_gpu():
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _may_have_gpu() -> bool:
    if sys.platform == "win32":
        return ctypes.util.find_library("nvcuda") is not None
    return any(Path(sign).exists() for sign in _SIGNS_OF_A_GPU)
