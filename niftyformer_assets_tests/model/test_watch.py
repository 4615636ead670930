"""What a person sees of a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.model.checkpoint import ModelFolder
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.training import train
from niftyformer_assets.model.watch import Bar, Lines, tensorboard


def epochs(dataset: Dataset, count: int) -> Dataset:
    return replace(dataset, settings=dataset.settings.with_training(max_epochs=count))


def test_tensorboard_has_one_value_an_epoch_also_after_going_on(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    files = ModelFolder(tmp_path)
    train(epochs(dataset, 2), tmp_path, cpu, [tensorboard(files.tensorboard)])
    trained = train(epochs(dataset, 3), tmp_path, cpu, [tensorboard(files.tensorboard)])
    history = trained.history
    events = accumulators.EventAccumulator(str(files.tensorboard))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {*history.columns, *trained.speed.columns} - {"epoch"}
    for name in ("val_mae", "val_mae_zero", "val_accuracy_majority", "gradient_norm"):
        written = events.Scalars(name)
        assert [event.step for event in written] == [1, 2, 3]
        assert [event.value for event in written] == pytest.approx(list(history[name]))


def test_killed_before_the_last_epoch_was_told_it_is_told_when_going_on(
    tmp_path: Path, dataset: Dataset, cpu: Device
) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    files = ModelFolder(tmp_path)
    train(epochs(dataset, 2), tmp_path, cpu, [tensorboard(files.tensorboard)])
    train(epochs(dataset, 3), tmp_path, cpu)  # its last epoch reaches last.pt and no curve
    files.metrics.unlink()
    trained = train(epochs(dataset, 3), tmp_path, cpu, [tensorboard(files.tensorboard)])
    events = accumulators.EventAccumulator(str(files.tensorboard))
    events.Reload()
    assert [event.step for event in events.Scalars("val_mae")] == [1, 2, 3]
    np.testing.assert_allclose(pd.read_csv(files.metrics).to_numpy(), trained.history.to_numpy())


def test_lines_and_bar_show_each_epoch_beside_the_trivial_predictions(
    tmp_path: Path, dataset: Dataset, cpu: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    train(epochs(dataset, 2), tmp_path / "lines", cpu, [Lines()])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1 of 2: loss") and lines[0].endswith(" left")
    assert lines[1].startswith("epoch 2 of 2: loss") and not lines[1].endswith(" left")
    assert "(zero 0.0" in lines[1] and "(majority 0." in lines[1]
    train(epochs(dataset, 2), tmp_path / "bar", cpu, [Bar()])
    captured = capsys.readouterr()
    shown = " ".join(captured.err.split())
    assert captured.out == ""
    assert "epoch 2: loss" in shown and "2/2" in shown
