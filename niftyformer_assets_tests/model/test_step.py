"""One step on tensors that stay in place: filled up, padded, used again, captured."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from niftyformer_assets.model import capture
from niftyformer_assets.model.batches import Sizes
from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.data import Dataset, load_dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.loss import LOSS_PARTS, loss_parts
from niftyformer_assets.model.step import Steps, TrainingStep, Way
from niftyformer_assets.model.training import networks, remove_others, train
from niftyformer_assets.store.provenance import code_version
from niftyformer_assets_tests.model.conftest import NO_GPU
from niftyformer_assets_tests.model.made_up import write_experiment
from niftyformer_assets_tests.model.test_training import assert_same_weights, with_training

STEPS = 20


@pytest.fixture(autouse=True)
def repeatable() -> Iterator[None]:
    """As a training has it: sums of a fixed order."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """An experiment that a GPU's kernels take: 16 wide, and 11 stocks, which is no multiple of 8."""
    folder = tmp_path_factory.mktemp("wide")
    return load_dataset(
        write_experiment(folder, symbols=11, model={"width": 16}, graph={"dimensions": 16, "embedding": "spectral"})
    )


def with_dropout(dataset: Dataset, share: float) -> Dataset:
    model: Any = dataset.settings.model
    other = replace(model, model=replace(model.model, dropout=share))
    return replace(dataset, settings=replace(dataset.settings, model=other))


def trained_step(
    dataset: Dataset, device: Device, way: Way = "plain", multiple: int | None = None, share: float | None = None
) -> tuple[TrainingStep, Tensor]:
    """A step after 20 batches of an epoch whose last is not full, and what was recorded of each."""
    if share is not None:
        dataset = with_dropout(dataset, share)
    step = TrainingStep(dataset, device, way, multiple)
    torch.manual_seed(5)
    step.begin(dataset, build_model(dataset).state_dict())
    made_on = torch.from_numpy(dataset.samples()["train"].made_on)
    record = []
    while len(record) < STEPS:
        for _ in step.epoch(made_on[torch.randperm(len(made_on))]):
            pass
        record.extend(step.recorded())
    return step, torch.stack(record[:STEPS])


def test_samples_that_fill_up_a_batch_count_for_nothing(dataset: Dataset, cpu: Device) -> None:
    step = TrainingStep(with_dropout(dataset, 0.0), cpu, "plain")
    torch.manual_seed(0)
    network = build_model(dataset)
    step.begin(dataset, network.state_dict())
    made_on = torch.from_numpy(dataset.samples()["train"].made_on)[:5]
    for _ in step.epoch(made_on):
        pass
    alone = loss_parts(network.eval()(step.data.inputs(made_on)), step.data.targets(made_on))
    torch.testing.assert_close(step.recorded()[0, : len(LOSS_PARTS)], alone.detach())


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_absent_stocks_and_channels_change_nothing_but_rounding(dataset: Dataset, cpu: Device, share: float) -> None:
    plain, record = trained_step(dataset, cpu, share=share)
    padded, padded_record = trained_step(dataset, cpu, multiple=8, share=share)
    assert padded.data.sizes == (256, 16, 6) and plain.data.sizes[1:] == (10, 3)
    torch.testing.assert_close(padded_record, record, rtol=1e-4, atol=1e-5)
    for name, weight in plain.kept()()[0].items():
        torch.testing.assert_close(padded.kept()()[0][name], weight, rtol=1e-3, atol=2e-4, msg=name)


def test_garbage_in_the_padding_reaches_nothing(dataset: Dataset, device: Device) -> None:
    found = []
    for garbage in (False, True):
        step = TrainingStep(dataset, device, "plain", 8)
        torch.manual_seed(0)
        step.begin(dataset, build_model(dataset).state_dict())
        if garbage:
            stocks = step.data.here.stocks
            torch.manual_seed(1)
            for array in (step.data.returns, step.data.labels, step.data.factors):
                array[:, stocks:] = torch.randn_like(array[:, stocks:]) * 1e3
            step.weights.network.graph[stocks:] = 1e3
        torch.manual_seed(2)
        made_on = torch.from_numpy(dataset.samples()["train"].made_on)
        for _ in step.epoch(made_on):
            pass
        found.append((step.recorded(), step.kept()()[0], step.inference(made_on)))
    (record, state, said), (record_too, state_too, said_too) = found
    assert torch.equal(record, record_too)
    assert all(torch.equal(state[name], state_too[name]) for name in state)
    assert all(np.array_equal(a, b) for a, b in zip(said, said_too, strict=True))


