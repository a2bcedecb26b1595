"""Logistic regression on features: as good as scikit-learn's, on any scale, for linear and convolutional heads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

from train.regression import fit, logits_of

MEANS = torch.tensor([[0.0, 0.0, 1.0], [1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])


def clouds(count: int, *, noise: float = 0.6, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(N, 3) features on very different scales, and (N,) labels of three classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    features = MEANS[labels] + noise * torch.randn(count, 3, generator=generator)
    return features * torch.tensor([1.0, 1000.0, 0.001]) + torch.tensor([50.0, 0.0, 0.0]), labels


def test_unseen_pictures_are_as_likely_as_under_the_best_of_scikit_learns() -> None:
    features, labels = clouds(90)
    unseen, truth = clouds(3000, seed=1)
    head = nn.Linear(3, 3)
    fit(head, features, labels, balance=False)
    ours = float(functional.cross_entropy(head(unseen), truth).detach())
    mean, scale = features.mean(0), features.std(0)
    theirs = []
    for strength in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0):
        model = LogisticRegression(C=strength, max_iter=1000).fit((features - mean) / scale, labels)
        said = torch.from_numpy(model.predict_log_proba((unseen - mean) / scale)).float()
        theirs.append(float(functional.nll_loss(said, truth)))
    assert ours < min(theirs) + 0.02
    assert ours < max(theirs) - 0.05  # the penalty matters here


def test_a_convolution_is_fitted_through_its_relu_and_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    features = torch.randn(120, 3, 4, 4, generator=generator) + 3 * torch.eye(3)[labels][:, :, None, None] + 7
    torch.manual_seed(0)
    head = nn.Conv2d(3, 3, 1)
    fit(head, features, labels, balance=False)
    answers = head(features).relu().mean((2, 3))
    assert torch.allclose(answers, logits_of(features, head.weight, head.bias), atol=1e-4)
    assert float((answers.argmax(1) == labels).float().mean()) > 0.95


def test_balance_weighs_a_rare_class_as_a_common_one() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * 900 + [1] * 100)
    features = torch.randn(1000, 1, generator=generator) + labels[:, None].float()  # they overlap by much
    found = []
    for balance in (False, True):
        head = nn.Linear(1, 2)
        fit(head, features, labels, balance=balance)
        answers = head(features).argmax(1)
        found.append([float((answers[labels == each] == each).float().mean()) for each in (0, 1)])
    (common, rare), (balanced_common, balanced_rare) = found
    assert common > 0.95
    assert rare < 0.3
    assert min(balanced_common, balanced_rare) > 0.55


@pytest.mark.parametrize("count", [2, 3])
def test_a_picture_of_each_class_is_enough(count: int) -> None:
    features = torch.eye(count, 8)
    head = nn.Linear(8, count)
    fit(head, features, torch.arange(count), balance=True)
    assert head(features).argmax(1).tolist() == list(range(count))


def test_a_feature_that_never_changes_and_a_class_without_pictures_do_no_harm() -> None:
    features, labels = clouds(60)
    features[:, 1] = 5.0
    head = nn.Linear(3, 5, bias=False)
    fit(head, features, labels, balance=False)
    assert bool(head.weight.isfinite().all())
    assert np.isfinite(float(functional.cross_entropy(head(features), labels).detach()))
