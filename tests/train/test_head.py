"""The head first: fitted on frozen features, whatever the network's last layer is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer, get_model

from tars_hub.errors import DataError, UsageError
from tars_hub.model import TarsClassifier
from tars_hub.preprocess import load, to_tensor
from tests.digits_folder import write_few_digits
from tests.train.runs import config_for, copied, json_of, rows_of, set_up_run, trained, weights_of
from train import head
from train.head import fit_head
from train.loop import Run
from train.recipe import RECIPES
from train.start import heads_of


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "vision transformer":
        tiny = {"num_layers": 2, "num_heads": 2, "hidden_dim": 32, "mlp_dim": 64}
        return VisionTransformer(image_size=32, patch_size=8, num_classes=2, **tiny)
    options = {"init_weights": False} if name == "googlenet" else {}
    network: nn.Module = get_model(name, weights=None, num_classes=2, **options)
    return network


def right_share(this: Run, network: nn.Module) -> float:
    """As the network itself answers about the training pictures."""
    pictures = this.folder.train
    with torch.inference_mode():
        inputs = torch.stack([to_tensor(load(path, this.prepare), this.prepare) for path in pictures.paths])
        right = network.eval()(inputs).argmax(1) == torch.tensor(pictures.labels)
    return float(right.float().mean())


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("squeezenet1_1", "classifier.1"),
        ("shufflenet_v2_x0_5", "fc"),
        ("googlenet", "fc"),
        ("vision transformer", "heads.head"),
    ],
)
def test_only_the_head_learns_and_its_figures_are_the_networks(
    data: Path, tmp_path: Path, name: str, path: str
) -> None:
    network = made(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with set_up_run(config_for(data, tmp_path)) as (this, _):
        loss, top1 = fit_head(this, network, path)
        assert right_share(this, network) == pytest.approx(top1, abs=1e-6)
    assert top1 >= 0.9
    assert loss < 0.4
    moved = {key for key, value in network.state_dict().items() if not torch.equal(before[key], value)}
    assert moved == {f"{path}.weight", f"{path}.bias"}


def test_the_same_pictures_give_the_same_head_for_any_number_of_threads(data: Path, tmp_path: Path) -> None:
    found = []
    for workers in (1, 4):
        network = made("shufflenet_v2_x0_5")
        with set_up_run(config_for(data, tmp_path, workers=workers)) as (this, _):
            fit_head(this, network, "fc")
        found.append(network.state_dict()["fc.weight"])
    assert torch.equal(found[0], found[1])


def test_a_head_alone_is_a_run(tmp_path: Path) -> None:
    begun, out = tmp_path / "begun", tmp_path / "out"
    torch.manual_seed(0)
    TarsClassifier.create("shufflenet_v2_x0_5", ["x"]).save_pretrained(begun)
    data = write_few_digits(tmp_path / "data", digits="234", train=40, val=10)
    result = trained(data, out, weights=str(begun), model=None, recipe=RECIPES["finetune"], epochs=0)
    (row,) = result.progress.history
    assert (row["epoch"], row["lr"], result.best_epoch) == (0, None, 0)
    assert (row["val_top1"] or 0) > 0.6  # of three classes
    before, after = weights_of(begun), weights_of(out)
    assert {
        key for key in before if before[key].shape != after[key].shape or not torch.equal(before[key], after[key])
    } == {
        "fc.weight",
        "fc.bias",
    }
    assert rows_of(out, "history.csv")[0]["lr"] == ""
    assert json_of(out, "metrics.json")["epoch"] == 0


def test_the_head_comes_first_and_all_layers_after_it(
    start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_few_digits(tmp_path / "data", digits="23")
    result = trained(data, tmp_path / "out", weights=str(start), model=None, recipe=RECIPES["finetune"], metric="loss")
    assert [row["epoch"] for row in result.progress.history] == [0, 1]
    assert "head only   train loss" in capsys.readouterr().out
    assert (
        not torch.equal(weights_of(start)["features.0.weight"], weights_of(tmp_path / "out")["features.0.weight"])
        or result.best_epoch == 0
    )


def test_a_network_that_knows_these_classes_keeps_its_head(data: Path, start: Path, tmp_path: Path) -> None:
    result = trained(data, tmp_path / "out", weights=str(start), model=None, recipe=RECIPES["finetune"])
    assert [row["epoch"] for row in result.progress.history] == [1]


def sampled(this: Run, features: int) -> list[int]:
    return [draw for batch in head._sample(this, features) for draw in batch]


def test_features_that_do_not_fit_are_of_a_sample_with_every_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_few_digits(tmp_path / "data", digits="012", train=20, val=1)
    for path in sorted((data / "train" / "2").iterdir())[1:]:
        path.unlink()
    with set_up_run(config_for(data, tmp_path / "out")) as (this, _):
        labels = this.folder.train.labels
        assert sampled(this, 100) == list(range(41))
        monkeypatch.setattr(head, "_KEEP_BYTES", 1100)
        chosen = sampled(this, 100)
        assert chosen == sampled(this, 100) == sorted(set(chosen))
        assert sorted(labels.count(each) for each in (0, 1, 2)) == [1, 20, 20]
        assert sorted([labels[draw] for draw in chosen].count(each) for each in (0, 1, 2)) == [1, 5, 5]
        monkeypatch.setattr(head, "_KEEP_BYTES", 0)
        assert [labels[draw] for draw in sampled(this, 100)] == [0, 1, 2]
        network = made("shufflenet_v2_x0_5")
        network.fc = nn.Linear(1024, 3)
        loss, _ = fit_head(this, network, "fc")
        assert loss == pytest.approx(loss)  # a number, from one picture of each class


def test_broken_pictures_are_named_once_and_none_readable_is_said(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = copied(data, tmp_path / "data")
    pictures = sorted((mine / "train").rglob("*.png"))
    pictures[0].write_bytes(b"no picture")
    with set_up_run(config_for(mine, tmp_path / "out")) as (this, _):
        for _ in range(2):
            fit_head(this, made("shufflenet_v2_x0_5"), "fc")
    assert capsys.readouterr().out.count(pictures[0].name) == 1
    for path in pictures:
        path.write_bytes(b"no picture")
    with (
        set_up_run(config_for(mine, tmp_path / "out")) as (this, _),
        pytest.raises(DataError, match="none of 32 pictures could be read"),
    ):
        fit_head(this, made("shufflenet_v2_x0_5"), "fc")


def test_no_head_to_fit_and_no_epochs_is_said(data: Path, start: Path, tmp_path: Path) -> None:
    changes = {"recipe": RECIPES["finetune"], "epochs": 0}
    with pytest.raises(UsageError, match="epochs 0 fits a new head and nothing else"):
        trained(data, tmp_path / "out", weights="none", **changes)
    with pytest.raises(UsageError, match="epochs 0 fits a new head and nothing else"):
        trained(data, tmp_path / "out", weights=str(start), model=None, **changes)
    assert not (tmp_path / "out").exists()


def test_auxiliary_heads_fit_the_new_classes(data: Path, tmp_path: Path) -> None:
    TarsClassifier.create("googlenet", ["x", "y", "z"]).save_pretrained(tmp_path / "start")
    changes = {"weights": str(tmp_path / "start"), "model": None, "recipe": RECIPES["finetune"], "batch_size": 16}
    trained(data, tmp_path / "out", **changes)
    after = weights_of(tmp_path / "out")
    assert {after[f"{path}.weight"].shape[0] for path in heads_of("googlenet")} == {2}
