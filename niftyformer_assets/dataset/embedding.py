"""What an embedding of the correlation graph is, and how it is kept: `128_corr_struc2vec_adjgat.npy`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from niftyformer_assets.store.arrays import Axes, save_arrays


@dataclass(frozen=True, eq=False)
class Embedding:
    """A vector for each symbol, in the order of the symbols.

    vectors: float32 [N, D].
    seconds: how long each stage took.
    """

    vectors: np.ndarray
    seconds: dict[str, float] = field(default_factory=dict)


def save_embedding(path: Path, vectors: np.ndarray, axes: Axes) -> None:
    """Write the bare [N, D] array, as the published loader reads it, and enter it in the folder's index."""
    save_arrays(path, {path.stem: vectors}, axes, {path.stem: "ND"})
