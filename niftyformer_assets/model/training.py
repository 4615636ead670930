"""Training: one loop, which can be killed anywhere and goes on as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from niftyformer_assets.dataset.windows import Samples
from niftyformer_assets.model.batches import DeviceData
from niftyformer_assets.model.checkpoint import (
    STATE,
    ModelFolder,
    changed_settings,
    model_card,
    read_checkpoint,
    why_not_go_on,
    write_card,
    write_checkpoint,
)
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device, out_of_memory_in_words
from niftyformer_assets.model.loss import LOSS_PARTS, loss_parts
from niftyformer_assets.model.metrics import measure
from niftyformer_assets.model.settings import TrainingSettings
from niftyformer_assets.model.stockformer import Stockformer
from niftyformer_assets.model.watch import Observer
from niftyformer_assets.store.atomic import atomic_path
from niftyformer_assets.store.errors import NiftyFormerError


@dataclass(frozen=True, eq=False)
class Trained:
    """How a training went.

    best: the metrics of the epoch whose weights were kept.
    history: the metrics of each epoch; metrics.csv as a frame.
    stopped: why it ended, in words.
    notes: what a reader of the figures should know.
    """

    folder: Path
    device: Device
    best: dict[str, float]
    history: pd.DataFrame
    stopped: str
    notes: tuple[str, ...]


def train(
    dataset: Dataset,
    folder: Path,
    device: Device,
    observers: Sequence[Observer] = (),
    restart: bool = False,
) -> Trained:
    """Train on a dataset, or go on where a training in this folder was interrupted.

    After every epoch `last.pt` holds everything needed to go on; killed anywhere and started again,
    training ends with the same weights, bit by bit, on the same device.

    Args:
        folder: the model's folder; made if absent.
        restart: forget what is in the folder and begin anew.

    Raises:
        NiftyFormerError: the folder holds a training with other settings or data; another process
            is training into it; the loss is not finite; the device is out of memory.
    """
    files = ModelFolder(folder)
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(files.lock, timeout=0))
            files.remove_unfinished_writes()
        except Timeout:
            raise NiftyFormerError(
                f"another process is training into {folder}: wait for it or use another folder."
            ) from None
        except OSError as error:
            raise NiftyFormerError(
                f"{folder} cannot be trained into: {error.strerror or error}. Make it writable, or use another folder."
            ) from None
        stack.enter_context(_deterministic(device))
        stack.enter_context(out_of_memory_in_words(dataset.settings.training.batch_size, device))
        for observer in observers:
            stack.callback(observer.finished)
        return _train(dataset, files, device, observers, restart)


def _train(
    dataset: Dataset, files: ModelFolder, device: Device, observers: Sequence[Observer], restart: bool
) -> Trained:
    settings = dataset.settings.training
    card = model_card(dataset, device)
    resumed = None if restart else _last_state(files, card)
    samples = dataset.samples()
    data = DeviceData(dataset, device.torch_device)
    made_on = {part: torch.from_numpy(samples[part].made_on) for part in ("train", "validation")}
    labels = _labels(dataset, samples["validation"])
    for part, known in (("training", _labels(dataset, samples["train"])["known"]), ("validation", labels["known"])):
        if not known.any():
            raise NiftyFormerError(
                f"no stock has a return in the {part} sessions: there is nothing to learn from. Check the experiment's "
                "sessions and label.csv."
            )

    # Only now: what is refused above leaves an older model as it is.
    if resumed is None:
        files.clear()
    write_card(files.card, card)
    if device.kind == "cuda":
        torch.cuda.reset_peak_memory_stats()
    torch.manual_seed(dataset.settings.seed)
    model = build_model(dataset).to(device.torch_device)
    optimizer = build_optimizer(model, settings)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        factor=settings.scheduler_factor,
        patience=settings.scheduler_patience,
        min_lr=settings.min_learning_rate,
    )
    history: list[dict[str, float]] = []
    if resumed is not None:
        model.load_state_dict(resumed["model"])
        optimizer.load_state_dict(resumed["optimizer"])
        scheduler.load_state_dict(resumed["scheduler"])
        _set_random_states(resumed["random"])
        history = resumed["history"]
        # Killed right after last.pt was written, the last epoch is told nowhere else.
        _write_history(files.metrics, history)
        for observer in observers:
            observer.caught_up(history[-1])

    network = _compiled(model, device) if settings.compile else model
    steps = -(-len(made_on["train"]) // settings.batch_size)
    if (reason := _why_stop(history, settings)) is None:
        for observer in observers:
            observer.started(len(history) + 1, settings.max_epochs, steps)
    while reason is None:
        epoch, began = len(history) + 1, time.perf_counter()
        # Read once an epoch: a look at a number on a GPU waits for all that was asked of it.
        record = torch.zeros(steps, len(LOSS_PARTS) + 1, device=device.torch_device)
        order = made_on["train"][torch.randperm(len(made_on["train"]))]
        batches = order.to(device.torch_device).split(settings.batch_size)
        network.train()
        for step, batch in enumerate(batches):
            record[step] = training_step(network, optimizer, data, batch, device, settings.gradient_clip)
            for observer in observers:
                observer.step(epoch, step + 1)
        _must_be_finite(record.cpu(), batches, dataset, epoch, files)
        trained_for = time.perf_counter() - began
        value, p_up = predict_samples(network, data, made_on["validation"], device, settings.batch_size)
        _must_be_finite_in_validation(value, p_up, labels["known"], dataset, samples["validation"], epoch, files)
        validation = measure(value, p_up, labels["value"], labels["known"])
        learning_rate = optimizer.param_groups[0]["lr"]
        scheduler.step(validation["mae"])
        means = record.mean(0).tolist()
        metrics = {
            "epoch": float(epoch),
            "loss": sum(means[:-1]),
            **{f"loss_{name}": mean for name, mean in zip(LOSS_PARTS, means, strict=False)},
            **{f"val_{name}": figure for name, figure in validation.items()},
            "learning_rate": learning_rate,
            "gradient_norm": means[-1],
            "sessions_per_second": len(made_on["train"]) / trained_for,
            "seconds": time.perf_counter() - began,
            "memory_mib": float(device.peak_mib()),
        }
        history.append(metrics)
        # The best state goes first: killed between the two, the epoch is repeated and writes the same again.
        if _best(history)["epoch"] == epoch:
            write_checkpoint(files.best, {"model": model.state_dict(), "epoch": epoch, "val_mae": metrics["val_mae"]})
        state = {
            "card": card,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "random": _random_states(device),
            "history": history,
        }
        write_checkpoint(files.last, state)
        _write_history(files.metrics, history)
        for observer in observers:
            observer.epoch(metrics)
        reason = _why_stop(history, settings)
    notes = (*_notes(settings), *_notes_on_resuming(resumed, card))
    return Trained(files.root, device, _best(history), pd.DataFrame(history), reason, notes)


def training_step(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    data: DeviceData,
    made_on: Tensor,
    device: Device,
    gradient_clip: float,
) -> Tensor:
    """One step on the samples made on the sessions `made_on` (int64 [B] on the device).

    Returns:
        The loss parts and the gradient norm before clipping, [5], on the device.
    """
    optimizer.zero_grad(set_to_none=True)
    inputs, targets = data.inputs(made_on), data.targets(made_on)
    with device.autocast():
        outputs = network(inputs)
    parts = loss_parts(outputs, targets)
    parts.sum().backward()
    norm = torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], gradient_clip, foreach=True)
    optimizer.step()
    return torch.cat([parts.detach(), norm.view(1)])


def build_optimizer(network: torch.nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Adam, all weights in one kernel."""
    return torch.optim.Adam(network.parameters(), lr=settings.learning_rate, fused=True)