def test_what_is_restored_is_copied_into_place(dataset: Dataset, device: Device) -> None:
    step, _ = trained_step(dataset, device)
    places = [step.weights.flat, step.learning_rate, *step._moments().values(), step.data.factors]
    before = [place.data_ptr() for place in places]
    state, moments, judged = step.kept()()
    assert judged is state
    step.begin(dataset, build_model(dataset).state_dict())
    assert not any(moment.any() for moment in step._moments().values())
    step.weights.load(state)
    step.load_optimizer_state(moments)
    after = [step.weights.flat, step.learning_rate, *step._moments().values(), step.data.factors]
    assert [place.data_ptr() for place in after] == before
    assert all(torch.equal(step.kept()()[0][name], state[name]) for name in state)
    assert all(torch.equal(step.kept()()[1][name], moments[name]) for name in moments)


def test_weights_of_another_network_are_refused(dataset: Dataset, wide: Dataset, cpu: Device) -> None:
    step = TrainingStep(dataset, cpu, "plain")
    with pytest.raises(RuntimeError, match="the network's"):
        step.weights.load(build_model(wide).state_dict())
    with pytest.raises(RuntimeError, match="another network"):
        step.weights.load({})


def windows(folder: Path) -> list[Dataset]:
    """Two windows in time, of other sessions, stocks and factors, which fit after padding."""
    first, second = (
        load_dataset(write_experiment(folder / str(symbols), sessions=sessions, symbols=symbols, seed=symbols))
        for sessions, symbols in ((150, 11), (145, 14))
    )
    return [first, replace(second, factors=second.factors[..., :2], factor_names=second.factor_names[:2])]


def test_a_step_is_used_again_for_seeds_and_windows_and_gives_what_each_gets_alone(
    tmp_path: Path, device: Device
) -> None:
    padded = Steps(8)
    first, second = windows(tmp_path)
    other_seed = replace(first, settings=replace(first.settings, seed=7))
    used = []
    for number, dataset in enumerate((first, other_seed, second, first)):
        train(dataset, tmp_path / f"shared-{number}", device, steps=padded)
        used.append(padded.of(dataset, device))
        train(dataset, tmp_path / f"alone-{number}", device, steps=Steps(8))
        assert_same_weights(tmp_path / f"shared-{number}", tmp_path / f"alone-{number}")
    assert len({id(step) for step in used}) == 1
    assert not used[0].fits(with_training(first, batch_size=6), device, used[0].asked)
    assert not used[0].fits(load_dataset(write_experiment(tmp_path / "larger", symbols=17)), device, used[0].asked)


def test_sizes_are_rounded_up() -> None:
    assert Sizes(660, 185, 22).padded(8) == (768, 192, 22)
    assert Sizes(660, 185, 22).padded(1) == (768, 185, 22)
    assert Sizes(128, 8, 7).padded(8) == (128, 8, 14)


