"""Which epoch is kept, and when a run has had enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.train.runs import json_of, rows_of, same, trained, weights_of
from train import epochs
from train.loop import Answers, Run
from train.score import Score


def scores(column: str, values: Sequence[float]) -> Iterator[Score]:
    """Equal but for one figure."""
    equal = {"loss": 1.0, "top1": 0.5, "top5": 1.0, "f1": 0.5, "balanced_accuracy": 0.5}
    return (Score(**{**equal, column: value}, pictures=12) for value in values)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the epochs these figures; what each one's weights were."""

    def plan(column: str, values: Sequence[float]) -> list[dict[str, Tensor]]:
        given, weights, real = scores(column, values), [], epochs.evaluate

        def evaluate(this: Run, network: nn.Module) -> Answers:
            weights.append({name: value.clone() for name, value in network.state_dict().items()})
            return real(this, network)

        monkeypatch.setattr(epochs, "evaluate", evaluate)
        monkeypatch.setattr(epochs, "score", lambda *_: next(given))
        return weights

    return plan


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("top1", [0.5, 0.9, 0.4], 2),
        ("top1", [0.9, 0.9, 0.9], 1),
        ("loss", [0.5, 0.2, 0.4], 2),
        ("f1", [0.1, 0.9, 0.8], 2),
        ("balanced_accuracy", [0.1, 0.2, 0.3], 3),
    ],
)
def test_the_best_epoch_is_kept_not_the_last(
    data: Path, tmp_path: Path, planned: Any, metric: str, values: list[float], best: int
) -> None:
    weights = planned(metric, values)
    result = trained(data, tmp_path, epochs=3, metric=metric)
    assert result.best_epoch == best
    kept = weights_of(tmp_path)
    assert [same(kept, each) for each in weights] == [epoch == best for epoch in (1, 2, 3)]
    found = json_of(tmp_path, "metrics.json")
    assert (found["epoch"], found["metric"], found["validation"][f"val_{metric}"]) == (best, metric, values[best - 1])
    assert [float(row[f"val_{metric}"]) for row in rows_of(tmp_path, "history.csv")] == values


def test_enough_is_enough(data: Path, tmp_path: Path, planned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    planned("top1", [0.5, 0.9, 0.4, 0.8, 1.0])
    result = trained(data, tmp_path, epochs=5, patience=2, time_limit=60.0)
    assert (result.best_epoch, len(result.progress.history)) == (2, 4)
    assert "ended after epoch 4: nothing better in 2 epochs" in capsys.readouterr().out
    assert json_of(tmp_path, "metrics.json")["finished"] is True


def test_patience_starts_anew_with_each_better_epoch(data: Path, tmp_path: Path, planned: Any) -> None:
    planned("top1", [0.5, 0.4, 0.6, 0.5, 0.7])
    assert len(trained(data, tmp_path, epochs=5, patience=2).progress.history) == 5


def test_a_time_limit_ends_the_run_well_and_with_a_rate_that_fell(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = trained(data, tmp_path, epochs=100_000, time_limit=0.015)
    history = result.progress.history
    assert 0 < len(history) < 1000
    assert 0.9 <= result.progress.elapsed_s < 20
    rates = [row["lr"] for row in history]
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert f"ended after epoch {len(history)}: the time is up" in capsys.readouterr().out
    assert json_of(tmp_path, "metrics.json")["finished"] is True
    assert not (tmp_path / "training" / "state.safetensors").exists()


def test_the_rates_of_the_history_are_those_of_the_last_steps(data: Path, tmp_path: Path) -> None:
    result = trained(data, tmp_path, epochs=4, schedule="step", warmup=0.0, step_epochs=2, lr=0.001, lr_batch=0)
    assert [row["lr"] for row in result.progress.history] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])


def test_averaged_weights_are_what_is_measured_and_kept(data: Path, tmp_path: Path, planned: Any) -> None:
    measured = planned("top1", [0.5, 0.9])
    trained(data, tmp_path / "averaged", epochs=2, ema=0.9)
    assert same(weights_of(tmp_path / "averaged"), measured[1])
    plain = planned("top1", [0.5, 0.9])
    trained(data, tmp_path / "plain", epochs=2)
    name = "classifier.1.weight"
    assert 0 < float((plain[1][name] - measured[1][name]).abs().max()) < 0.1
    assert torch.isfinite(measured[1][name]).all()
