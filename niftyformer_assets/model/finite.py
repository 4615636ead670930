"""Numbers of a training that are not finite end it, and the first is named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from niftyformer_assets.dataset.windows import Samples
from niftyformer_assets.model.checkpoint import ModelFolder
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.store.errors import NiftyFormerError


def must_be_finite(record: Tensor, batches: Sequence[Tensor], dataset: Dataset, epoch: int, files: ModelFolder) -> None:
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


def must_be_finite_in_validation(
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
