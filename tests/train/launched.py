"""One of several processes that ask one model: `torchrun … -m tests.train.launched OUTPUT BATCH_SIZE DATA`.

The answers about the val pictures are written to OUTPUT, by each process for itself.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from tests.train.runs import config_for, set_up_run
from train.loop import Answers, evaluate


def answers(data: Path, batch_size: int) -> Answers:
    """What a network with BatchNorm, that has learnt nothing, answers about the val pictures."""
    config = config_for(data, data / "none", model="shufflenet_v2_x0_5", batch_size=batch_size)
    with set_up_run(config) as (this, learner):
        return evaluate(this, learner.network)


def main(output: str, batch_size: str, data: str) -> None:
    """Write logits, labels and positions."""
    found = answers(Path(data), int(batch_size))
    name = Path(output) / f"{os.environ['RANK']}.npz"
    np.savez(name, logits=found.logits, labels=found.labels, positions=found.positions)


if __name__ == "__main__":
    main(*sys.argv[1:])
