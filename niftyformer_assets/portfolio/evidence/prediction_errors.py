"""Predictions against what then happened, the model's beside those of each baseline.

Nothing is traded here. Labels are those of the experiment, so that a mean absolute error is in units of
the label and 0 is the naive forecast.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from niftyformer_assets.factors.labels import Labels
from niftyformer_assets.factors.rank_ic import rank_ic, shrink_by_overlap
from niftyformer_assets.market.split import Split
from niftyformer_assets.model.metrics import directions_right
from niftyformer_assets.model.predictions import (
    BASELINE,
    HORIZON,
    TARGET,
    TRADED,
    labels_of_rows,
    must_have,
    overlap_of_rows,
    value_column,
)
from niftyformer_assets.portfolio.names import MODEL
from niftyformer_assets.store.arrays import Axes


def with_labels(predictions: pd.DataFrame, labels: Labels, axes: Axes, split: Split | None = None) -> pd.DataFrame:
    """Attach to each prediction the label that it is of, by session, horizon and symbol.

    Args:
        predictions: rows as in predictions.parquet; a `baseline` column where there are several.
        labels: of the sessions and symbols of `axes`. split: as `labels_of_rows` takes it.

    Returns:
        baseline (`model` where there was none), split, horizon (target and traded too, where labels have
        names), date_made, date_predicted, symbol, value, p_up, label, overlap (as `Label.overlap`);
        rows without a label, or with one still to come, are left out.

    Raises:
        NiftyFormerError: a row does not fit the labels, as `labels_of_rows` says.
    """
    must_have(predictions)
    label = labels_of_rows(predictions, labels, axes, split)
    joined = pd.DataFrame(
        {
            BASELINE: predictions.get(BASELINE, MODEL),
            **{name: predictions[name] for name in ("split", *_of_label(predictions))},
            **{name: predictions[name] for name in ("date_made", "date_predicted", "symbol")},
            "value": predictions[value_column(predictions)].astype(np.float64),
            "p_up": predictions["p_up"].astype(np.float64),
            "label": label,
            "overlap": overlap_of_rows(predictions, labels),
        }
    )
    return joined[np.isfinite(label)].reset_index(drop=True)


def prediction_errors(joined: pd.DataFrame) -> pd.DataFrame:
    """How far off, and how often the direction is right, by baseline, split and label.

    Args:
        joined: from `with_labels`.

    Returns:
        baseline, split, horizon (target and traded too, where labels have names), mae, accuracy
        (`directions_right`; NaN for a baseline that takes no side), rank_ic and rank_ic_t (mean over sessions
        of the rank correlation across stocks and its t statistic, `shrink_by_overlap` allowed for; NaN for
        constants), sessions, predictions.
    """
    keys = ["baseline", "split", *_of_label(joined)]
    rows = joined.assign(
        error=(joined["value"] - joined["label"]).abs(),
        right=directions_right(joined["p_up"].to_numpy(), joined["label"].to_numpy()),
    )
    table = rows.groupby(keys, sort=False).agg(
        mae=("error", "mean"),
        accuracy=("right", "mean"),
        sessions=("date_predicted", "nunique"),
        predictions=("error", "size"),
    )
    series = session_rank_ic(joined)
    ic = series.groupby(keys, sort=False)["rank_ic"].agg(["mean", "std", "count"])
    table["rank_ic"] = ic["mean"]
    overlap = joined.groupby(keys, sort=False)["overlap"].first().to_dict()
    shrink = [
        shrink_by_overlap(rows.sort_values("date_made")["rank_ic"].to_numpy(), overlap[key])
        for key, rows in series.groupby(keys, sort=False)
    ]
    table["rank_ic_t"] = ic["mean"] / (ic["std"] / np.sqrt(ic["count"])) * np.array(shrink, dtype=float)
    return table.reset_index()[[*keys, "mae", "accuracy", "rank_ic", "rank_ic_t", "sessions", "predictions"]]


def session_rank_ic(joined: pd.DataFrame) -> pd.DataFrame:
    """`rank_ic` of value and label across the stocks of each session; a session that has none is left out.

    Returns:
        baseline, split, horizon (target and traded too), date_made, date_predicted, rank_ic; in the order of the rows.
    """
    keys = ["baseline", "split", *_of_label(joined), "date_made", "date_predicted"]
    session, sessions = joined.groupby(keys, sort=False).ngroup().to_numpy(), joined[keys].drop_duplicates()
    stock, stocks = pd.factorize(joined["symbol"])
    tables = np.full((2, len(sessions), len(stocks)), np.nan)
    tables[0, session, stock], tables[1, session, stock] = joined["value"], joined["label"]
    result = sessions.reset_index(drop=True).assign(rank_ic=rank_ic(*tables))
    return result.dropna(subset="rank_ic", ignore_index=True)


def _of_label(table: pd.DataFrame) -> list[str]:
    """The columns that say of which label a row is."""
    return [name for name in (HORIZON, TARGET, TRADED) if name in table]
