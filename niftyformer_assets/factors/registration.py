"""How factors of one's own are registered by name, and computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from niftyformer_assets.factors.history import cut_sessions
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.market.panel import Panel


class OwnFactor(NamedTuple):
    """A function of a panel that gives [T, N], and how many sessions before a session it looks at."""

    function: Callable[[Panel], np.ndarray]
    lookback: int


OWN_FACTORS: dict[str, OwnFactor] = {}


def register(name: str, lookback: int) -> Callable[[Callable[[Panel], np.ndarray]], Callable[[Panel], np.ndarray]]:
    """Register a factor of one's own (a decorator).

    Args:
        name: letters, digits and underscores; it becomes a column and a file name.
        lookback: how many sessions before a session its value there looks at.

    The function takes a panel and returns [T, N]. It is given at least `lookback` sessions before
    those that are asked for; ±inf counts as missing.
    """

    def enter(function: Callable[[Panel], np.ndarray]) -> Callable[[Panel], np.ndarray]:
        taken = {*OWN_FACTORS}.union(*(each.names for each in FACTOR_SETS.values()))
        if not re.fullmatch(r"[A-Za-z0-9_]+", name) or name in taken:
            raise ValueError(f"{name!r} is no name for a factor: letters, digits, _ only, and none that is taken")
        OWN_FACTORS[name] = OwnFactor(function, lookback)
        return function

    return enter


def compute_own(factors: Mapping[str, OwnFactor], panel: Panel, since: int) -> np.ndarray:
    """The factors from session `since` on, float32 [F, T - since, N], NaN where missing or infinite.

    Raises:
        ValueError: a function gives another shape than the panel that it was given.
    """
    sessions, symbols = panel.axes.shape
    result = np.empty((len(factors), sessions - since, symbols), dtype=np.float32)
    for place, (name, (function, lookback)) in enumerate(factors.items()):
        start = max(0, since - lookback)
        with np.errstate(all="ignore"):
            values = np.asarray(function(cut_sessions(panel, start)), dtype=np.float32)
        if values.shape != (sessions - start, symbols):
            raise ValueError(f"factor {name!r} gave shape {values.shape}, not {(sessions - start, symbols)}")
        result[place] = np.where(np.isfinite(values), values, np.nan)[since - start :]
    return result
