"""Training: one loop, which can be killed anywhere and goes on as if nothing had happened."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from niftyformer_assets.dataset.windows import Samples
from niftyformer_assets.factors.labels import TRADED_PLACE
from niftyformer_assets.factors.settings import MIN_STOCKS
from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.checkpoint import (
    STATE,
    ModelFolder,
    changed_settings,
    environment,
    model_card,
    read_checkpoint,
    why_not_go_on,
    write_card,
    write_trained,
)
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device, out_of_memory_in_words
from niftyformer_assets.model.epoch_log import SPEED, EpochLog
from niftyformer_assets.model.finite import must_be_finite, must_be_finite_in_validation
from niftyformer_assets.model.metrics import traded_rank_ic
from niftyformer_assets.model.monitor import WORDS, best_epoch, error_of, errors_of, plateau
from niftyformer_assets.model.saving import Saver
from niftyformer_assets.model.schedule import sessions_of_an_epoch, steps_of_an_epoch, steps_to_the_lowest
from niftyformer_assets.model.step import Steps, TrainingStep
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets.model.watch import Observer
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.words import counted


@dataclass(frozen=True, eq=False)
class Trained:
    """How a training went.

    best: the metrics of the epoch whose weights were kept.
    history: the metrics of each epoch; metrics.csv as a frame.
    speed: time and memory of those epochs of which they are known; speed.csv as a frame.
    stopped: why it ended, in words.
    notes: what a reader of the figures should know.
    """

    folder: Path
    device: Device
    best: dict[str, float]
    history: pd.DataFrame
    speed: pd.DataFrame
    stopped: str
    notes: tuple[str, ...]


def networks(dataset: Dataset, folder: Path) -> list[tuple[Dataset, Path]]:
    """The networks that an experiment's settings ask for, each by its dataset, with its own seed, and its folder.

    The first has the experiment's seed and lies in `folder` itself, the others beside it.
    """
    first, count = dataset.settings.seed, dataset.settings.training.seeds
    others = [
        (replace(dataset, settings=replace(dataset.settings, seed=seed)), folder / f"seed-{seed}")
        for seed in range(first + 1, first + count)
    ]
    return [(dataset, folder), *others]


def remove_others(dataset: Dataset, folder: Path) -> None:
    """Remove the networks of seeds that the settings no longer ask for: nothing would predict with them."""
    kept = {place for _, place in networks(dataset, folder)}
    for left in folder.glob("seed-*"):
        if left.is_dir() and left not in kept:
            shutil.rmtree(left)


def train(
    dataset: Dataset,
    folder: Path,
    device: Device,
    observers: Sequence[Observer] = (),
    restart: bool = False,
    steps: Steps | None = None,
) -> Trained:
    """Train on a dataset, or go on where a training in this folder was interrupted.

    After every epoch `last.pt` holds everything needed to go on; killed anywhere and started again,
    training ends with the same weights, bit by bit, on the same device.

    Args:
        folder: the model's folder; made if absent.
        restart: forget what is in the folder and begin anew.
        steps: shared by trainings that follow one another: what one made ready serves the next.

    Raises:
        NiftyFormerError: the folder holds a training with other settings or data; another process
            is training into it; the loss is not finite; the device is out of memory.
    """
    files = ModelFolder(folder)
    with ExitStack() as stack:
        stack.enter_context(files.locked())
        stack.enter_context(_deterministic(device))
        stack.enter_context(out_of_memory_in_words(dataset.settings.training.batch_size, device))
        for observer in observers:
            stack.callback(observer.finished)
        return _train(dataset, files, device, observers, restart, steps or Steps())


def _train(
    dataset: Dataset, files: ModelFolder, device: Device, observers: Sequence[Observer], restart: bool, steps: Steps
) -> Trained:
    card = model_card(dataset, device)
    resumed = None if restart else _last_state(files, card)
    labels = _labels_to_judge_by(dataset)
    steps_to_the_lowest(dataset)  # which may be refused too
    # Only now: what is refused above leaves an older model as it is.
    if resumed is None:
        files.clear()
    resumed_notes = _notes_on_resuming(resumed, files, device)
    write_card(files.card, card)
    write_text(files.environment, json.dumps(environment(device), indent=1, sort_keys=True) + "\n")
    if device.kind == "cuda":
        torch.cuda.reset_peak_memory_stats()
    step, log = steps.of(dataset, device), EpochLog(files, card, labels, dataset.settings.training)
    scheduler = _begin(step, dataset)
    if resumed is not None:
        _go_on(step, scheduler, log, resumed)
        for observer in observers:
            observer.caught_up(log.history[-1])
    stopped = _train_epochs(dataset, device, step, scheduler, log, observers)
    write_trained(files, stopped)
    best = log.history[best_epoch(errors_of(log.history, dataset.settings.training))]
    speed = pd.DataFrame(log.speed, columns=list(SPEED))
    notes = (*_notes(dataset.settings.training), *step.notes, *resumed_notes)
    return Trained(files.root, device, best, pd.DataFrame(log.history), speed, stopped, notes)


def _begin(step: TrainingStep, dataset: Dataset) -> ReduceLROnPlateau:
    """Put the first weights and an optimiser that has seen nothing into place; the scheduler of its learning rate."""
    torch.manual_seed(dataset.settings.seed)
    step.begin(dataset, build_model(dataset).state_dict())
    return plateau(step.optimizer, dataset.settings.training)


def _go_on(step: TrainingStep, scheduler: ReduceLROnPlateau, log: EpochLog, resumed: dict[str, Any]) -> None:
    """Put everything into the place where an interrupted training had it."""
    step.weights.load(resumed["model"])
    step.load_optimizer_state(resumed["optimizer"])
    scheduler.load_state_dict(resumed["scheduler"])
    _set_random_states(resumed["random"])
    log.take_up(json.loads(resumed["history"]))


def _train_epochs(
    dataset: Dataset,
    device: Device,
    step: TrainingStep,
    scheduler: ReduceLROnPlateau,
    log: EpochLog,
    observers: Sequence[Observer],
) -> str:
    """Train the epochs that are left, and write each while the next one is trained; why it ended, in words."""
    settings, samples, files = dataset.settings.training, dataset.samples(), log.files
    made_on = {part: torch.from_numpy(samples[part].made_on) for part in ("train", "validation")}
    drawn, errors = sessions_of_an_epoch(dataset), errors_of(log.history, settings)
    if (stopped := _why_stop(errors, settings)) is None:
        files.trained.unlink(missing_ok=True)
        for observer in observers:
            observer.started(len(errors) + 1, settings.max_epochs, steps_of_an_epoch(dataset))
    with _short_turns(), Saver(observers) as saver:
        while stopped is None:
            epoch, began = len(errors) + 1, time.perf_counter()
            order = made_on["train"][torch.randperm(len(made_on["train"]))[:drawn]]
            for done in step.epoch(order):
                for observer in observers:
                    observer.step(epoch, done)
                saver.look()
            # Read once an epoch: a look at a number on a GPU waits for all that was asked of it.
            record = step.recorded()
            trained_for = time.perf_counter() - began
            saver.wait()
            must_be_finite(record, order.split(settings.batch_size), dataset, epoch, files)
            value, p_up = step.inference(made_on["validation"])
            known = log.labels["known"]
            must_be_finite_in_validation(value, p_up, known, dataset, samples["validation"], epoch, files)
            errors.append(error_of(value, log.labels["label"], known, settings))
            learning_rate = step.rate.item()
            if not settings.falls_by_step:
                scheduler.step(errors[-1])
            state = {
                # Of the learning rate it keeps a tensor on the device, which only waits for the next epoch there.
                "scheduler": {**scheduler.state_dict(), "_last_lr": [step.learning_rate.item()]},
                "random": _random_states(device),
            }
            took = {
                "sessions_per_second": drawn / trained_for,
                "seconds": time.perf_counter() - began,
                "memory_mib": float(device.peak_mib()),
            }
            # The rest needs the host alone, and is done beside the next epoch.
            saver.save(partial(log.write, record, learning_rate, value, p_up, step.kept(), state, took))
            stopped = _why_stop(errors, settings)
        saver.wait()
    return stopped


def _labels_to_judge_by(dataset: Dataset) -> dict[str, Any]:
    """The labels of validation, as `_labels` gives them; raises where they or those of training are none."""
    samples = dataset.samples()
    training, validation = (_labels(dataset, samples[part]) for part in ("train", "validation"))
    for part, labels in (("training", training), ("validation", validation)):
        if not labels["known"].any():
            raise NiftyFormerError(
                f"no stock has a return in the {part} sessions: there is nothing to learn from. Check the experiment's "
                "sessions and label.csv."
            )
    if dataset.settings.training.monitor == "rank_ic":
        label, known = validation["label"], validation["known"]
        if math.isnan(traded_rank_ic(label, label, known)):
            raise NiftyFormerError(
                f"no session of validation has {MIN_STOCKS} stocks with different labels that are traded, so there is "
                "no rank IC to stop by: set training.monitor to mae, or choose more stocks."
            )
    return validation


def _labels(dataset: Dataset, samples: Samples) -> dict[str, Any]:
    """What `measure` takes: label (missing = 0) and whether it is known, [S, T2, N], of the stocks a sample may use."""
    labels, enough = dataset.labels.array[samples.made_on], dataset.enough[samples.made_on][:, None]
    return {
        "label": np.nan_to_num(labels),
        "known": np.isfinite(labels) & enough,
        "overlap": dataset.labels.labels[TRADED_PLACE].overlap,
    }


def _last_state(files: ModelFolder, card: dict[str, Any]) -> dict[str, Any] | None:
    """The state to go on from, or None; refuses one of another training."""
    if found := why_not_go_on(files, card):
        raise NiftyFormerError(
            f"the training in {files.root} cannot go on: {'; '.join(found)}. "
            "Restart it (--restart; materializing trained_model does), or give it another folder."
        )
    return read_checkpoint(files.last, STATE) if files.last.is_file() else None


def _why_stop(errors: Sequence[float], settings: TrainingSettings) -> str | None:
    """Why a training with the errors of these epochs ends, or None."""
    if not errors:
        return None
    best = best_epoch(errors) + 1
    if len(errors) - best >= settings.patience:
        better = f"no better {WORDS[settings.monitor]}"
        return f"{better} for {counted(settings.patience, 'epoch')}, the best was epoch {best}"
    if len(errors) >= settings.max_epochs:
        return f"{counted(len(errors), 'epoch is', 'epochs are')} done, the best was epoch {best}"
    return None


def _notes(settings: TrainingSettings) -> tuple[str, ...]:
    if settings.falls_by_step or settings.scheduler_patience < settings.patience:
        return ()
    awaited = "validation MAE lower by 0.01%" if settings.monitor == "mae" else f"better {WORDS[settings.monitor]}"
    any_better = "lower" if settings.monitor == "mae" else "better"
    return (
        "The learning rate will hardly ever fall: its scheduler waits "
        f"{counted(settings.scheduler_patience, 'epoch')} for a "
        f"{awaited}, and early stopping ends the training after {settings.patience} without "
        f"any {any_better} one.",
    )


def _notes_on_resuming(resumed: dict[str, Any] | None, files: ModelFolder, device: Device) -> tuple[str, ...]:
    if resumed is None:
        return ()
    try:
        before = dict(json.loads(files.environment.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return (f"Resumed without {files.environment.name}, so nothing tells where the first epochs were trained.",)
    found = changed_settings(before, environment(device))
    if not found:
        return ()
    return (f"Resumed where {'; '.join(found)}: the weights are not bit by bit those of one uninterrupted training.",)


def _random_states(device: Device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.kind == "cuda":
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _set_random_states(states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])


@contextmanager
def _short_turns() -> Iterator[None]:
    """Who writes an epoch lets the training go on within less than a step of a GPU takes; 5 ms is Python's default."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(2e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def _deterministic(device: Device) -> Iterator[None]:
    """Repeatable operations, and the caller's generators and flags as they were afterwards."""
    before = torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    with torch.random.fork_rng(devices=[0] if device.kind == "cuda" else []):
        try:
            torch.use_deterministic_algorithms(True)
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            yield
        finally:
            torch.use_deterministic_algorithms(before)
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
