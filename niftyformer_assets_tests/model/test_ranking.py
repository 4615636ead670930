"""The ranking losses beside plain loops."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.loss import Targets, loss_parts
from niftyformer_assets.model.network import Outputs
from niftyformer_assets.model.ranking import losses, ranking_loss
from niftyformer_assets.model.training import train
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets_tests.model.test_training import with_training

BATCH, LABELS, STOCKS = 3, 2, 7


def targets(label: torch.Tensor, known: torch.Tensor) -> Targets:
    return Targets(label, label, label > 0, known, known)


def by_hand(name: str, value: np.ndarray, label: np.ndarray, known: np.ndarray) -> float:
    """A session and a stock after the other, [B, T2, N]."""
    sessions: dict[tuple[int, int], list[int]] = {}
    squares: dict[int, list[float]] = {}
    for b, h in product(range(value.shape[0]), range(value.shape[1])):
        stocks = [n for n in range(value.shape[2]) if known[b, h, n]]
        y = [label[b, h, n] for n in stocks]
        if len(set(y)) > 1:
            sessions[b, h] = stocks
            squares.setdefault(h, []).extend((each - sum(y) / len(y)) ** 2 for each in y)
    losses = []
    for (b, h), stocks in sessions.items():
        unit = math.sqrt(sum(squares[h]) / len(squares[h]))
        y, v = ([float(array[b, h, n]) / unit for n in stocks] for array in (label, value))
        if name == "pairwise":
            pairs = [math.log1p(math.exp(v[j] - v[i])) for i in range(len(y)) for j in range(len(y)) if y[i] > y[j]]
            losses.append(sum(pairs) / len(pairs))
        else:
            first = [math.exp(each) / sum(map(math.exp, y)) for each in y]
            said = [math.log(math.exp(each) / sum(map(math.exp, v))) for each in v]
            losses.append(-sum(a * b for a, b in zip(first, said, strict=True)))
    return sum(losses) / len(losses) if losses else 0.0


@pytest.mark.parametrize("name", ["pairwise", "listnet"])
@pytest.mark.parametrize("scale", [1.0, 0.02])
def test_it_is_the_plain_loop(name: str, scale: float) -> None:
    torch.manual_seed(0)
    value, label = torch.randn(2, BATCH, LABELS, STOCKS, dtype=torch.float64) * scale
    label[0, 0, :3] = label[0, 0, 0]  # ties
    known = torch.rand(BATCH, LABELS, STOCKS) < 0.7
    known[1, 0] = False  # a session without any
    known[1, 1] = torch.arange(STOCKS) == 2  # and one with a single stock
    label[2, 1] = 0.1 * scale  # and one whose stocks are all the same
    known[2, 1] = True
    found = ranking_loss(name, value, targets(label, known))
    assert found.item() == pytest.approx(by_hand(name, value.numpy(), label.numpy(), known.numpy()))
    # In units of the labels' deviation: returns and their ranks weigh the same.
    torch.testing.assert_close(ranking_loss(name, value * 50, targets(label * 50, known)), found)


@pytest.mark.parametrize("name", ["pairwise", "listnet"])
def test_what_is_not_known_reaches_neither_loss_nor_gradient(name: str) -> None:
    torch.manual_seed(1)
    value, label = torch.randn(2, BATCH, LABELS, STOCKS)
    known = torch.rand(BATCH, LABELS, STOCKS) < 0.6
    found = []
    for garbage in (0.0, torch.nan, torch.inf):
        given = value.where(known, garbage).requires_grad_()
        loss = ranking_loss(name, given, targets(label.where(known, garbage), known))
        (gradient,) = torch.autograd.grad(loss, given)
        found.append((loss, gradient))
        assert torch.isfinite(gradient).all() and not gradient[~known].any() and gradient[known].any()
    for loss, gradient in found[1:]:
        assert torch.equal(loss, found[0][0]) and torch.equal(gradient, found[0][1])


@pytest.mark.parametrize("name", ["pairwise", "listnet"])
def test_no_order_is_no_loss(name: str) -> None:
    label, known = torch.zeros(1, 1, 4), torch.ones(1, 1, 4, dtype=torch.bool)
    value = torch.randn(1, 1, 4, requires_grad=True)
    for there in (known, ~known):
        loss = ranking_loss(name, value, targets(label, there))
        assert loss == 0 and not torch.autograd.grad(loss, value)[0].any()


@pytest.mark.parametrize("name", ["pairwise", "listnet"])
@pytest.mark.parametrize("apart", [0.0, 1e-9, 1e-6])
def test_a_session_that_is_as_good_as_without_order_weighs_no_more_than_another(name: str, apart: float) -> None:
    torch.manual_seed(4)
    label, known = torch.randn(2, 1, 30) * 0.02, torch.ones(2, 1, 30, dtype=torch.bool)
    known[1, 0, 3:] = False
    label[1, 0, :3] = torch.tensor([0.1, 0.1, 0.1 + apart])
    value = (torch.randn(2, 1, 30) * 0.02).requires_grad_()
    (gradient,) = torch.autograd.grad(ranking_loss(name, value, targets(label, known)), value)
    assert gradient[1].abs().sum() <= 10 * gradient[0].abs().sum()


@pytest.mark.parametrize("name", ["pairwise", "listnet"])
def test_it_falls_as_the_order_becomes_right(name: str) -> None:
    label, known = torch.randn(2, 1, 9, generator=torch.Generator().manual_seed(2)), torch.ones(2, 1, 9).bool()
    found = [ranking_loss(name, share * label, targets(label, known)).item() for share in (-1.0, 0.0, 0.5, 1.0)]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("name", ["pairwise", "listnet"])
def test_it_comes_beside_the_others_with_its_weight(name: Any) -> None:
    torch.manual_seed(3)
    label, known = torch.randn(2, 2, 5), torch.ones(2, 2, 5, dtype=torch.bool)
    outputs = Outputs(*torch.randn(2, 2, 2, 5), *torch.randn(2, 2, 2, 5, 2))
    parts = loss_parts(outputs, targets(label, known))
    assert torch.equal(losses(outputs, targets(label, known), TrainingSettings()), parts)
    found = losses(outputs, targets(label, known), TrainingSettings(ranking_loss=name, ranking_weight=0.3))
    assert torch.equal(found[:4], parts)
    torch.testing.assert_close(found[4], 0.3 * ranking_loss(name, outputs.value, targets(label, known)))


@pytest.mark.parametrize("name", ["pairwise", "listnet"])
def test_a_training_tells_of_it(tmp_path: Path, dataset: Dataset, cpu: Device, name: str) -> None:
    settings = {"ranking_loss": name, "ranking_weight": 2.0, "max_epochs": 4, "learning_rate": 0.01}
    history = train(with_training(dataset, **settings), tmp_path, cpu).history
    np.testing.assert_allclose(history.filter(regex="^loss_").sum(axis=1), history["loss"], rtol=1e-6)
    assert history["loss_ranking"].iloc[-1] < history["loss_ranking"].iloc[0]
