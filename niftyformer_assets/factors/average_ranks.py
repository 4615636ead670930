"""Ranks of the stocks of a session."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 over the last dimension of [..., N], ties sharing the mean of their places; NaN has none.

    Infinite values have their place. Ranks are halves of whole numbers and so are exact.
    """
    rows = values.reshape(math.prod(values.shape[:-1]), values.shape[-1])
    return pd.DataFrame(rows).rank(axis=1).to_numpy().reshape(values.shape)
