"""Training learns, repeats itself, and survives what happens to it."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.checkpoint import ModelFolder, read_card, read_checkpoint, write_checkpoint
from niftyformer_assets.model.data import Dataset, load_dataset
from niftyformer_assets.model.device import Device, choose_device, out_of_memory_in_words
from niftyformer_assets.model.pictures import training_curves
from niftyformer_assets.model.step import TrainingStep
from niftyformer_assets.model.training import Trained, train
from niftyformer_assets.model.watch import Observer, summary, tensorboard
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.model.each_epoch import EachEpoch
from niftyformer_assets_tests.model.made_up import SESSIONS, write_experiment


def with_training(dataset: Dataset, **changes: Any) -> Dataset:
    return replace(dataset, settings=dataset.settings.with_training(**changes))


def weights(folder: Path, name: str = "best") -> dict[str, torch.Tensor]:
    return read_checkpoint(getattr(ModelFolder(folder), name))["model"]


def assert_same_weights(one: Path, other: Path) -> None:
    for name in ("best", "last"):
        ours, theirs = weights(one, name), weights(other, name)
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert torch.equal(ours[key], theirs[key]), key
    assert ModelFolder(one).best.read_bytes() == ModelFolder(other).best.read_bytes()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, cpu: Device) -> Trained:
    """A training on an experiment whose first factor says much about the next return."""
    folder = tmp_path_factory.mktemp("planted")
    settings = {"max_epochs": 30, "learning_rate": 5e-3, "patience": 30}
    planted = load_dataset(write_experiment(folder, signal=0.8, symbols=16, training=settings, model={"width": 8}))
    torch.set_num_threads(1)
    return train(planted, folder / "model", cpu)


def test_a_planted_signal_is_learned(planted: Trained) -> None:
    assert planted.best["val_mae"] < 0.95 * planted.best["val_mae_zero"]
    assert planted.best["val_accuracy"] > planted.best["val_accuracy_majority"] + 0.05
    assert planted.best["val_rank_ic"] > 0.2


def test_every_epoch_has_its_figures(planted: Trained) -> None:
    expected = {"epoch", "loss", "loss_mae", "loss_mae_low", "loss_cross_entropy", "loss_cross_entropy_low"}
    expected |= {"val_mae", "val_rmse", "val_mape", "val_accuracy", "val_rank_ic", "val_mae_zero"}
    expected |= {"val_accuracy_majority", "learning_rate", "gradient_norm"}
    assert expected <= set(planted.history.columns)
    assert list(planted.speed.columns) == ["epoch", "sessions_per_second", "seconds", "memory_mib"]
    assert (planted.speed > 0).all(axis=None) and len(planted.speed) == 30
    assert len(planted.history) == 30
    parts = planted.history.filter(regex="^loss_").sum(axis=1)
    np.testing.assert_allclose(parts, planted.history["loss"], rtol=1e-6)
    written = pd.read_csv(ModelFolder(planted.folder).metrics)
    np.testing.assert_allclose(written.to_numpy(), planted.history.to_numpy())
    written = pd.read_csv(ModelFolder(planted.folder).speed)
    np.testing.assert_allclose(written.to_numpy(), planted.speed.to_numpy())
    assert "zero" in summary(planted.best) and "majority" in summary(planted.best)


def test_the_best_weights_are_those_of_the_smallest_validation_mae(planted: Trained) -> None:
    best = read_checkpoint(ModelFolder(planted.folder).best)
    assert best["val_mae"] == planted.history["val_mae"].min() == planted.best["val_mae"]
    assert best["epoch"] == planted.history.loc[planted.history["val_mae"].idxmin(), "epoch"]


def test_the_picture_is_a_png_and_repeats_itself(planted: Trained) -> None:
    best = int(planted.best["epoch"])
    picture = training_curves(planted.history, best)
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000
    assert picture == training_curves(planted.history, best)
    assert picture != training_curves(planted.history, best % 30 + 1)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    tmp_path: Path, dataset: Dataset, device: Device
) -> None:
    short = with_training(dataset, max_epochs=2)
    train(short, tmp_path / "a", device)
    torch.rand(100)  # what the caller draws does not matter
    before = torch.get_rng_state()
    train(short, tmp_path / "b", device)
    assert torch.equal(torch.get_rng_state(), before)
    assert_same_weights(tmp_path / "a", tmp_path / "b")
    train(replace(short, settings=replace(short.settings, seed=43)), tmp_path / "c", device)
    assert not torch.equal(weights(tmp_path / "a")["classify.0.weight"], weights(tmp_path / "c")["classify.0.weight"])


class Interrupt(Observer):
    """Stops a training in the middle of an epoch."""

    def __init__(self, epoch: int, step: int) -> None:
        self.at = (epoch, step)

    def step(self, epoch: int, step: int) -> None:
        if (epoch, step) == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("at", [(1, 3), (2, 1), (3, 5)])
def test_interrupted_inside_an_epoch_it_ends_with_the_same_weights(
    tmp_path: Path, dataset: Dataset, device: Device, at: tuple[int, int]
) -> None:
    train(dataset, tmp_path / "whole", device)
    with pytest.raises(KeyboardInterrupt):
        train(dataset, tmp_path / "cut", device, [Interrupt(*at)])
    train(dataset, tmp_path / "cut", device)
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")


def test_a_finished_training_is_left_as_it_is_and_can_be_lengthened(
    tmp_path: Path, dataset: Dataset, cpu: Device
) -> None:
    train(dataset, tmp_path / "whole", cpu)
    train(with_training(dataset, max_epochs=2), tmp_path / "short", cpu)
    before = ModelFolder(tmp_path / "short").last.read_bytes()
    again = train(with_training(dataset, max_epochs=2), tmp_path / "short", cpu)
    assert ModelFolder(tmp_path / "short").last.read_bytes() == before
    assert "2 epochs are done" in again.stopped
    train(dataset, tmp_path / "short", cpu)
    assert_same_weights(tmp_path / "whole", tmp_path / "short")


def test_last_holds_everything_and_loads_without_running_code(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    train(with_training(dataset, max_epochs=1), tmp_path, cpu)
    state = torch.load(ModelFolder(tmp_path).last, weights_only=True)
    assert set(state) == {"card", "model", "optimizer", "scheduler", "random", "history"}
    assert state["card"]["data"] == dataset.fingerprint()
    assert state["card"]["settings"]["training"]["learning_rate"] == 1e-3
    assert set(state["optimizer"]) == {"learning_rate", "step", "exp_avg", "exp_avg_sq"}
    trained = sum(weight.numel() for name, weight in state["model"].items() if name != "graph")
    assert len(state["optimizer"]["exp_avg"]) == trained and state["optimizer"]["step"] == 7


def test_early_stopping_and_the_scheduler_follow_validation(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    settings = {"max_epochs": 60, "patience": 6, "scheduler_patience": 1, "learning_rate": 0.05}
    trained = train(with_training(dataset, **settings), tmp_path, cpu)
    mae, rate = trained.history["val_mae"].to_numpy(), trained.history["learning_rate"].to_numpy()
    assert len(mae) == np.argmin(mae) + 1 + 6 < 60
    assert trained.stopped.startswith("no better validation MAE for 6 epochs")
    waited, expected = 0, [0.05]
    best = np.inf
    for value in mae[:-1]:
        waited, best = (0, value) if value < best * (1 - 1e-4) else (waited + 1, best)
        expected.append(max(expected[-1] * 0.1, 2e-6) if waited > 1 else expected[-1])
        waited = 0 if waited > 1 else waited
    np.testing.assert_allclose(rate, expected)
    assert trained.notes == ()


def test_a_scheduler_that_cannot_act_is_said(planted: Trained, tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    trained = train(with_training(dataset, max_epochs=1), tmp_path, cpu)
    assert "20" in trained.notes[0] and "15" in trained.notes[0]


def shifted(dataset: Dataset) -> Dataset:
    """The last validation session is none."""
    split = dataset.split
    return replace(dataset, split=replace(split, validation=slice(split.validation.start, split.validation.stop - 1)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda d: with_training(d, batch_size=6), "training.batch_size was 12 and is 6"),
        (lambda d: replace(d, settings=replace(d.settings, seed=1)), "seed was 42 and is 1"),
        (lambda d: replace(d, factors=d.factors * 2), "the factors of the training and validation sessions changed"),
        (lambda d: replace(d, returns=d.returns + np.eye(*d.returns.shape, dtype=np.float32)), "the returns of"),
        (lambda d: replace(d, graph=d.graph + 1), "the graph embedding of"),
        (lambda d: replace(d, factor_names=("A", "B", "C")), "the factor names of"),
        (
            lambda d: shifted(d),
            "sessions.validation was 2022-05-11 to 2022-06-14 and is 2022-05-11 to 2022-06-13. Restart",
        ),
    ],
)
def test_changed_settings_or_data_are_named(
    tmp_path: Path, dataset: Dataset, cpu: Device, changed: Any, message: str
) -> None:
    train(with_training(dataset, max_epochs=1), tmp_path, cpu)
    other = changed(dataset)
    with pytest.raises(NiftyFormerError, match=re.escape(message)):
        train(with_training(other, max_epochs=1), tmp_path, cpu)
    train(with_training(other, max_epochs=1), tmp_path, cpu, restart=True)
    assert read_card(ModelFolder(tmp_path).card)["data"] == other.fingerprint()


def test_another_precision_is_named(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    train(with_training(dataset, max_epochs=1), tmp_path, cpu)
    with pytest.raises(NiftyFormerError, match="precision was float32 and is bfloat16"):
        train(dataset, tmp_path, replace(cpu, precision="bfloat16"))


def test_candles_that_come_later_do_not_disturb_a_training(tmp_path: Path, dataset: Dataset, device: Device) -> None:
    train(dataset, tmp_path / "whole", device)
    train(with_training(dataset, max_epochs=2), tmp_path / "cut", device)
    longer = load_dataset(write_experiment(tmp_path / "longer", sessions=SESSIONS + 20))
    train(longer, tmp_path / "cut", device)
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")


class Unfingerprinted(Dataset):
    """Data whose changes go unnoticed, so that a training meets them half-way."""

    def fingerprint(self) -> dict[str, str]:
        return {}


def test_a_loss_that_is_not_finite_names_the_sessions_and_keeps_the_last_good_state(
    tmp_path: Path, dataset: Dataset, cpu: Device
) -> None:
    sound = Unfingerprinted(**{field.name: getattr(dataset, field.name) for field in fields(dataset)})
    train(with_training(sound, max_epochs=1), tmp_path, cpu)
    files = ModelFolder(tmp_path)
    before = files.last.read_bytes()
    factors = dataset.factors.copy()
    factors[40] = 3e38
    broken = replace(sound, factors=factors)
    with pytest.raises(NiftyFormerError, match="not finite in epoch 2") as caught:
        train(broken, tmp_path, cpu)
    assert "\n" not in str(caught.value)
    named = np.array(re.findall(r"\d{4}-\d{2}-\d{2}", str(caught.value)), dtype="datetime64[D]")
    rows = np.searchsorted(dataset.axes.dates, named)
    assert 0 < len(named) <= 12
    assert ((rows >= 40) & (rows < 48)).any()
    assert files.last.read_bytes() == before


def test_changed_code_is_named(tmp_path: Path, dataset: Dataset, cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    train(with_training(dataset, max_epochs=1), tmp_path, cpu)
    monkeypatch.setattr("niftyformer_assets.model.baseline_registry.code_of", lambda *_files: "another")
    with pytest.raises(NiftyFormerError, match="the code that makes the model changed"):
        train(dataset, tmp_path, cpu)


def test_going_on_with_other_threads_is_said(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    train(with_training(dataset, max_epochs=1), tmp_path, cpu)
    try:
        torch.set_num_threads(2)
        assert "threads was 1 and is 2" in train(with_training(dataset, max_epochs=2), tmp_path, cpu).notes[-1]
    finally:
        torch.set_num_threads(before)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", ["last", "best"])
def test_damaged_checkpoints_are_named(tmp_path: Path, dataset: Dataset, cpu: Device, name: str) -> None:
    train(with_training(dataset, max_epochs=1), tmp_path, cpu)
    path = getattr(ModelFolder(tmp_path), name)
    content = path.read_bytes()
    cuts = [content[:length] for length in range(0, len(content), len(content) // 25)]
    # A flipped bit: torch itself would load it.
    flipped = bytearray(content)
    flipped[content.index(b"data/0") + 200] ^= 1
    for broken in (*cuts, bytes(flipped), b"junk", b"\x80\x04cos\nsystem\n."):
        path.write_bytes(broken)
        with pytest.raises(NiftyFormerError, match=rf"{name}\.pt is damaged") as caught:
            train(dataset, tmp_path, cpu)
        assert "weights_only" not in str(caught.value) and "\n" not in str(caught.value)
    path.unlink()
    write_checkpoint(path, {"something": "else"})
    with pytest.raises(NiftyFormerError, match="does not hold"):
        train(dataset, tmp_path, cpu)
    train(dataset, tmp_path, cpu, restart=True)
    assert len(read_checkpoint(path)) > 1


def test_weights_of_an_older_training_never_lie_beside_a_newer_card(
    tmp_path: Path, dataset: Dataset, cpu: Device
) -> None:
    """`last.pt` was deleted, as one is told to where it is damaged, and the new training is cut in its first epoch."""
    train(with_training(dataset, max_epochs=1), tmp_path, cpu)
    files = ModelFolder(tmp_path)
    files.last.unlink()
    with pytest.raises(KeyboardInterrupt):
        train(replace(dataset, factors=dataset.factors * 2), tmp_path, cpu, [Interrupt(1, 1)])
    assert not files.best.exists()


@pytest.mark.parametrize("part", ["train", "validation"])
def test_data_that_cannot_be_learned_from_leave_the_older_model(
    tmp_path: Path, dataset: Dataset, cpu: Device, part: str
) -> None:
    train(with_training(dataset, max_epochs=1), tmp_path, cpu)
    files = ModelFolder(tmp_path)
    before = [path.read_bytes() for path in (files.card, files.best, files.last, files.metrics)]
    valid = dataset.valid.copy()
    valid[getattr(dataset.split, part)] = False
    message = f"no stock has a return in the {'training' if part == 'train' else part} sessions"
    with pytest.raises(NiftyFormerError, match=message):
        train(replace(dataset, valid=valid), tmp_path, cpu, restart=True)
    assert [path.read_bytes() for path in (files.card, files.best, files.last, files.metrics)] == before


def test_a_validation_that_is_not_finite_names_stock_and_session(
    tmp_path: Path, dataset: Dataset, device: Device
) -> None:
    factors = dataset.factors.copy()
    session = dataset.split.validation.stop - 4
    factors[session] = 3e38
    with pytest.raises(NiftyFormerError, match="the validation of epoch 1 is not finite") as caught:
        train(replace(dataset, factors=factors), tmp_path, device)
    assert str(dataset.axes.dates[session]) in str(caught.value)


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    (tmp_path / "model").write_text("")
    with pytest.raises(NiftyFormerError, match="cannot be trained into"):
        train(dataset, tmp_path / "model", cpu)
    (tmp_path / "sound" / "tensorboard").parent.mkdir()
    (tmp_path / "sound" / "tensorboard").write_text("")
    with pytest.raises(NiftyFormerError, match="cannot be written for TensorBoard"):
        train(dataset, tmp_path / "sound", cpu, [tensorboard(tmp_path / "sound" / "tensorboard")])


def test_a_prediction_does_not_depend_on_how_many_follow(dataset: Dataset, device: Device) -> None:
    torch.manual_seed(0)
    step = TrainingStep(dataset, device, "plain")
    step.begin(dataset, build_model(dataset).state_dict())
    made_on = torch.arange(20, 45)
    whole = step.inference(made_on)
    for count in (1, 12, 13, 24):
        for found, expected in zip(step.inference(made_on[:count]), whole, strict=True):
            np.testing.assert_array_equal(found, expected[:count])


def test_half_written_files_of_a_killed_process_are_swept_away(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    train(dataset, tmp_path / "whole", cpu)
    train(with_training(dataset, max_epochs=2), tmp_path / "cut", cpu)
    left = tmp_path / "cut" / ".last.pt.0123abcd.tmp"
    left.write_bytes(ModelFolder(tmp_path / "cut").last.read_bytes()[:500])
    train(dataset, tmp_path / "cut", cpu)
    assert not left.exists()
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")


def test_two_trainings_do_not_share_a_folder(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    def second(_metrics: object) -> None:
        with pytest.raises(NiftyFormerError, match="another process is training"):
            train(dataset, tmp_path, cpu)

    train(with_training(dataset, max_epochs=1), tmp_path, cpu, [EachEpoch(second)])


def test_out_of_memory_ends_in_one_line_with_the_batch_size_to_try(device: Device) -> None:
    with (
        pytest.raises(NiftyFormerError, match=r"set training\.batch_size to 6") as caught,
        out_of_memory_in_words(12, device),
    ):
        torch.empty(2**50, device=device.torch_device)
    assert "\n" not in str(caught.value)
    for words in (
        "CUDA error: out of memory\nCUDA kernel errors …",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling",
    ):
        with pytest.raises(NiftyFormerError, match="set a smaller"), out_of_memory_in_words(1, device):
            raise RuntimeError(words)
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory_in_words(12, device):
        torch.ones(2, 3) @ torch.ones(2, 3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_required_gpu_that_is_not_there_is_said() -> None:
    for refused in (lambda: choose_device(require_gpu=True), lambda: choose_device("cuda")):
        with pytest.raises(NiftyFormerError, match="no GPU to train on"):
            refused()
    with pytest.raises(NiftyFormerError, match="GPU is required"):
        choose_device("cpu", require_gpu=True)


def test_the_device_says_what_it_is() -> None:
    device = choose_device("cpu", "bfloat16")
    assert device.kind == "cpu" and device.memory_mib > 0
    assert str(device) == f"{device.name} ({device.memory_mib} MiB) in bfloat16"


def test_bfloat16_learns_too(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    narrow = replace(cpu, precision="bfloat16")
    trained = train(with_training(dataset, max_epochs=3), tmp_path, narrow)
    exact = train(with_training(dataset, max_epochs=3), tmp_path / "exact", cpu)
    np.testing.assert_allclose(trained.history["loss"], exact.history["loss"], rtol=0.05)
