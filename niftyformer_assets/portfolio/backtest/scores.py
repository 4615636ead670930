"""Scores: what a model thinks of each stock at the close of a session, with names and dates attached."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from niftyformer_assets.model.predictions import HORIZON, must_have, of_parts, traded, value_column
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError


@dataclass(frozen=True, eq=False)
class Scores:
    """Higher is better.

    values: float [T, N]; row t was made at the close of session t and may trade at t+1 at the
        earliest. NaN (infinities too) is no score: the stock cannot be bought on it.
    """

    axes: Axes
    values: np.ndarray

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        if values.shape != self.axes.shape:
            raise ValueError(f"scores of shape {values.shape} do not fit {self.axes.shape} sessions and symbols")
        values[~np.isfinite(values)] = np.nan
        object.__setattr__(self, "values", values)

    def columns(self, order: np.ndarray) -> Scores:
        """The same scores with their symbols in another order."""
        return Scores(
            Axes(self.axes.dates, tuple(self.axes.symbols[column] for column in order)), self.values[:, order]
        )

    def require_axes(self, expected: Axes) -> None:
        """Refuse scores on other sessions or symbols, or on the same ones in another order.

        Raises:
            NiftyFormerError: it names the first difference.
        """
        if (problem := self.axes.difference(expected)) is not None:
            raise NiftyFormerError(
                f"the scores and the prices are on different axes: {problem}. "
                "Make the scores for these sessions and symbols (scores_from_predictions matches them by name)."
            )


def scores_from_predictions(frame: pd.DataFrame, axes: Axes, split: str | None = None) -> Scores:
    """Put a predictions table on `axes`, matching dates and symbols by name.

    The score of the session `date_made` is its prediction of the label that is traded
    (`predictions.traded`). A session that lacks that label has no score.

    Args:
        frame: columns date_made, symbol, horizon, and `return` or `score`; `split` too if asked
            for. A table of several baselines must be cut to one.
        axes: the traded sessions and symbols. Predictions made before or after them are left out.
        split: use the rows of this part only.

    Raises:
        NiftyFormerError: a column is missing; a symbol or a date inside the period is not on the
            axes; a (date, symbol) appears twice; nothing is left.
    """
    must_have(frame, ("date_made", HORIZON, "symbol", *(["split"] if split is not None else [])))
    if frame.empty:
        raise NiftyFormerError("the predictions have no rows: materialize them again.")
    rows = traded(frame)
    rows = rows if split is None else of_parts(rows, [split])
    made = pd.to_datetime(rows["date_made"]).to_numpy().astype("datetime64[D]")
    inside = (made >= axes.dates[0]) & (made <= axes.dates[-1])
    rows, made = rows[inside], made[inside]
    if rows.empty:
        raise NiftyFormerError(
            f"no prediction{'' if split is None else f' of the {split} sessions'} was made between {axes.dates[0]} "
            f"and {axes.dates[-1]}: materialize the predictions for this period."
        )
    session = np.minimum(np.searchsorted(axes.dates, made), len(axes.dates) - 1)
    if (strange := axes.dates[session] != made).any():
        raise NiftyFormerError(f"predictions were made on {made[strange][0]}, which is no session of the prices.")
    symbol = pd.Index(axes.symbols).get_indexer(pd.Index(rows["symbol"].astype(str)))
    if (strange := symbol < 0).any():
        name = rows["symbol"].to_numpy()[strange][0]
        raise NiftyFormerError(f"predictions name {name}, which is no symbol of the prices of this experiment.")
    cell = session * len(axes.symbols) + symbol
    if len(np.unique(cell)) != len(cell):
        _, first = np.unique(cell, return_index=True)
        again = np.setdiff1d(np.arange(len(cell)), first)[0]
        raise NiftyFormerError(
            f"{rows['symbol'].to_numpy()[again]} has two predictions made on {made[again]}: "
            "cut the table to one model, or materialize the predictions again."
        )
    values = np.full(axes.shape, np.nan)
    values[session, symbol] = rows[value_column(frame)].to_numpy(dtype=np.float64)
    return Scores(axes, values)
