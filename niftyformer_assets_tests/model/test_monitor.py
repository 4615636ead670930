"""What validation decides by: the mean absolute error, or the rank IC of the label that is traded."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from niftyformer_assets.model.checkpoint import ModelFolder, read_checkpoint
from niftyformer_assets.model.data import Dataset, load_dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.metrics import measure
from niftyformer_assets.model.monitor import best_epoch, error_of, errors_of, plateau
from niftyformer_assets.model.training import train
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.model.made_up import write_experiment
from niftyformer_assets_tests.model.test_training import with_training

RANK_IC = TrainingSettings(monitor="rank_ic")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Stocks enough for a rank IC on every session."""
    return load_dataset(write_experiment(tmp_path_factory.mktemp("many"), symbols=16, gaps=False))


@pytest.mark.parametrize("monitor", ["mae", "rank_ic"])
def test_the_error_is_that_of_the_figures_bit_by_bit(monitor: str) -> None:
    """A training that goes on has the figures alone."""
    rng = np.random.default_rng(0)
    value, label = rng.normal(size=(2, 9, 2, 12))
    known = rng.random(label.shape) < 0.95
    settings = TrainingSettings(monitor=monitor)  # type: ignore[arg-type]
    figures = {f"val_{name}": figure for name, figure in measure(value, value, label, known).items()}
    assert errors_of([figures], settings) == [error_of(value, label, known, settings)]
    if monitor == "rank_ic":
        # Of the last label alone.
        other = value.copy()
        other[:, 0] = 0
        assert error_of(other, label, known, settings) == error_of(value, label, known, settings)
        assert error_of(label, label, known, settings) == pytest.approx(-1)


def test_who_orders_nothing_is_worse_than_any_order() -> None:
    label = np.random.default_rng(1).normal(size=(5, 1, 12))
    known = np.ones(label.shape, dtype=bool)
    errors = [error_of(value, label, known, RANK_IC) for value in (np.zeros(label.shape), -label, label)]
    assert errors[0] == math.inf and best_epoch(errors) == 2 and best_epoch(errors[:2]) == 1
    assert best_epoch([math.inf, math.inf]) == 0


def test_a_plateau_of_the_rank_ic_is_left_by_any_gain() -> None:
    for start in (-0.03, 0.0, 0.02):  # errors of either sign
        weight = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([weight], lr=1.0)
        scheduler = plateau(optimizer, TrainingSettings(monitor="rank_ic", scheduler_patience=0))
        for error in (start, start - 1e-7, start - 2e-7):
            scheduler.step(error)
        assert optimizer.param_groups[0]["lr"] == 1.0
        scheduler.step(start)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


def test_the_best_epoch_and_the_end_follow_the_rank_ic(tmp_path: Path, many: Dataset, cpu: Device) -> None:
    settings = {"monitor": "rank_ic", "max_epochs": 60, "patience": 5, "learning_rate": 0.05}
    trained = train(with_training(many, **settings), tmp_path, cpu)
    ranked, mae = trained.history["val_rank_ic_last"].to_numpy(), trained.history["val_mae"].to_numpy()
    best = int(np.argmax(ranked)) + 1
    assert trained.best["epoch"] == best and trained.best["val_rank_ic_last"] == ranked.max()
    assert read_checkpoint(ModelFolder(tmp_path).best)["epoch"] == best
    assert len(ranked) == best + 5 < 60 and best != int(np.argmin(mae)) + 1
    assert trained.stopped == f"no better validation rank IC for 5 epochs, the best was epoch {best}"
    assert "better validation rank IC" in trained.notes[0]
    again = train(with_training(many, **settings), tmp_path, cpu)
    assert again.stopped == trained.stopped and again.best == trained.best


def test_too_few_stocks_for_a_rank_ic_are_named(tmp_path: Path, cpu: Device) -> None:
    few = load_dataset(write_experiment(tmp_path / "few", symbols=9))
    train(with_training(few, max_epochs=1), tmp_path / "model", cpu)
    before = ModelFolder(tmp_path / "model").best.read_bytes()
    with pytest.raises(NiftyFormerError, match=r"no session of validation has 10 stocks .* training\.monitor to mae"):
        train(with_training(few, max_epochs=1, monitor="rank_ic"), tmp_path / "model", cpu, restart=True)
    assert ModelFolder(tmp_path / "model").best.read_bytes() == before
