"""One pass over the pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tars_hub.errors import DataError, TarsError
from tars_hub.preprocess import load, to_tensor
from tests.train.runs import config_for, copied, set_up_run, trained
from train.loop import evaluate, out_of_time, rate_share, train_epoch
from train.progress import Progress


def test_validation_asks_about_every_picture_as_serving_prepares_it(data: Path, tmp_path: Path) -> None:
    with set_up_run(config_for(data, tmp_path, batch_size=5, augment="strong")) as (this, learner):
        found = evaluate(this, learner.network)
        pictures, prepare = this.folder.val, this.prepare
        inputs = torch.stack([to_tensor(load(path, prepare), prepare) for path in pictures.paths])
        with torch.inference_mode():
            expected = learner.network.eval()(inputs).numpy()
    assert found.positions == tuple(range(12))
    assert found.labels.tolist() == list(pictures.labels)
    assert np.allclose(found.logits, expected, atol=1e-5)


def test_validation_leaves_the_broken_out_and_keeps_the_others_labels(data: Path, tmp_path: Path) -> None:
    mine = copied(data, tmp_path / "data")
    sorted((mine / "val" / "0").iterdir())[2].write_bytes(b"no picture")
    with set_up_run(config_for(mine, tmp_path / "out", batch_size=5)) as (this, learner):
        found = evaluate(this, learner.network)
    assert found.positions == (0, 1, *range(3, 12))
    assert found.labels.tolist() == [0] * 5 + [1] * 6


def test_validation_teaches_nothing(data: Path, tmp_path: Path) -> None:
    with set_up_run(config_for(data, tmp_path, model="shufflenet_v2_x0_5")) as (this, learner):
        before = {name: value.clone() for name, value in learner.network.state_dict().items()}
        evaluate(this, learner.network)
        assert all(torch.equal(before[name], value) for name, value in learner.network.state_dict().items())


@pytest.mark.parametrize("split", ["train", "val"])
def test_nothing_readable_is_one_clear_error(data: Path, tmp_path: Path, split: str) -> None:
    mine = copied(data, tmp_path / "data")
    pictures = sorted((mine / split).rglob("*.png"))
    for path in pictures:
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match=f"none of {len(pictures)} pictures could be read, .*{pictures[0].name}"):
        trained(mine, tmp_path / "out")
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_an_epoch_counts_every_readable_picture(data: Path, tmp_path: Path) -> None:
    mine = copied(data, tmp_path / "data")
    sorted((mine / "train" / "0").iterdir())[2].write_bytes(b"no picture")
    progress = Progress()
    with set_up_run(config_for(mine, tmp_path / "out", batch_size=5)) as (this, learner):
        train_epoch(this, learner, progress, lambda: None)
    assert (progress.seen, progress.step) == (31, 7)
    assert 0 < progress.loss_sum / progress.seen < 2
    assert 0 <= progress.right <= 31
    assert learner.updates == 7


def test_state_is_saved_as_often_as_asked_but_not_at_the_end(data: Path, tmp_path: Path) -> None:
    for minutes, expected in ((0.0, 3), (1.0, 0)):
        saved: list[int] = []
        progress = Progress()
        with set_up_run(config_for(data, tmp_path, save_minutes=minutes)) as (this, learner):
            train_epoch(this, learner, progress, lambda saved=saved, at=progress: saved.append(at.step))
        assert len(saved) == expected


def test_a_loss_that_explodes_is_said(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TarsError, match=r"training diverged: .*; try a lower --lr"):
        trained(data, tmp_path, optimizer="sgd", lr=100.0, lr_batch=0, warmup=0.0, clip_norm=0.0, epochs=3)
    assert not (tmp_path / "model.safetensors").exists()


def test_the_rate_follows_the_clock_where_time_is_short(data: Path, tmp_path: Path) -> None:
    config = config_for(data, tmp_path, epochs=10, time_limit=2.0)
    unlimited = replace(config, time_limit=None)
    shares = [rate_share(config, Progress(step=5, elapsed_s=seconds), 10) for seconds in (0, 30, 60, 90, 120)]
    assert shares[0] == rate_share(unlimited, Progress(step=5), 10) == 0.6
    assert shares[1:] == sorted(shares[1:], reverse=True)
    assert shares[-1] == 0
    assert shares[2] == rate_share(unlimited, Progress(epoch=6), 10)  # half the time, half the steps
    ahead = Progress(epoch=9, elapsed_s=1.0)
    assert rate_share(config, ahead, 10) == rate_share(unlimited, ahead, 10)  # the steps may end first
    assert out_of_time(config, Progress(elapsed_s=120))
    assert not out_of_time(config, Progress(elapsed_s=119))
    assert not out_of_time(unlimited, Progress(elapsed_s=1e9))
