"""Everything that can be set at once: it repeats itself, goes on after a kill, and is one step on tensors in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from niftyformer_assets.model import capture
from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.checkpoint import ModelFolder
from niftyformer_assets.model.data import Dataset, load_dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.model.step import Steps, TrainingStep
from niftyformer_assets.model.training import train
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets_tests.model.conftest import NO_GPU
from niftyformer_assets_tests.model.made_up import write_experiment
from niftyformer_assets_tests.model.test_step import trained_step
from niftyformer_assets_tests.model.test_training import Interrupt, assert_same_weights, with_training

TRAINING: dict[str, Any] = {
    "weight_decay": 0.1,
    "learning_rate_decay": "cosine",
    "warmup_steps": 5,
    "ema_decay": 0.9,
    "monitor": "rank_ic",
    "ranking_loss": "pairwise",
    "ranking_weight": 0.5,
    "max_epochs": 4,
    "precision": "float32",
}
MODEL: dict[str, Any] = {"attention_dropout": 0.1, "head_dropout": 0.2, "input_dropout": 0.3}
SECTIONS: dict[str, Any] = {"training": TRAINING, "model": MODEL}


@pytest.fixture(scope="module", params=["sparse", "plain", "none"])
def everything(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("everything")
    model = MODEL | {"stock_attention": request.param}
    return load_dataset(write_experiment(folder, symbols=16, training=TRAINING, model=model))


@pytest.mark.parametrize("at", [(1, 3), (3, 1)])
def test_interrupted_it_ends_with_the_same_bytes(
    tmp_path: Path, everything: Dataset, device: Device, at: tuple[int, int]
) -> None:
    train(everything, tmp_path / "whole", device)
    with pytest.raises(KeyboardInterrupt):
        train(everything, tmp_path / "cut", device, [Interrupt(*at)])
    train(everything, tmp_path / "cut", device)
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")
    for name in ("best.pt", "last.pt", "metrics.csv", "trained.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes(), name


def test_a_step_used_again_gives_what_each_gets_alone(tmp_path: Path, device: Device) -> None:
    """Windows of other lengths, whose learning rates fall over other numbers of steps, and another seed."""
    longer = {"split": {"train": ["2022-01-05", "2022-05-24"]}}  # ten sessions more
    first, second = (
        load_dataset(write_experiment(tmp_path / str(stocks), symbols=stocks, **{**SECTIONS, **other}))
        for stocks, other in ((11, {}), (14, longer))
    )
    other_seed = replace(first, settings=replace(first.settings, seed=7))
    steps, used = Steps(16), []
    for number, dataset in enumerate((first, other_seed, second, first)):
        train(dataset, tmp_path / f"shared-{number}", device, steps=steps)
        used.append(steps.of(dataset, device))
        train(dataset, tmp_path / f"alone-{number}", device, steps=Steps(16))
        assert_same_weights(tmp_path / f"shared-{number}", tmp_path / f"alone-{number}")
    assert len({id(step) for step in used}) == 1
    assert ModelFolder(tmp_path / "shared-0").best.read_bytes() == ModelFolder(tmp_path / "shared-3").best.read_bytes()


@pytest.mark.parametrize(
    "changed",
    [
        *({"weight_decay": 0.2}, {"warmup_steps": 6}, {"learning_rate_decay": "linear"}, {"min_learning_rate": 1e-5}),
        *({"ema_decay": 0.5}, {"ranking_loss": "listnet"}, {"ranking_weight": 0.1}, {"batch_size": 6}),
    ],
)
def test_a_step_made_for_other_settings_does_not_fit(dataset: Dataset, cpu: Device, changed: dict[str, Any]) -> None:
    of = with_training(dataset, **TRAINING)
    step = TrainingStep(of, cpu, "plain")
    assert step.fits(with_training(of, learning_rate=0.1, decay_steps=50, max_epochs=9, monitor="mae"), cpu, "plain")
    assert not step.fits(with_training(of, **changed), cpu, "plain")


class Looks(TorchDispatchMode):
    """Notes what looks at a value on the host, or makes a tensor whose size depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple = (), options: dict[str, Any] | None = None
    ) -> Any:
        name = str(function)
        by_mask = name.startswith("aten.index.") and any(
            index is not None and index.dtype == torch.bool for index in arguments[1]
        )
        if by_mask or any(word in name for word in ("_local_scalar_dense", "nonzero", "masked_select", "unique")):
            self.found.append(name)
        return function(*arguments, **(options or {}))


def test_a_step_never_looks_at_a_value(everything: Dataset, cpu: Device) -> None:
    """What a captured step may not do; without a GPU nothing is captured."""
    step = TrainingStep(everything, cpu, "plain")
    step.begin(everything, build_model(everything).state_dict())
    with Looks() as looks:
        step._step()
        step.inference._batch()
        assert looks.found == []
        step.rate.item()
    assert looks.found


def test_compiled_it_is_the_same_step(everything: Dataset, cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture.torch, "compile", partial(torch.compile, backend="aot_eager"))
    step, record = trained_step(everything, cpu, "compiled")
    assert step.way == "compiled" and not step.notes
    torch.testing.assert_close(record, trained_step(everything, cpu)[1], rtol=1e-3, atol=1e-4)


@NO_GPU
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_captured_it_is_the_plain_step_bit_by_bit(everything: Dataset, gpu: Device, precision: str) -> None:
    device = replace(gpu, precision=precision)  # type: ignore[arg-type]
    step, record = trained_step(everything, device, "captured")
    plain, plain_record = trained_step(everything, device, "plain")
    assert step.way == "captured" and not step.notes
    assert torch.equal(record, plain_record) and torch.equal(step.weights.flat, plain.weights.flat)
    assert step.mean is not None and plain.mean is not None
    assert torch.equal(step.mean.mean, plain.mean.mean)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrainingSettings(weight_decay=-0.1), "weight_decay and warmup_steps must be at least 0"),
        (lambda: TrainingSettings(warmup_steps=-1), "weight_decay and warmup_steps must be at least 0"),
        (lambda: TrainingSettings(weight_decay=1000.0), "weight_decay times learning_rate must be below 1"),
        (lambda: TrainingSettings(ema_decay=1.0), "ema_decay must be at least 0 and below 1"),
        (lambda: TrainingSettings(decay_steps=10), "decay_steps has no say where learning_rate_decay is plateau"),
        (
            lambda: TrainingSettings(learning_rate_decay="cosine", scheduler_patience=3),
            "scheduler_factor and scheduler_patience have no say where learning_rate_decay is cosine or linear",
        ),
        (
            lambda: TrainingSettings(learning_rate_decay="linear", scheduler_factor=0.5),
            "scheduler_factor and scheduler_patience have no say",
        ),
        (
            lambda: TrainingSettings(learning_rate_decay="linear", warmup_steps=10, decay_steps=10),
            "decay_steps must be above warmup_steps",
        ),
        (lambda: TrainingSettings(learning_rate_decay="linear", decay_steps=0), "decay_steps must be above"),
        (
            lambda: TrainingSettings(learning_rate_decay="cosine", min_learning_rate=0.1),
            "min_learning_rate must be at most learning_rate",
        ),
        (lambda: TrainingSettings(ranking_weight=0.5), "ranking_weight has no say where ranking_loss is none"),
        (lambda: TrainingSettings(ranking_loss="listnet", ranking_weight=0), "ranking_weight must be above 0"),
        *(
            (partial(ModelSettings, **{name: share}), f"{name}.* must be at least 0 and below 1")
            for name in MODEL
            for share in (-0.1, 1.0)
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
