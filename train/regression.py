"""Multinomial logistic regression on a backbone's features: the best head that the frozen layers allow."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_ITERATIONS = 100
_PENALTIES = (1.0, 0.1, 0.01, 0.001, 0.0001)  # of half the squared weights, beside the mean loss
_USUAL = 0.1  # where there are too few pictures to choose by
_HELD_OUT = 4  # one picture in so many of each class chooses the penalty
_ENOUGH = 8000  # pictures settle one number

Head = nn.Linear | nn.Conv2d


def fit(head: Head, features: Tensor, labels: Tensor, *, balance: bool) -> None:
    """Give a head the weights under which held-out pictures would be likeliest.

    The penalty is chosen on one picture in four of each class; then all are fitted, on standardised features.

    Args:
        features: (N, D), or (N, D, h, w) for a convolution.
        labels: (N,)
        balance: every class weighs the same.
    """
    axes = [axis for axis in range(features.ndim) if axis != 1]
    deviation = features.std(axes, unbiased=False)
    deviation = torch.where(deviation > 1e-6, deviation, 1.0)
    mean = features.mean(axes)
    shape = [1, -1, *(1 for _ in features.shape[2:])]
    scaled = (features - mean.view(shape)) / deviation.view(shape)
    weights = _class_weights(labels, len(head.weight)) if balance else None
    weight, bias = _solve(*_start(head), scaled, labels, weights, _penalty(head, scaled, labels, weights))
    with torch.no_grad():
        head.weight.copy_(weight / deviation.view(shape))
        if head.bias is not None:
            head.bias.copy_(bias - (head.weight.flatten(1) * mean).sum(1))


def logits_of(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As the networks end: a linear head is their last layer; after a convolution, squeezenet's, come ReLU and mean."""
    if features.ndim == 2:
        return functional.linear(features, weight, bias)
    return functional.conv2d(features, weight, bias).relu().mean((2, 3))


def _start(head: Head) -> tuple[Tensor, Tensor]:
    """From zero, where a linear head's problem has one bottom; a ReLU after it would never leave zero."""
    weight = head.weight.detach().clone() if isinstance(head, nn.Conv2d) else torch.zeros_like(head.weight)
    return weight, torch.zeros(len(weight), device=weight.device)


def _penalty(head: Head, features: Tensor, labels: Tensor, class_weights: Tensor | None) -> float:
    """The penalty whose solution on three pictures of four says the fourth is likeliest; strong ones come first."""
    classes = torch.bincount(labels).nonzero().flatten()
    rank = torch.empty_like(labels)
    for each in classes:
        own = labels == each
        rank[own] = torch.arange(int(own.sum()), device=labels.device)
    some = rank < max(_HELD_OUT, _ENOUGH // len(classes))
    held = some & (rank % _HELD_OUT == _HELD_OUT - 1)
    if held.sum() < 2:
        return _USUAL
    known = some & ~held
    weight, bias = _start(head)
    losses: dict[float, float] = {}
    for penalty in _PENALTIES:
        weight, bias = _solve(weight, bias, features[known], labels[known], class_weights, penalty)
        answers = logits_of(features[held], weight, bias)
        losses[penalty] = float(functional.cross_entropy(answers, labels[held], weight=class_weights))
        if losses[penalty] > 2 * min(losses.values()):
            break  # weaker ones are worse still, and slower
    return min(losses, key=losses.__getitem__)


def _solve(
    weight: Tensor, bias: Tensor, features: Tensor, labels: Tensor, class_weights: Tensor | None, penalty: float
) -> tuple[Tensor, Tensor]:
    """Weight and bias under the penalty, from where they are."""
    weight, bias = weight.detach().clone().requires_grad_(), bias.detach().clone().requires_grad_()
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_ITERATIONS, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(logits_of(features, weight, bias), labels, weight=class_weights)
        loss = loss + 0.5 * penalty * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()


def _class_weights(labels: Tensor, num_classes: int) -> Tensor:
    counts = torch.bincount(labels, minlength=num_classes).clamp(min=1)
    return len(labels) / (num_classes * counts.float())
