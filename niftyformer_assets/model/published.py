"""Predictions in the files that the published Stockformer code leaves, for what reads them."""

from __future__ import annotations

import pandas as pd

from niftyformer_assets.factors.labels import TRADED_PLACE
from niftyformer_assets.model.checkpoint import ModelFolder
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.metrics import matrix
from niftyformer_assets.model.predictions import of_parts, traded, value_column
from niftyformer_assets.store.atomic import atomic_path


def write_last_step(files: ModelFolder, dataset: Dataset, predictions: pd.DataFrame, part: str = "test") -> None:
    """The published code's four CSVs of one part, in `output`: [sessions × symbols] of what is traded.

    Each row is of the session on which the label is known. regression_pred_last_step.csv has the predicted label,
    regression_label_last_step.csv the label; classification_pred_last_step.csv the probability of
    a label above 0, classification_label_last_step.csv 1 where it is. Missing is empty.
    """
    rows = of_parts(traded(predictions), [part])
    place: slice = getattr(dataset.split, part)
    index = pd.Index(dataset.axes.dates[place].astype("datetime64[ns]"), name="date")
    symbols = pd.Index(dataset.axes.symbols)
    of_session = dataset.labels.by_session_known(TRADED_PLACE)
    labels = pd.DataFrame(of_session[place], index, symbols)
    for name, table in (
        ("regression_pred", _wide(rows, value_column(predictions), index, symbols)),
        ("regression_label", labels),
        ("classification_pred", _wide(rows, "p_up", index, symbols)),
        ("classification_label", (labels > 0).astype("Int8").where(labels.notna())),
    ):
        with atomic_path(files.output / f"{name}_last_step.csv") as temporary:
            table.to_csv(temporary, date_format="%Y-%m-%d")


def _wide(rows: pd.DataFrame, column: str, index: pd.Index, symbols: pd.Index) -> pd.DataFrame:
    return pd.DataFrame(matrix(rows, "date_predicted", column, index, symbols), index=index, columns=symbols)
