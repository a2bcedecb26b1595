"""The head first: fitted on what the frozen backbone makes of each picture, which takes one pass over the pictures.

LP-FT (Kumar et al. 2022, arXiv:2202.10054): a head that starts from nothing would spoil the layers below it in the
first steps of training them all.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from . import regression
from .loop import Run, nothing_readable, read_plain, share_broken

_KEEP_BYTES = 2**30  # of features, at most; more pictures than fit are sampled
_SAMPLE_SALT = 0x68656164


def fit_head(this: Run, network: nn.Module, head_path: str) -> tuple[float, float]:
    """Fit the head at `head_path` on the training pictures, unvaried, with everything below it frozen.

    Returns:
        Mean loss and share of right answers on these pictures.
    """
    head = network.get_submodule(head_path)
    assert isinstance(head, (nn.Linear, nn.Conv2d))  # noqa: S101  # replace_head made it
    features, labels = _features(this, network, head)
    if this.processes.is_main:
        regression.fit(head, features, labels, balance=this.config.balance)
    _share(this, head)
    with torch.no_grad():
        logits = regression.logits_of(features, head.weight, head.bias)
        right = (logits.argmax(1) == labels).float().mean()
        return float(functional.cross_entropy(logits, labels)), float(right)


@torch.no_grad()
def _features(this: Run, network: nn.Module, head: nn.Module) -> tuple[Tensor, Tensor]:
    """(N, D) or (N, D, h, w) inputs of the head, and (N,) labels, over all processes."""
    network.eval()
    taken: list[Tensor] = []
    found: list[tuple[tuple[int, ...], NDArray[np.float32], list[int]]] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0].float()))
    try:
        network(torch.zeros(1, 3, this.prepare.crop_size, this.prepare.crop_size, device=this.processes.device))
        plan = _sample(this, taken.pop().numel() * 4)
        with this.console.bar("the head: frozen features", sum(map(len, plan))) as bar:
            for batch in read_plain(this, plan[this.processes.rank :: this.processes.count]):
                if len(batch):
                    network(batch.inputs.to(this.processes.device, memory_format=torch.channels_last))
                    found.append((batch.draws, taken.pop().cpu().numpy(), batch.labels.tolist()))
                bar.update(batch.planned * this.processes.count)
    finally:
        hook.remove()
    share_broken(this)
    rows = sorted(this.processes.gather(found), key=lambda each: each[0])
    if not rows:
        raise nothing_readable(this.folder.train)
    device = this.processes.device
    features = torch.from_numpy(np.concatenate([values for _, values, _ in rows])).to(device)
    return features, torch.tensor([label for _, _, labels in rows for label in labels], device=device)


def _sample(this: Run, feature_bytes: int) -> list[list[int]]:
    """All training pictures in batches, or as many of each class's as their features fit in memory."""
    labels = np.asarray(this.folder.train.labels)
    room = max(len(np.unique(labels)), _KEEP_BYTES // feature_bytes)
    rng = np.random.default_rng((this.config.seed, _SAMPLE_SALT))
    chosen = np.arange(len(labels))
    if len(labels) > room:
        # The first picture of each class comes before the second one of any.
        shuffled = rng.permutation(len(labels))
        place = np.empty(len(labels))
        for each in np.unique(labels):
            own = shuffled[labels[shuffled] == each]
            place[own] = np.arange(len(own)) / len(own)
        chosen = np.sort(np.argsort(place, kind="stable")[:room])
    size = this.config.how.batch_size
    return [chosen[start : start + size].tolist() for start in range(0, len(chosen), size)]


def _share(this: Run, head: nn.Module) -> None:
    """The main process's head, for everybody: solvers may differ in their last bits."""
    values = this.processes.from_main([each.detach().cpu().numpy() for each in head.parameters()])
    with torch.no_grad():
        for parameter, value in zip(head.parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(value))
