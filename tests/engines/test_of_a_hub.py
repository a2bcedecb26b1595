"""A hub's models by ONNX Runtime: where one looked is asked of torch, out of files that stay as long as the model."""

import gc
import tempfile
from pathlib import Path

import pytest

from tars_hub.explain import explain
from tars_hub.hub_models import HubModels
from tests.hub_with_models import ask
from tests.server.running import site
from tests.small_model import held


def test_its_files_stay_while_the_model_is_loaded(
    cache: Path, folder: Path, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with site() as hub:
        hub.add("ann")
        hub.create("ann/squeezed", "ann", private=False)
        hub.put("ann/squeezed", "ann", held(folder))
        models = HubModels(hub.url, "ann/squeezed")
        predictor = ask(models, "").predictor
        assert predictor.engine.name == "onnx"
        assert [entry.is_dir() for entry in cache.iterdir()].count(True) == 1
        assert len(list(tmp_path.glob("tars-models-*/*/config.json"))) == 1
        pixels = predictor.prepare(photographs[0])
        assert explain(predictor, pixels, 0).weights.shape == (64, 64)
        assert predictor.memory_bytes >= 2 * sum(tensor.nbytes for tensor in predictor.model.parameters()) * 0.9
        del models, predictor
        gc.collect()
        assert not list(tmp_path.glob("tars-models-*"))
