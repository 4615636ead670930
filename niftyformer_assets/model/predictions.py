"""The table of predictions: what a model says of each stock at the close of each session.

One row a session that it is made on, horizon and stock:

date_made       datetime64, the session after whose close it is made
date_predicted  datetime64, the session at whose close the label that it predicts is known
horizon         int32, sessions after which it is known: 1..T2, of the published labels
target, traded  text and bool, where labels have names (`windows.targets`) only: which one, and whether it is traded
symbol          text
split           the part that date_predicted lies in: train, validation, test or later
return | score  float64, the predicted label, in a column of its unit: `score` where it is a rank or z-score
p_up            float64, the probability of a label above 0
baseline        text, in a table of several models only: which one
seed            int64, in a table of several networks of one model only: whose

Rows are sorted by date_made, label in the experiment's order and symbol, those of several models or networks by model
or network before. A
stock with fewer than half of a window's returns has no row. What is traded at the close of date_made is the prediction
of the experiment's last label; of the published ones it is that of the largest horizon, which looks furthest past the
first fill.

Shapes: T sessions, N symbols, S samples, T2 horizons.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.dataset.settings import WindowSettings
from niftyformer_assets.dataset.windows import Samples
from niftyformer_assets.factors.labels import TRADED_PLACE, UNITS, Labels, session_name
from niftyformer_assets.market.split import Split
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_parquet

# The parts that a model is judged on; `later` are the sessions after the test and those still to come.
OUT_OF_SAMPLE = ("validation", "test", "later")
HORIZON, TARGET, TRADED = "horizon", "target", "traded"
COLUMNS = ("date_made", "date_predicted", "horizon", "symbol", "split", "p_up")
BASELINE, SEED = "baseline", "seed"


def _value_columns() -> tuple[str, ...]:
    """What the predicted value may be called."""
    return tuple(dict.fromkeys(unit.column for unit in UNITS.values()))


def value_column(table: pd.DataFrame) -> str:
    """The name of the predicted value in a table.

    Raises:
        NiftyFormerError: it has none, or several.
    """
    must_have(table, ())
    return next(name for name in _value_columns() if name in table)


def must_have(table: pd.DataFrame, columns: Collection[str] = COLUMNS) -> None:
    """Refuse a table that lacks one of `columns`, or in which not exactly one column is the predicted value.

    Raises:
        NiftyFormerError: it names what is there and what is needed.
    """
    values = [name for name in _value_columns() if name in table]
    if len(values) != 1 or any(name not in table for name in columns):
        one = " or ".join(_value_columns())
        needed = f"{', '.join(columns)}, and {one} are needed" if columns else f"{one} are needed"
        raise NiftyFormerError(
            f"the predictions have the columns {', '.join(map(str, table.columns))}: {needed}"
            f"{', not both' if len(values) > 1 else ''}. Materialize them again."
        )


def prediction_table(
    value: np.ndarray,
    p_up: np.ndarray,
    samples: Samples,
    axes: Axes,
    split: Split,
    covered: np.ndarray,
    to_come: np.ndarray | None = None,
    parts: Collection[str] = OUT_OF_SAMPLE,
) -> pd.DataFrame:
    """The table of what a model says of samples.

    Args:
        value, p_up: float [S, T2, N].
        samples: the S samples, on `axes`; they know the label.
        covered: bool [S, N], which stocks have rows.
        to_come: dates of the exchange's next sessions, as `Samples.predicted_dates` takes them.
        parts: that have rows.

    Raises:
        NiftyFormerError: a prediction is not a finite number; it names the first.
    """
    labels = samples.windows.labels
    wanted, column = out_of_sample(samples, split, parts), samples.windows.unit.column
    sample, place, stock = np.nonzero(wanted[..., None] & covered[:, None, :])
    table = pd.DataFrame(
        {
            "date_made": samples.made_on_dates(axes.dates)[sample].astype("datetime64[ns]"),
            "date_predicted": samples.predicted_dates(axes.dates, to_come)[sample, place].astype("datetime64[ns]"),
            HORIZON: np.array(samples.windows.known_after, dtype=np.int32)[place],
            **({TARGET: np.array([label.name for label in labels])[place]} if samples.windows.targets else {}),
            **({TRADED: place == len(labels) + TRADED_PLACE} if samples.windows.targets else {}),
            "symbol": np.array(axes.symbols)[stock],
            "split": samples.parts(split)[sample, place],
            column: value[sample, place, stock].astype(np.float64),
            "p_up": p_up[sample, place, stock].astype(np.float64),
        }
    )
    bad = ~np.isfinite(table[[column, "p_up"]].to_numpy()).all(axis=1)
    if bad.any():
        first = table[bad].iloc[0]
        raise NiftyFormerError(
            f"the prediction of {first['symbol']} made on {first['date_made'].date()} is not a finite number: "
            f"look at its returns and factors in that window, or train again."
        )
    return table


def out_of_sample(samples: Samples, split: Split, parts: Collection[str] = OUT_OF_SAMPLE) -> np.ndarray:
    """bool [S, T2]: which predictions are of a label that is known on a session of these parts."""
    return np.isin(samples.parts(split), list(parts))


def read_predictions(path: Path) -> pd.DataFrame:
    """The table in a file, of one model or of several baselines.

    Raises:
        NiftyFormerError: it is missing or damaged, or its columns are not those of predictions.
    """
    table = read_parquet(path)
    must_have(table)
    return table


def traded(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the label that is traded, of predictions or of figures of them."""
    return table[table[TRADED] if TRADED in table else table[HORIZON] == table[HORIZON].max()]


