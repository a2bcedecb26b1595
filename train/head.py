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

from .loop import Run, nothing_readable, read_plain, share_broken

_KEEP_BYTES = 2**30  # of features, at most; more pictures than fit are sampled
_ITERATIONS = 100
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
        _fit(head, features, labels, balance=this.config.balance)
    _share(this, head)
    with torch.no_grad():
        logits = _logits(features, head.weight, head.bias)
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
        # The first pictures of each class come before the second ones of any.
        shuffled = rng.permutation(len(labels))
        place = np.empty(len(labels))
        for each in np.unique(labels):
            own = shuffled[labels[shuffled] == each]
            place[own] = np.arange(len(own)) / len(own)
            place[own[0]] = -1
        chosen = np.sort(np.argsort(place, kind="stable")[:room])
    size = this.config.how.batch_size
    return [chosen[start : start + size].tolist() for start in range(0, len(chosen), size)]


def _fit(head: nn.Linear | nn.Conv2d, features: Tensor, labels: Tensor, *, balance: bool) -> None:
    """Multinomial logistic regression on standardised features, as regularised as scikit-learn's C = 1."""
    axes = [axis for axis in range(features.ndim) if axis != 1]
    shape = [1, -1, *(1 for _ in features.shape[2:])]
    mean = features.mean(axes).view(shape)
    deviation = features.std(axes, unbiased=False).view(shape)
    deviation = torch.where(deviation > 1e-6, deviation, 1.0)
    scaled = (features - mean) / deviation
    # From zero, where a linear head's problem has one bottom; a ReLU after it would never leave zero.
    weight = head.weight.detach().clone() if isinstance(head, nn.Conv2d) else torch.zeros_like(head.weight)
    bias = torch.zeros(len(weight), device=weight.device)
    weights = _class_weights(labels, len(head.weight)) if balance else None
    _minimise(weight, bias, scaled, labels, weights)
    with torch.no_grad():
        factor = deviation.view([1, -1, *(1 for _ in head.weight.shape[2:])])
        head.weight.copy_(weight / factor)
        if head.bias is not None:
            moved = (head.weight * mean.view(factor.shape)).flatten(1).sum(1)
            head.bias.copy_(bias - moved)


def _minimise(weight: Tensor, bias: Tensor, features: Tensor, labels: Tensor, class_weights: Tensor | None) -> None:
    optimizer = torch.optim.LBFGS(
        [weight.requires_grad_(), bias.requires_grad_()],
        max_iter=_ITERATIONS,
        history_size=20,
        line_search_fn="strong_wolfe",
    )
    penalty = 0.5 / len(labels)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(_logits(features, weight, bias), labels, weight=class_weights)
        loss = loss + penalty * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]


def _class_weights(labels: Tensor, num_classes: int) -> Tensor:
    counts = torch.bincount(labels, minlength=num_classes).clamp(min=1)
    return len(labels) / (num_classes * counts.float())


def _logits(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As the networks end: a linear head is their last layer; after a convolution, squeezenet's, come ReLU and mean."""
    if features.ndim == 2:
        return functional.linear(features, weight, bias)
    return functional.conv2d(features, weight, bias).relu().mean((2, 3))


def _share(this: Run, head: nn.Module) -> None:
    """The main process's head, for everybody: solvers may differ in their last bits."""
    values = this.processes.from_main([each.detach().cpu().numpy() for each in head.parameters()])
    with torch.no_grad():
        for parameter, value in zip(head.parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(value))
