"""How far a run has come, as plain values: what is written of it, and read back. Knows no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, "float | None"]  # an epoch's figures


@dataclass(kw_only=True)
class Progress:
    """How far a run has come.

    Attributes:
        epoch: the one at work, from 1.
        step: steps of it that are done.
        loss_sum, right, seen: over the pictures of it so far.
        history: a row of figures for each finished epoch; row 0 is the head alone.
        best: the place in history of the row that was kept.
        ended: no step is left; what remains is the report.
        elapsed_s: seconds of work.
        parity: how the kept model was proven: on so many `pictures`, with this `largest_difference`.
    """

    epoch: int = 1
    step: int = 0
    loss_sum: float = 0.0
    right: float = 0.0
    seen: int = 0
    history: list[Row] = field(default_factory=list)
    best: int | None = None
    ended: bool = False
    elapsed_s: float = 0.0
    parity: dict[str, float] = field(default_factory=dict)

    def unfinished(self, epochs: int) -> bool:
        """Whether there is something left to train, or to measure of what was trained."""
        return self.step > 0 or (not self.ended and self.epoch <= epochs)

    def figures(self) -> dict[str, str]:
        """Of the epoch so far, for the bar."""
        seen = max(1, self.seen)
        return {"loss": f"{self.loss_sum / seen:.4f}", "top1": f"{self.right / seen:.4f}"}

    def close_epoch(self, row: Row, *, better: bool) -> None:
        """Put an epoch's figures into the history and begin the next."""
        if better:
            self.best = len(self.history)
        self.history.append(row)
        self.epoch, self.step = int(row["epoch"] or 0) + 1, 0
        self.forget_figures()

    def forget_figures(self) -> None:
        """Begin the sums anew; of several processes the main one has them for all."""
        self.loss_sum, self.right, self.seen = 0.0, 0.0, 0


@dataclass(frozen=True, kw_only=True)
class State:
    """What is read from a state's file before its tensors are.

    Attributes:
        settings: `TrainConfig.decisive()` of the run.
        fingerprint: its data's.
        model: its config.json.
        repository: where its weights came from.
        facts: where the run came from, see provenance.
        scaler: of fp16's loss scaling.
        mark: of this save alone, to notice another's.
    """

    settings: dict[str, Any]
    fingerprint: str
    model: dict[str, Any]
    repository: str | None
    progress: Progress
    facts: dict[str, Any]
    scaler: dict[str, Any] = field(default_factory=dict)
    mark: str = ""
