"""What a run starts from: nothing, ImageNet's weights, or a model of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tars_hub.errors import DownloadError, ModelError, TarsError, UsageError
from tars_hub.model import TarsClassifier
from tests.train.runs import config_for, trained, weights_of
from train import run as running
from train.recipe import RECIPES
from train.start import fetch, make_model, outline


def test_imagenet_weights_that_cannot_be_had_stop_the_run_before_it_begins(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(running, "scan", lambda *_, **__: pytest.fail("the data was read first"))
    with pytest.raises(DownloadError) as caught:
        trained(data, tmp_path / "out", weights="imagenet")
    assert "--weights none" in str(caught.value)
    assert "model folder" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_model_of_other_classes_gets_a_new_head_and_keeps_the_rest(data: Path, tmp_path: Path) -> None:
    TarsClassifier.create("shufflenet_v2_x0_5", ["x", "y", "z"]).save_pretrained(tmp_path / "start")
    trained(data, tmp_path / "out", model=None, weights=str(tmp_path / "start"), lr=1e-9)
    before, after = weights_of(tmp_path / "start"), weights_of(tmp_path / "out")
    assert after["fc.weight"].shape == (2, 1024)
    assert torch.allclose(before["conv1.0.weight"], after["conv1.0.weight"], atol=1e-6)


def test_a_model_brings_its_way_of_preparing_pictures(data: Path, start: Path, tmp_path: Path) -> None:
    source = tmp_path / "start"
    model = TarsClassifier.from_pretrained(start)
    model.save_pretrained(source)
    config = json.loads((source / "config.json").read_text())
    config["preprocess"] |= {"mean": [0.5, 0.5, 0.5], "crop_size": 40, "resize_size": 40}
    (source / "config.json").write_text(json.dumps(config))
    found = fetch(config_for(data, tmp_path / "out", model=None, weights=str(source), img_size=None))
    assert (found.preprocess.mean, found.preprocess.crop_size) == ((0.5, 0.5, 0.5), 40)
    sized = fetch(config_for(data, tmp_path / "out", model=None, weights=str(source), crop="pad"))
    assert (sized.preprocess.mean, sized.preprocess.crop_size, sized.preprocess.crop) == ((0.5, 0.5, 0.5), 32, "pad")


def test_a_model_of_another_backbone_is_refused(data: Path, start: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds a squeezenet1_1, not a resnet34; leave --model out"):
        trained(data, tmp_path / "out", model="resnet34", weights=str(start))


@pytest.mark.parametrize("name", ["squeezenet1_1", "inception_v3", "vit_b_16"])
def test_a_picture_size_that_cannot_train_is_refused(data: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="px"):
        fetch(config_for(data, tmp_path / "out", model=name, img_size=8))


def test_the_same_goes_for_a_model_of_ones_own(data: Path, start: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="px"):
        fetch(config_for(data, tmp_path / "out", model=None, weights=str(start), img_size=8))


def test_a_damaged_model_is_refused(data: Path, start: Path, tmp_path: Path) -> None:
    source = tmp_path / "start"
    TarsClassifier.from_pretrained(start).save_pretrained(source)
    path = source / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TarsError) as caught:
        trained(data, tmp_path / "out", model=None, weights=str(source))
    assert "\n" not in str(caught.value)
    with pytest.raises((ModelError, UsageError, TarsError)):
        trained(data, tmp_path / "out", model=None, weights=str(tmp_path / "nowhere"))


def test_random_weights_belong_to_the_seed(data: Path, tmp_path: Path) -> None:
    config = config_for(data, tmp_path)
    first, again, other = (
        make_model(fetch(config), config_for(data, tmp_path, seed=seed), ("a", "b")) for seed in (1, 1, 2)
    )
    name = "classifier.1.weight"
    assert torch.equal(first.backbone.state_dict()[name], again.backbone.state_dict()[name])
    assert not torch.equal(first.backbone.state_dict()[name], other.backbone.state_dict()[name])


def test_the_outline_of_a_run_needs_no_download(data: Path, tmp_path: Path) -> None:
    found = outline(config_for(data, tmp_path, weights="imagenet", recipe=RECIPES["finetune"]))
    assert (found.row.name, found.network) == ("squeezenet1_1", None)


def test_a_model_trained_on_varied_drawings_says_that_it_is_for_drawings(data: Path, tmp_path: Path) -> None:
    for augment, drawings in (("drawing", True), ("light", False)):
        config = config_for(data, tmp_path, augment=augment)
        assert make_model(fetch(config), config, ("a", "b")).config.drawings is drawings