def test_what_is_compiled_is_the_same_step(dataset: Dataset, cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced as a whole, with its gradient; the compiler behind it takes minutes on a CPU and is left out."""
    monkeypatch.setattr(capture.torch, "compile", partial(torch.compile, backend="aot_eager"))
    step, record = trained_step(dataset, cpu, "compiled")
    assert step.way == "compiled" and not step.notes
    torch.testing.assert_close(record, trained_step(dataset, cpu)[1], rtol=1e-4, atol=1e-5)


def test_what_cannot_be_compiled_is_run_plainly_and_said(
    dataset: Dataset, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_graph: object, _inputs: object) -> object:
        raise OSError("no compiler here")

    monkeypatch.setattr(capture.torch, "compile", partial(torch.compile, backend=broken))
    step, record = trained_step(dataset, cpu, "compiled")
    assert step.way == "plain" and "could not be compiled" in step.notes[0]
    assert torch.equal(record, trained_step(dataset, cpu)[1])


def test_any_number_of_sizes_can_be_compiled_in_one_process(
    dataset: Dataset, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture.torch, "compile", partial(torch.compile, backend="eager"))
    for batch in range(2, 12):
        step = TrainingStep(with_training(dataset, batch_size=batch), cpu, "compiled")
        assert step.way == "compiled", step.notes


def test_what_was_compiled_lies_in_a_folder_of_this_code(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    for before in ("/tmp/torchinductor_somebody", None):
        monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
        monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
        if before:
            monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", before)
        capture.compiled(torch.sum)
        assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == f"/cache/niftyformer-torch-{code_version('model')}"
        assert torch._functorch.config.autograd_cache_allow_custom_autograd_functions
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/mine")
    capture.compiled(torch.sum)
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/mine"
    assert not torch._functorch.config.autograd_cache_allow_custom_autograd_functions


def test_a_step_that_does_not_fit_is_gone_before_the_next(dataset: Dataset, cpu: Device) -> None:
    steps = Steps()
    first = weakref.ref(steps.of(dataset, cpu))
    steps.of(with_training(dataset, batch_size=6), cpu)
    assert first() is None


def test_on_a_cpu_there_is_nothing_to_capture(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    captured = train(with_training(dataset, max_epochs=1, step="captured"), tmp_path / "captured", cpu)
    assert "only on a GPU" in captured.notes[-1]
    train(with_training(dataset, max_epochs=1), tmp_path / "plain", cpu)
    assert_same_weights(tmp_path / "captured", tmp_path / "plain")


def test_seeds_are_networks_beside_one_another(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    several = with_training(dataset, seeds=3, max_epochs=1)
    found = networks(several, tmp_path)
    assert [(data.settings.seed, place.name) for data, place in found[1:]] == [(43, "seed-43"), (44, "seed-44")]
    assert found[0] == (several, tmp_path)
    steps = Steps()
    for network, place in found:
        train(network, place, cpu, steps=steps)
    alone = with_training(replace(dataset, settings=replace(dataset.settings, seed=44)), max_epochs=1)
    train(alone, tmp_path / "alone", cpu)
    assert_same_weights(tmp_path / "alone", tmp_path / "seed-44")
    remove_others(with_training(dataset, seeds=2), tmp_path)
    assert [place.name for place in tmp_path.glob("seed-*")] == ["seed-43"]


@NO_GPU
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_captured_is_the_plain_step_bit_by_bit(wide: Dataset, gpu: Device, precision: str) -> None:
    device = replace(gpu, precision=precision)  # type: ignore[arg-type]
    step, record = trained_step(wide, device, "captured")
    plain, plain_record = trained_step(wide, device, "plain")
    assert step.way == "captured" and not step.notes
    assert torch.equal(record, plain_record)
    assert torch.equal(step.weights.flat, plain.weights.flat)
    made_on = torch.from_numpy(wide.samples()["validation"].made_on)
    for found, expected in zip(step.inference(made_on), plain.inference(made_on), strict=True):
        np.testing.assert_array_equal(found, expected)


@NO_GPU
def test_padded_and_gpu_and_cpu_agree_without_dropout(wide: Dataset, gpu: Device, cpu: Device) -> None:
    _, expected = trained_step(wide, cpu, share=0.0)
    for multiple in (1, 8):
        _, record = trained_step(wide, replace(gpu, precision="float32"), "captured", multiple, share=0.0)
        torch.testing.assert_close(record, expected, rtol=2e-3, atol=1e-4)
    _, narrow = trained_step(wide, gpu, "captured", share=0.0)
    torch.testing.assert_close(narrow[:, :4], expected[:, :4], rtol=0.1, atol=0.02)


@NO_GPU
def test_what_cannot_be_captured_is_run_plainly_and_said(
    wide: Dataset, gpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[[TrainingStep], None] = TrainingStep._step

    def looks_at_a_value(step: TrainingStep) -> None:
        real(step)
        step.record.sum().item()

    monkeypatch.setattr(TrainingStep, "_step", looks_at_a_value)
    step, record = trained_step(wide, gpu, "captured")
    assert step.way == "plain" and "could not be captured" in step.notes[0]
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    assert torch.isfinite(record).all()
