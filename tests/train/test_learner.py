"""One optimizer's step: the gradient of a batch, however it is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.train.runs import config_for, same, set_up_run
from train import learner as module
from train.batches import Batch
from train.learner import Learner
from train.loop import Run, own_parts, train_epoch
from train.progress import Progress


def batch_of(count: int, *, broken: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(0)
    kept = tuple(range(broken, count))
    return Batch(
        inputs=torch.rand(len(kept), 3, 32, 32, generator=generator),
        labels=torch.tensor([draw % 2 for draw in kept], dtype=torch.int64),
        draws=kept,
        places=kept,
        broken=(),
    )


def snapshot(learner: Learner) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in learner.model.backbone.state_dict().items()}


def after_epochs(data: Path, output: Path, *, epochs: int = 2, **changes: Any) -> dict[str, Tensor]:
    """The weights in training, which no choice of the best epoch hides."""
    with set_up_run(config_for(data, output, epochs=epochs, **changes)) as (this, learner):
        for epoch in range(1, epochs + 1):
            train_epoch(this, learner, Progress(epoch=epoch), lambda: None)
        return snapshot(learner)


# Adam divides small gradients by their own size, and would make much of the last bits.
SGD = {"optimizer": "sgd", "lr": 0.05, "lr_batch": 0}


@pytest.mark.parametrize("parts", [3, 16])
@pytest.mark.parametrize("changes", [{"augment": "light", "mixup": 0.3}, {"label_smoothing": 0.1, "clip_norm": 0.1}])
def test_a_batch_in_parts_teaches_what_a_whole_one_does(
    data: Path, tmp_path: Path, parts: int, changes: dict[str, Any]
) -> None:
    whole = after_epochs(data, tmp_path, accumulate=1, **SGD, **changes)
    in_parts = after_epochs(data, tmp_path, accumulate=parts, **SGD, **changes)
    assert same(whole, in_parts, tolerance=2e-6)
    assert not same(whole, after_epochs(data, tmp_path, accumulate=1, **SGD, **changes | {"seed": 1}), tolerance=1e-3)


def test_the_step_is_that_of_plain_torch(data: Path, tmp_path: Path) -> None:
    config = config_for(
        data, tmp_path, model="shufflenet_v2_x0_5", label_smoothing=0.1, weight_decay=0.0, clip_norm=0.0, **SGD
    )
    batch = batch_of(8)
    with set_up_run(config) as (_, learner):
        network = learner.model.backbone
        before = snapshot(learner)
        inputs = batch.inputs.to(memory_format=torch.channels_last)
        loss = functional.cross_entropy(network.train()(inputs), batch.labels, label_smoothing=0.1)
        loss.backward()
        expected = {name: (each - 0.025 * each.grad).detach() for name, each in network.named_parameters()}
        network.load_state_dict(before)
        losses, _, seen = learner.step([batch], 8, 1, 0.5)
        assert (float(losses), seen) == (pytest.approx(8 * float(loss.detach()), rel=1e-4), 8)
        assert same(expected, {name: each.detach() for name, each in network.named_parameters()}, tolerance=1e-5)


def test_broken_pictures_make_a_step_smaller_not_the_others_heavier(data: Path, tmp_path: Path) -> None:
    moved = []
    for planned in (4, 8):
        config = config_for(data, tmp_path, weight_decay=0.0, clip_norm=0.0, momentum=0.0, **SGD)
        with set_up_run(config) as (_, learner):
            before = snapshot(learner)
            learner.step([batch_of(8, broken=4)], planned, 1, 1.0)
            after = snapshot(learner)
            moved.append(after["classifier.1.bias"] - before["classifier.1.bias"])
    assert float(moved[0].norm()) > 0
    assert torch.allclose(moved[1], moved[0] / 2, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1])
def test_a_batch_of_one_or_none_leaves_batch_norm_whole(data: Path, tmp_path: Path, count: int) -> None:
    with set_up_run(config_for(data, tmp_path, model="shufflenet_v2_x0_5")) as (_, learner):
        before = snapshot(learner)
        losses, right, seen = learner.step([batch_of(count)], max(1, count), 1, 1.0)
        after = snapshot(learner)
    assert seen == count
    assert int(right) <= count
    assert float(losses) == pytest.approx(0.7 * count, rel=0.5)  # two classes, guessed; counted once
    assert all(bool(value.isfinite().all()) for value in after.values())
    moved = "conv1.1.running_mean"
    assert torch.equal(before[moved], after[moved]) == (count == 0)


def test_gradients_are_clipped_over_all_parameters_together(data: Path, tmp_path: Path) -> None:
    for norm in (0.0, 1e-3):
        with set_up_run(config_for(data, tmp_path, weight_decay=0.0, clip_norm=norm, **SGD)) as (_, learner):
            learner.step([batch_of(8)], 8, 1, 1.0)
            grads = [each.grad for each in learner.model.parameters() if each.grad is not None]
            length = float(torch.stack([grad.norm() for grad in grads]).norm())
            assert (length == pytest.approx(1e-3, rel=1e-2)) == (norm > 0)


def test_a_rate_of_nothing_moves_nothing(data: Path, tmp_path: Path) -> None:
    with set_up_run(config_for(data, tmp_path, ema=0.9)) as (_, learner):
        before = snapshot(learner)
        learner.step([batch_of(8)], 8, 1, 0.0)
        assert same(before, snapshot(learner))
        assert same(before, dict(learner.network.state_dict()), tolerance=1e-7)


def test_layer_decay_gives_each_layer_its_rate(data: Path, tmp_path: Path) -> None:
    with set_up_run(config_for(data, tmp_path, layer_decay=0.5, lr=0.01, lr_batch=0)) as (_, learner):
        learner.step([batch_of(8)], 8, 1, 0.5)
        rates = sorted({group["lr"] for group in learner._optimizer.param_groups})
    assert rates[-1] == pytest.approx(0.005)
    assert rates[0] == pytest.approx(0.005 * 0.5**11)
    assert len(rates) == 12


def test_auxiliary_heads_learn_with_their_weight(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_for(data, tmp_path, model="googlenet", batch_size=4)
    found = []
    for weight in (0.3, 0.0):
        monkeypatch.setitem(module._AUX_WEIGHT, "googlenet", weight)
        with set_up_run(config) as (_, learner):
            losses, _, _ = learner.step([batch_of(4)], 4, 1, 1.0)
            head: Any = learner.model.backbone.get_submodule("aux1.fc2")
            found.append((float(losses), float(head.weight.grad.abs().sum())))
    (with_them, moved), (without, still) = found
    assert with_them - without == pytest.approx(0.3 * 2 * 4 * 0.7, rel=0.4)  # two heads that guess, four pictures
    assert moved > 0 == still


def test_half_precision_trains_in_it_and_keeps_whole_weights(data: Path, tmp_path: Path) -> None:
    with set_up_run(config_for(data, tmp_path, precision="bf16")) as (_, learner):
        before = snapshot(learner)
        seen: list[torch.dtype] = []
        learner.model.backbone.features[0].register_forward_hook(lambda *found: seen.append(found[2].dtype))
        learner.step([batch_of(8)], 8, 1, 1.0)
        assert seen == [torch.bfloat16]
        assert {value.dtype for value in snapshot(learner).values()} == {torch.float32}
        assert not same(before, snapshot(learner))


def test_one_process_alone_leaves_out_empty_parts(data: Path, tmp_path: Path) -> None:
    with set_up_run(config_for(data, tmp_path, accumulate=16)) as (this, _):
        assert isinstance(this, Run)
        (found,) = own_parts(this, [[0, 1, 2]], epoch=1)
    assert [part.draws for part in found] == [(0, 1), (2,)]
