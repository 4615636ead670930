"""Weight decay and the mean of the weights, beside computations by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from niftyformer_assets.model.averaging import WeightMean
from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.checkpoint import ModelFolder, read_checkpoint
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.predict import predict
from niftyformer_assets.model.step import TrainingStep
from niftyformer_assets.model.training import train
from niftyformer_assets_tests.model.test_training import with_training


def begun(dataset: Dataset, cpu: Device) -> TrainingStep:
    torch.manual_seed(0)
    step = TrainingStep(dataset, cpu, "plain")
    torch.manual_seed(0)
    step.begin(dataset, build_model(dataset).state_dict())
    return step


@pytest.mark.parametrize("warmup", [0, 2])
def test_weight_decay_shrinks_the_maps_apart_from_the_gradient(dataset: Dataset, cpu: Device, warmup: int) -> None:
    rate, decay = 0.01, 0.3
    step = begun(with_training(dataset, weight_decay=decay, learning_rate=rate, warmup_steps=warmup), cpu)
    before = {name: weight.clone() for name, weight in step.weights.network.named_parameters()}
    list(step.epoch(torch.arange(20, 32)))
    assert step.weights.flat.grad is not None
    parts = step.weights.flat.grad.split([shape.numel() for shape in step.weights.shapes])
    gradients = dict(zip(step.weights.names, parts, strict=True))
    used = rate / max(warmup, 1)
    maps = 0
    for name, weight in step.weights.network.named_parameters():
        gradient = gradients[name].view_as(weight).double()
        kept = 1 - used * decay if weight.dim() > 1 else 1.0
        maps += weight.dim() > 1
        # Adam's first step: the moments without their bias are the gradient and its square.
        expected = before[name].double() * kept - used * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(weight.double(), expected, rtol=1e-5, atol=2e-7, msg=name)
    assert 0 < maps < len(before)


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_the_mean_is_that_of_a_loop(decay: float) -> None:
    torch.manual_seed(0)
    weights = torch.randn(50, 6)
    mean = WeightMean(weights[0], decay)
    for number, flat in enumerate(weights, start=1):
        mean.take(flat, torch.tensor(float(number)))
        total, whole = np.zeros(6), 0.0
        for place, other in enumerate(weights[:number].double().numpy(), start=1):
            total += decay ** (number - place) * other
            whole += decay ** (number - place)
        np.testing.assert_allclose(mean.mean.numpy(), total / whole, rtol=2e-4, atol=2e-6)


def test_a_training_takes_the_mean_over_its_steps(dataset: Dataset, cpu: Device) -> None:
    step = begun(with_training(dataset, ema_decay=0.8, learning_rate=0.01), cpu)
    made_on = torch.from_numpy(dataset.samples()["train"].made_on)
    after = [step.weights.flat.detach().clone() for _ in range(2) for _ in step.epoch(made_on)]
    shares = 0.8 ** torch.arange(len(after) - 1, -1, -1)
    expected = (torch.stack(after) * (shares / shares.sum())[:, None]).sum(0)
    assert step.mean is not None
    torch.testing.assert_close(step.mean.mean, expected, rtol=1e-4, atol=1e-6)
    # Only what is judged is the mean; the training itself goes on as it would without one.
    alone = begun(with_training(dataset, learning_rate=0.01), cpu)
    torch.manual_seed(9)
    list(alone.epoch(made_on))
    beside = begun(with_training(dataset, ema_decay=0.8, learning_rate=0.01), cpu)
    torch.manual_seed(9)
    list(beside.epoch(made_on))
    assert torch.equal(alone.weights.flat, beside.weights.flat)


def test_validation_best_weights_and_predictions_are_of_the_mean(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    meant = with_training(dataset, ema_decay=0.9, learning_rate=0.01, max_epochs=1)
    trained = train(meant, tmp_path, cpu)
    files = ModelFolder(tmp_path)
    best, last = read_checkpoint(files.best), read_checkpoint(files.last)
    names = [name for name in best["model"] if name != "graph" and not name.endswith("key.bias")]  # that never moves
    assert not any(torch.equal(best["model"][name], last["model"][name]) for name in names)
    # As a step that has the mean for its weights says it.
    step = begun(with_training(dataset), cpu)
    step.weights.load(best["model"])
    flat = step.weights.flat.detach()
    torch.testing.assert_close(flat, last["optimizer"]["mean"], rtol=0, atol=0)
    samples = dataset.samples()["validation"]
    value, _ = step.inference(torch.from_numpy(samples.made_on))
    known = np.isfinite(dataset.labels.array[samples.made_on]) & dataset.enough[samples.made_on][:, None]
    label = np.nan_to_num(dataset.labels.array[samples.made_on])
    assert np.abs(value - label)[known].mean() == pytest.approx(trained.best["val_mae"], rel=1e-6)
    table = predict(meant, tmp_path, cpu, ("validation",))
    made = dataset.axes.dates[samples.made_on[3]].astype("datetime64[ns]")
    of_one = table[(table["date_made"] == made) & (table["horizon"] == 1)].set_index("symbol")["return"]
    place = [dataset.axes.symbols.index(symbol) for symbol in of_one.index]
    np.testing.assert_allclose(of_one.to_numpy(), value[3, 0, place], rtol=1e-5)
