"""Ways to watch a training: in a terminal or in TensorBoard."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from niftyformer_assets.store.errors import NiftyFormerError

Metrics = Mapping[str, float]


class Observer:
    """Is told how a training goes. The methods do nothing until overridden."""

    def started(self, first_epoch: int, last_epoch: int, steps: int) -> None:
        """Before the first epoch that is trained now; `steps` an epoch."""

    def step(self, epoch: int, step: int) -> None:
        """After each step, both counted from 1."""

    def epoch(self, metrics: Metrics) -> None:
        """After each epoch, when it is safely on disk; some steps of the next may come before."""

    def caught_up(self, metrics: Metrics) -> None:
        """Before the first epoch of a training that goes on: its last one, which may have been told already."""

    def finished(self) -> None:
        """At the end, however it came."""


class Told(Observer):
    """Tells in lines how a training goes: each epoch with the time that is left, and in a long one how far it is."""

    def __init__(self, tell: Callable[[str], object], every_s: float = 15.0) -> None:
        self.tell = tell
        self.every_s = every_s

    def caught_up(self, metrics: Metrics) -> None:
        self.tell(f"goes on after {summary(metrics)}")

    def started(self, first_epoch: int, last_epoch: int, steps: int) -> None:
        self.first, self.last, self.steps, self.latest = first_epoch, last_epoch, steps, ""
        self.began = self.told = time.monotonic()

    def step(self, epoch: int, step: int) -> None:
        if time.monotonic() - self.told >= self.every_s:
            left = self._left(epoch - 1 + step / self.steps)
            self._tell(f"epoch {epoch} of {self.last}: step {step} of {self.steps}{left}{self.latest}")

    def epoch(self, metrics: Metrics) -> None:
        number, figures = f"epoch {metrics['epoch']:.0f}", summary(metrics).partition(": ")[2]
        self.latest = f"; after {number}: {figures}"
        self._tell(f"{number} of {self.last}: {figures}{self._left(metrics['epoch'])}")

    def _left(self, done: float) -> str:
        """The time that is left unless the validation error ends it earlier."""
        trained = done - self.first + 1
        seconds = (time.monotonic() - self.began) / trained * (self.last - done)
        return f", at most {timedelta(seconds=round(seconds))} left" if seconds > 0 else ""

    def _tell(self, line: str) -> None:
        self.told = time.monotonic()
        self.tell(line)


class Lines(Told):
    """Prints them, for logs that are not a terminal."""

    def __init__(self) -> None:
        super().__init__(lambda line: print(line, file=sys.stderr, flush=True))


class Bar(Observer):
    """A progress bar over epochs with the figures of the last one; needs rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.progress = Progress(*columns, console=Console(stderr=True))

    def started(self, first_epoch: int, last_epoch: int, steps: int) -> None:
        self.progress.start()
        self.epochs = self.progress.add_task("epochs", total=last_epoch, completed=first_epoch - 1)
        self.steps = self.progress.add_task("steps", total=steps)

    def step(self, epoch: int, step: int) -> None:
        self.progress.update(self.steps, completed=step)

    def epoch(self, metrics: Metrics) -> None:
        self.progress.update(self.epochs, completed=metrics["epoch"])
        self.progress.console.print(summary(metrics), highlight=False)

    def finished(self) -> None:
        self.progress.stop()


class TensorBoard(Observer):
    """Writes every metric as a curve; epochs that are trained again after a kill replace themselves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: Any = None

    def caught_up(self, metrics: Metrics) -> None:
        self._open(int(metrics["epoch"]))
        self.epoch(metrics)

    def started(self, first_epoch: int, last_epoch: int, steps: int) -> None:
        if self.writer is None:
            self._open(first_epoch)

    def epoch(self, metrics: Metrics) -> None:
        for name, value in metrics.items():
            if name != "epoch":
                self.writer.add_scalar(name, value, int(metrics["epoch"]))
        self.writer.flush()

    def finished(self) -> None:
        if self.writer is not None:
            self.writer.close()

    def _open(self, first_epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        try:
            self.writer = SummaryWriter(str(self.folder), purge_step=first_epoch)
        except OSError as error:
            raise NiftyFormerError(
                f"{self.folder} cannot be written for TensorBoard: {error.strerror or error}. Make it writable."
            ) from None


def terminal() -> Observer:
    """A bar in a terminal where rich is installed, else lines."""
    if sys.stderr.isatty():
        try:
            return Bar()
        except ImportError:
            pass
    return Lines()


def tensorboard(folder: Path) -> Observer:
    """Curves in `folder` where TensorBoard is installed, else nothing."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        return Observer()
    return TensorBoard(folder)


def summary(metrics: Metrics) -> str:
    """An epoch in one line, each figure beside that of the trivial prediction, and its speed where given."""
    speed = f", {metrics['sessions_per_second']:.0f} sessions/s" if "sessions_per_second" in metrics else ""
    return (
        f"epoch {metrics['epoch']:.0f}: loss {metrics['loss']:.4f}, "
        f"val MAE {metrics['val_mae']:.5f} (zero {metrics['val_mae_zero']:.5f}), "
        f"accuracy {metrics['val_accuracy']:.3f} (majority {metrics['val_accuracy_majority']:.3f}), "
        f"rank IC {metrics['val_rank_ic']:+.3f}, lr {metrics['learning_rate']:.1e}{speed}"
    )
