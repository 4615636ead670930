"""The learning rate of each step is that of the closed form, counted on the device."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.checkpoint import ModelFolder
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.schedule import learning_rate
from niftyformer_assets.model.step import TrainingStep
from niftyformer_assets.model.training import train
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.model.test_training import assert_same_weights, with_training

FULL, LOWEST = 1e-3, 2e-6


def by_hand(taken: int, decay: str, warmup: int, last: int) -> float:
    """Of the step after so many."""
    if taken < warmup:
        return FULL * (taken + 1) / warmup
    if decay == "plateau":
        return FULL
    share = min((taken - warmup) / (last - warmup), 1.0)
    left = 1 - share if decay == "linear" else 0.5 * (1 + math.cos(math.pi * share))
    return LOWEST + (FULL - LOWEST) * left


@pytest.mark.parametrize("decay", ["plateau", "cosine", "linear"])
@pytest.mark.parametrize("warmup", [0, 1, 5])
def test_it_is_the_closed_form(decay: Any, warmup: int) -> None:
    settings = TrainingSettings(learning_rate_decay=decay, warmup_steps=warmup)
    full, last = torch.tensor(FULL), torch.tensor(20.0)
    found = [learning_rate(full, torch.tensor(float(taken)), last, settings).item() for taken in range(30)]
    np.testing.assert_allclose(found, [by_hand(taken, decay, warmup, 20) for taken in range(30)], rtol=1e-5)
    assert found[max(warmup - 1, 0)] == pytest.approx(FULL) and max(found) <= FULL * (1 + 1e-6)
    assert found[-1] == pytest.approx(FULL if decay == "plateau" else LOWEST)


@pytest.mark.parametrize("settings", [{"decay_steps": 9}, {"max_epochs": 3}])
@pytest.mark.parametrize("decay", ["cosine", "linear"])
def test_each_step_of_a_training_has_its_own(dataset: Dataset, cpu: Device, decay: str, settings: Any) -> None:
    falling = with_training(dataset, learning_rate_decay=decay, warmup_steps=4, **settings)
    step, made_on = TrainingStep(falling, cpu, "plain"), torch.from_numpy(dataset.samples()["train"].made_on)
    step.begin(falling, build_model(falling).state_dict())
    found = [step.rate.item() for _ in range(3) for _ in step.epoch(made_on)]
    last = settings.get("decay_steps", len(found))
    np.testing.assert_allclose(found, [by_hand(n, decay, 4, last) for n in range(len(found))], rtol=1e-5)
    assert step.learning_rate.item() == pytest.approx(FULL)


def test_the_optimiser_takes_it(dataset: Dataset, cpu: Device) -> None:
    """The first step of a warm-up of 4 is that of a quarter of the learning rate."""
    made_on = torch.from_numpy(dataset.samples()["train"].made_on)[:12]
    changed = []
    for settings in ({"warmup_steps": 4, "learning_rate": 0.02}, {"learning_rate": 0.005}):
        of = with_training(dataset, **settings)
        step = TrainingStep(of, cpu, "plain")
        torch.manual_seed(0)
        step.begin(of, build_model(of).state_dict())
        torch.manual_seed(1)
        list(step.epoch(made_on))
        changed.append(step.weights.flat.detach().clone())
    torch.testing.assert_close(changed[0], changed[1], rtol=1e-6, atol=1e-8)


def test_the_figures_of_an_epoch_say_its_last_one(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    falling = with_training(dataset, learning_rate_decay="linear", warmup_steps=5, max_epochs=4)
    trained = train(falling, tmp_path, cpu)
    steps = 7  # an epoch: 80 samples and a few, 12 at a time
    expected = [by_hand(steps * epoch - 1, "linear", 5, 4 * steps) for epoch in range(1, 5)]
    np.testing.assert_allclose(trained.history["learning_rate"], expected, rtol=1e-5)
    assert trained.notes == ()


def test_a_warm_up_leaves_the_plateau_to_validation(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    settings = {"max_epochs": 30, "patience": 30, "scheduler_patience": 0, "learning_rate": 0.05, "warmup_steps": 10}
    trained = train(with_training(dataset, **settings), tmp_path, cpu)
    mae, rate = trained.history["val_mae"].to_numpy(), trained.history["learning_rate"].to_numpy()
    full, best, expected = 0.05, np.inf, []
    for epoch, value in enumerate(mae):
        expected.append(full * min(1, 7 * (epoch + 1) / 10))
        full = full if value < best * (1 - 1e-4) else max(full * 0.1, 2e-6)
        best = min(best, value) if value < best * (1 - 1e-4) else best
    np.testing.assert_allclose(rate, expected, rtol=1e-5)
    assert rate[-1] < 0.05


def test_a_fall_over_all_epochs_is_not_lengthened_and_one_over_steps_is(
    tmp_path: Path, dataset: Dataset, cpu: Device
) -> None:
    def falling(epochs: int, **settings: Any) -> Dataset:
        return with_training(dataset, learning_rate_decay="cosine", max_epochs=epochs, **settings)

    train(falling(1), tmp_path / "all", cpu)
    with pytest.raises(NiftyFormerError, match=r"training\.max_epochs was 1 and is 2"):
        train(falling(2), tmp_path / "all", cpu)
    train(falling(1, decay_steps=20), tmp_path / "steps", cpu)
    train(falling(3, decay_steps=20), tmp_path / "steps", cpu)
    train(falling(3, decay_steps=20), tmp_path / "whole", cpu)
    assert_same_weights(tmp_path / "steps", tmp_path / "whole")


def test_a_warm_up_longer_than_the_training_is_named_and_leaves_the_older_model(
    tmp_path: Path, dataset: Dataset, cpu: Device
) -> None:
    train(with_training(dataset, max_epochs=1), tmp_path, cpu)
    before = ModelFolder(tmp_path).best.read_bytes()
    long = with_training(dataset, learning_rate_decay="linear", warmup_steps=14, max_epochs=2)
    with pytest.raises(NiftyFormerError, match=r"training\.warmup_steps is 14, and training\.max_epochs 2 are 14"):
        train(long, tmp_path, cpu, restart=True)
    assert ModelFolder(tmp_path).best.read_bytes() == before