def build_model(dataset: Dataset) -> Stockformer:
    """The network of a dataset's settings, with weights drawn from torch's generator, on the CPU."""
    settings = dataset.settings
    return Stockformer(
        settings.model,
        len(dataset.factor_names),
        settings.windows.input_sessions,
        settings.windows.output_sessions,
        torch.from_numpy(dataset.graph),
    )


@torch.no_grad()
def predict_samples(
    network: torch.nn.Module, data: DeviceData, made_on: Tensor, device: Device, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """The fused path's value and probability of a rise, both float32 [S, T2, N], for S samples."""
    network.eval()
    values, ups = [], []
    # Whole batches only, filled up with the last sample: what a sample gets depends, in the last bits, on the size of
    # its batch, and so would on how many sessions follow.
    filled = torch.cat([made_on, made_on[-1:].expand(-len(made_on) % batch_size)])
    for batch in filled.to(device.torch_device).split(batch_size):
        inputs = data.inputs(batch)
        with device.autocast():
            outputs = network(inputs)
        # A copy: the next step of a compiled network writes where this one's outputs lie.
        values.append(outputs.value.clone())
        ups.append(outputs.logits.softmax(-1)[..., 1])
    found = (torch.cat(parts)[: len(made_on)].cpu().numpy() for parts in (values, ups))
    return next(found), next(found)


def _labels(dataset: Dataset, samples: Samples) -> dict[str, np.ndarray]:
    """value (missing = 0) and whether it is known, [S, T2, N], of the stocks a sample may use."""
    enough = dataset.enough[samples.made_on][:, None]
    return {
        "value": samples.labels(np.nan_to_num(dataset.labels)),
        "known": samples.labels(np.isfinite(dataset.labels)) & enough,
    }


def _last_state(files: ModelFolder, card: dict[str, Any]) -> dict[str, Any] | None:
    """The state to go on from, or None; refuses one of another training."""
    if found := why_not_go_on(files, card):
        raise NiftyFormerError(
            f"the training in {files.root} cannot go on: {'; '.join(found)}. "
            "Restart it (--restart; materializing trained_model does), or give it another folder."
        )
    return read_checkpoint(files.last, STATE) if files.last.is_file() else None


def _best(history: Sequence[dict[str, float]]) -> dict[str, float]:
    """The epoch with the smallest validation MAE, the first of equal ones."""
    return min(history, key=lambda metrics: metrics["val_mae"])


def _why_stop(history: Sequence[dict[str, float]], settings: TrainingSettings) -> str | None:
    if not history:
        return None
    best = int(_best(history)["epoch"])
    if len(history) - best >= settings.patience:
        return f"no better validation MAE for {settings.patience} epochs, the best was epoch {best}"
    if len(history) >= settings.max_epochs:
        return f"{len(history)} epochs are done, the best was epoch {best}"
    return None


def _notes(settings: TrainingSettings) -> tuple[str, ...]:
    if settings.scheduler_patience >= settings.patience:
        return (
            f"The learning rate will hardly ever fall: its scheduler waits {settings.scheduler_patience} epochs for a "
            f"validation MAE lower by 0.01%, and early stopping ends the training after {settings.patience} without "
            "any lower one.",
        )
    return ()


def _notes_on_resuming(resumed: dict[str, Any] | None, card: dict[str, Any]) -> tuple[str, ...]:
    if resumed is None:
        return ()
    found = changed_settings(resumed["card"].get("environment", {}), card["environment"])
    if not found:
        return ()
    return (f"Resumed where {'; '.join(found)}: the weights are not bit by bit those of one uninterrupted training.",)


def _must_be_finite(
    record: Tensor, batches: Sequence[Tensor], dataset: Dataset, epoch: int, files: ModelFolder
) -> None:
    """Raise if a loss or gradient norm [steps, 5] of the epoch is not finite, naming the first batch."""
    bad = torch.nonzero(~torch.isfinite(record).all(1)).flatten()
    if len(bad) == 0:
        return
    sessions = ", ".join(dataset.axes.dates[np.sort(batches[int(bad[0])].cpu().numpy())].astype(str))
    kept = f"{files.last} holds epoch {epoch - 1}" if epoch > 1 else "no epoch was finished"
    raise NiftyFormerError(
        f"the loss is not finite in epoch {epoch} for the samples made on {sessions}; {kept}. Look for values far out "
        "of line in these windows' returns and factors, or restart with a lower training.learning_rate."
    )


def _must_be_finite_in_validation(
    value: np.ndarray,
    p_up: np.ndarray,
    known: np.ndarray,
    dataset: Dataset,
    samples: Samples,
    epoch: int,
    files: ModelFolder,
) -> None:
    """Raise if a prediction [S, T2, N] that is judged is not finite, naming the first."""
    bad = np.argwhere(known & ~(np.isfinite(value) & np.isfinite(p_up)))
    if len(bad):
        sample, _, stock = bad[0]
        kept = f"{files.last} holds epoch {epoch - 1}" if epoch > 1 else "no epoch was finished"
        raise NiftyFormerError(
            f"the validation of epoch {epoch} is not finite: first for {dataset.axes.symbols[stock]} in the sample "
            f"made on {dataset.axes.dates[samples.made_on[sample]]}; {kept}. Look for values far out of line in that "
            "window's returns and factors."
        )


def _write_history(path: Path, history: Sequence[dict[str, float]]) -> None:
    with atomic_path(path) as temporary:
        pd.DataFrame(history).to_csv(temporary, index=False)


def _random_states(device: Device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.kind == "cuda":
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _set_random_states(states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])


def _compiled(model: Stockformer, device: Device) -> torch.nn.Module:
    # reduce-overhead records CUDA graphs: a step of small kernels then costs one launch.
    mode = "reduce-overhead" if device.kind == "cuda" else "default"
    return torch.compile(model, mode=mode, dynamic=False)  # type: ignore[return-value]


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
