"""The figures of each epoch of a training, and the files they are written to with the state after the last one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from niftyformer_assets.model.checkpoint import ModelFolder, write_checkpoint
from niftyformer_assets.model.metrics import measure
from niftyformer_assets.model.monitor import best_epoch, errors_of
from niftyformer_assets.model.ranking import names_of_losses
from niftyformer_assets.model.step import Kept
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets.model.watch import Metrics
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.index import write_entered

# The columns of speed.csv, which lie apart because they are others each time.
SPEED = ("epoch", "sessions_per_second", "seconds", "memory_mib")


class EpochLog:
    """The figures of each epoch so far, and the files they are written to with the state after the last one.

    Args:
        labels: of validation, as `_labels` gives them.
    """

    def __init__(
        self, files: ModelFolder, card: dict[str, Any], labels: dict[str, Any], settings: TrainingSettings
    ) -> None:
        self.files, self.card, self.labels, self.settings = files, card, labels, settings
        self.history: list[dict[str, float]] = []
        self.speed: list[dict[str, float]] = []

    def take_up(self, history: list[dict[str, float]]) -> None:
        """Go on after the epochs of a training that was interrupted."""
        self.history, self.speed = history, _known_speed(self.files.speed, len(history))
        # Killed right after last.pt was written, the last epoch is told nowhere else.
        write_entered(self.files.metrics, _as_csv(history))

    def write(
        self,
        record: Tensor,
        learning_rate: float,
        value: np.ndarray,
        p_up: np.ndarray,
        kept: Kept,
        state: dict[str, Any],
        took: dict[str, float],
    ) -> Metrics:
        """Measure and write an epoch.

        Args:
            record: of the epoch's steps, as `TrainingStep.recorded` gives it.
            value, p_up: predicted in validation, [S, T2, N].
            kept: the network and the optimiser after the epoch.
            state: what else last.pt holds.
            took: its row of speed.csv.
        """
        means, files = record.mean(0).tolist(), self.files
        metrics = {
            "epoch": float(len(self.history) + 1),
            "loss": sum(means[:-1]),
            **{f"loss_{name}": mean for name, mean in zip(names_of_losses(self.settings), means[:-1], strict=True)},
            **{f"val_{name}": figure for name, figure in measure(value, p_up, **self.labels).items()},
            "learning_rate": float(f"{learning_rate:.6g}"),  # on the device it is a float32
            "gradient_norm": means[-1],
        }
        self.history.append(metrics)
        self.speed.append({"epoch": metrics["epoch"], **took})
        model, optimizer, judged = kept()
        # The best state goes first: killed between the two, the epoch is repeated and writes the same again.
        if best_epoch(errors_of(self.history, self.settings)) == len(self.history) - 1:
            best = {"model": judged, "epoch": len(self.history), "val_mae": metrics["val_mae"]}
            write_checkpoint(files.best, best)
        # As text: that many numbers take longer to pickle than the weights do.
        history = json.dumps(self.history)
        write_checkpoint(
            files.last, {"card": self.card, "model": model, "optimizer": optimizer, **state, "history": history}
        )
        write_entered(files.metrics, _as_csv(self.history))
        write_text(files.speed, _as_csv(self.speed))
        return {**metrics, **took}


def _as_csv(epochs: Sequence[dict[str, float]]) -> str:
    return pd.DataFrame(epochs).to_csv(index=False, lineterminator="\n")


def _known_speed(path: Path, epochs: int) -> list[dict[str, float]]:
    """The rows of speed.csv of the first epochs; none where they cannot be read, for nothing depends on them."""
    try:
        table = pd.read_csv(path).astype(float)
        rows = table.loc[table["epoch"] <= epochs, list(SPEED)].to_numpy()
        return [dict(zip(SPEED, row, strict=True)) for row in rows.tolist()]
    except (OSError, ValueError, KeyError):
        return []