def label_column(table: pd.DataFrame) -> str:
    """The column that tells the labels of a table from each other."""
    return TARGET if TARGET in table else HORIZON


def keys_of(windows: WindowSettings) -> tuple[str, str, str]:
    """What tells the rows of one model from each other, by what is predicted."""
    return ("date_made", TARGET if windows.targets else HORIZON, "symbol")


def of_label(table: pd.DataFrame, label: str | int) -> pd.DataFrame:
    """The rows of one label, by what `label_column` holds."""
    return table[table[label_column(table)] == label]


def of_parts(table: pd.DataFrame, parts: Collection[str]) -> pd.DataFrame:
    """The rows whose label is known on a session of these parts."""
    return table[table["split"].isin(list(parts))]


def by_model(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each model of a table of several, with its name, in the order of the table."""
    for name, rows in table.groupby(BASELINE, sort=False):
        yield str(name), rows


def by_network(table: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """The rows of each network of a table of several, with its seed, in the order of the table."""
    for seed in table[SEED].unique():
        yield int(seed), table[table[SEED] == seed]


def mean_of_networks(table: pd.DataFrame) -> pd.DataFrame:
    """The table of what several networks say together: the mean of their values, and of their probabilities."""
    each = [rows for _, rows in by_network(table)]
    mean = each[0].drop(columns=SEED).reset_index(drop=True)
    for column in (value_column(table), "p_up"):
        mean[column] = np.mean([rows[column].to_numpy() for rows in each], axis=0)
    return mean


def overlap_of_rows(table: pd.DataFrame, labels: Labels) -> pd.Series:
    """`Label.overlap` of the label of each row, which is one of the labels."""
    return _names_of_labels(table).map(labels.overlap)


def _names_of_labels(table: pd.DataFrame) -> pd.Series:
    """The name of the label of each row; those of sessions are called after their horizon."""
    return table[TARGET].astype(str) if label_column(table) == TARGET else table[HORIZON].map(session_name)


def labels_of_rows(table: pd.DataFrame, labels: Labels, axes: Axes, split: Split | None = None) -> np.ndarray:
    """The label of each row, by its session, horizon and symbol: float64 [rows]; NaN where missing or still to come.

    Args:
        labels: of the sessions and symbols of `axes`.
        split: where given, a label that is not wholly of the row's part is missing too: on its first sessions those
            who learned from the part before have looked.

    Raises:
        NiftyFormerError: a session, symbol or horizon is none of the labels', or one is known on another session
            than the row says.
    """
    made, known = (
        pd.to_datetime(table[name]).to_numpy().astype("datetime64[D]") for name in ("date_made", "date_predicted")
    )
    session = pd.Index(axes.dates).get_indexer(pd.Index(made))
    if (strange := session < 0).any():
        raise NiftyFormerError(f"predictions were made on {made[strange][0]}, which is no session of this experiment.")
    symbol = pd.Index(axes.symbols).get_indexer(pd.Index(table["symbol"].astype(str)))
    if (strange := symbol < 0).any():
        name = table["symbol"].to_numpy()[strange][0]
        raise NiftyFormerError(f"predictions name {name}, which is no symbol of this experiment.")
    column = label_column(table)
    place = pd.Index([label.name for label in labels.labels]).get_indexer(pd.Index(_names_of_labels(table)))
    if (strange := place < 0).any():
        raise NiftyFormerError(
            f"predictions are of {column} {table[column].to_numpy()[strange][0]}, which the experiment does not "
            "have: materialize them again."
        )
    on = labels.known_on[session, place]
    to_come = on >= len(axes.dates)
    expected = axes.dates[np.where(to_come, len(axes.dates) - 1, on)]
    if (strange := np.where(to_come, known <= expected, known != expected)).any():
        raise NiftyFormerError(
            f"the prediction made on {made[strange][0]} for {column} {table[column].to_numpy()[strange][0]} is for "
            f"{known[strange][0]}, and its label is known on another session: it was made for another label or on "
            "other sessions. Materialize the predictions again."
        )
    found: np.ndarray = labels.array[session, place, symbol].astype(np.float64)
    if split is not None:
        part = table["split"].to_numpy(dtype=str)
        for name in np.unique(part):
            of_part = part == name
            inside = labels.wholly_in(getattr(split, name))[session[of_part], place[of_part]]
            found[of_part] = np.where(inside, found[of_part], np.nan)
    return found
