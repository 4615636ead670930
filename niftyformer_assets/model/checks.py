"""What can be wrong with predictions, each said in one sentence: the asset checks of `predictions`.

All functions take the table of one model, as `model.predictions` describes it, and are pure.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from niftyformer_assets.factors.labels import Labels
from niftyformer_assets.finding import Finding
from niftyformer_assets.market.split import Split
from niftyformer_assets.model.metrics import matrix, measure
from niftyformer_assets.model.predictions import (
    TARGET,
    label_column,
    labels_of_rows,
    of_label,
    of_parts,
    overlap_of_rows,
    value_column,
)
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.words import counted


def not_constant_across_stocks(predictions: pd.DataFrame) -> Finding:
    """On every session and label the predicted values differ between stocks."""
    column = value_column(predictions)
    groups = predictions.groupby(["date_made", label_column(predictions)])[column]
    constant = groups.nunique().le(1) & groups.size().gt(1)
    count = int(constant.sum())
    if count == 0:
        sentence = f"Predictions differ between stocks on all {len(constant)} pairs of session and label."
    else:
        first = constant[constant].index[0]
        sentence = (
            f"All stocks have the same prediction on {count} of {len(constant)} pairs of session and label, "
            f"first on {pd.Timestamp(first[0]).date()} for {_said(predictions, first[1])}: ranking by them is by "
            "chance."
        )
    return Finding(count == 0, sentence, {"constant": count, "pairs": len(constant)})


def not_one_class(predictions: pd.DataFrame, at_least: float = 0.01) -> Finding:
    """Both directions are predicted, each for at least a share `at_least` of the rows of each label."""
    shares = (predictions["p_up"] > 0.5).groupby(predictions[label_column(predictions)]).mean()
    figures = {f"share_up_{_named(predictions, label)}": float(share) for label, share in shares.items()}
    collapsed = shares[(shares < at_least) | (shares > 1 - at_least)]
    told = ", ".join(f"{_said(predictions, label)} {share:.1%}" for label, share in shares.items())
    if collapsed.empty:
        return Finding(True, f"Both directions are predicted; up for {told}.", figures)
    return Finding(False, f"The classifier has collapsed to one direction: it says up for {told}.", figures)


def index_complete(predictions: pd.DataFrame, expected: pd.MultiIndex) -> Finding:
    """Each expected (date_made, horizon or target, symbol) is there once, and nothing else.

    `predict.expected_index` gives what is expected.
    """
    index = pd.MultiIndex.from_frame(predictions[list(expected.names)])
    twice, absent, strange = int(index.duplicated().sum()), expected.difference(index), index.difference(expected)
    figures = {"rows": len(index), "absent": len(absent), "unexpected": len(strange), "duplicated": twice}
    if not twice and absent.empty and strange.empty:
        return Finding(True, f"All {len(expected)} expected predictions are there, each once.", figures, defect=True)
    example = next(
        (f", for example {_told(rows[0], str(expected.names[1]))}" for rows in (absent, strange) if len(rows)), ""
    )
    sentence = (
        f"{counted(len(absent), 'prediction is', 'predictions are')} absent, {len(strange)} unexpected, "
        f"{twice} duplicated{example}."
    )
    return Finding(False, sentence, figures, defect=True)


def against_trivial(
    predictions: pd.DataFrame,
    labels: Labels,
    axes: Axes,
    split: Split | None = None,
    parts: Collection[str] = ("test",),
) -> Finding:
    """Better or worse than predicting zero, and than always naming the more frequent direction?

    Args:
        labels: that were predicted, on `axes`. split: as `labels_of_rows` takes it.

    Returns:
        passed if better than both; a warning, not a failure, since that is how markets are.
    """
    rows = of_parts(predictions, parts)
    rows = rows.assign(label=labels_of_rows(rows, labels, axes, split))
    known = np.isfinite(rows["label"])
    figures: dict[str, float] = {}
    told, passed = [], bool(known.any())
    for label in sorted(rows.loc[known, label_column(rows)].unique()):
        cut = of_label(rows, label)
        index, symbols = cut["date_made"].unique(), cut["symbol"].unique()
        value, p_up, truth = (
            matrix(cut, "date_made", column, pd.Index(index), pd.Index(symbols))[:, None]
            for column in (value_column(predictions), "p_up", "label")
        )
        found = measure(value, p_up, truth, np.isfinite(truth), int(overlap_of_rows(cut, labels).iloc[0]))
        figures.update({f"{name}_{_named(rows, label)}": figure for name, figure in found.items()})
        passed = passed and found["mae"] < found["mae_zero"] and found["accuracy"] > found["accuracy_majority"]
        told.append(
            f"{_said(rows, label)}: MAE {found['mae']:.5f} is {_beside(found['mae_zero'], found['mae'])} zero's "
            f"{found['mae_zero']:.5f}, accuracy {found['accuracy']:.3f} is "
            f"{_beside(found['accuracy'], found['accuracy_majority'])} the majority's "
            f"{found['accuracy_majority']:.3f}, rank IC {found['rank_ic']:+.3f} (t {found['rank_ic_last_t']:.1f})"
        )
    return Finding(passed, "; ".join(told) + "." if told else "There is no label to compare with.", figures)


def _beside(larger_if_better: float, smaller_if_better: float) -> str:
    if larger_if_better == smaller_if_better:
        return "the same as"
    return "better than" if larger_if_better > smaller_if_better else "worse than"


def _said(table: pd.DataFrame, label: object) -> str:
    """What a label is called for a reader, by what `label_column` holds."""
    return str(label) if TARGET in table else f"t+{label}"


def _named(table: pd.DataFrame, label: object) -> str:
    """The same as the end of a figure's name."""
    return str(label) if TARGET in table else f"t{label}"


def _told(row: tuple, column: str) -> str:
    date, label, symbol = row
    return f"{symbol} made on {pd.Timestamp(date).date()} for {column} {label}"
