"""All experiments side by side: models, baselines and benchmarks, ranked, with their uncertainty.

It reads what the reports left behind (metrics.json), verdicts included, and judges nothing anew. Many
experiments on the same sessions are a search: a report that counted fewer variants than have been
tried by now is named, to be made again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.model.predictions import of_parts, traded
from niftyformer_assets.portfolio.evidence.tries import Tries
from niftyformer_assets.portfolio.evidence.verdict import Standing, in_short
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT, MODEL, NAMES
from niftyformer_assets.portfolio.report.files import METRICS, of_another_version, read_metrics
from niftyformer_assets.store.errors import UNREADABLE, NiftyFormerError, damaged
from niftyformer_assets.store.provenance import flat_settings
from niftyformer_assets.store.workspace import ExperimentFolder

EXCESS = "excess_return_equal_weight"
WITH_INTERVAL = ("sharpe", EXCESS, "rank_ic")
METRIC_COLUMNS = (
    "total_return", "annual_return", "volatility", "sharpe", "sortino", "max_drawdown", "calmar", "daily_win_rate",
    "trade_win_rate", "turnover", "cost", "exposure", EXCESS, "ic", "rank_ic", "p_total_return", "p_sharpe",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """table: one row a predictor of an experiment, best return above equal weight first; see `COLUMNS`.

    standings: experiment -> what the verdict of its report rests on.
    settings: experiment -> its settings as `section.key` -> value when its report was made; none where the report
        is of a time before it kept them.
    without_report: experiment -> why it is not in the table.
    """

    table: pd.DataFrame
    standings: Mapping[str, Standing]
    settings: Mapping[str, Mapping[str, Any]]
    without_report: Mapping[str, str]

    def differing(self) -> pd.DataFrame:
        """The settings in which the reports differ: index setting, a column an experiment, NaN where it has none.

        What an experiment is called, and how it came by its values, is no setting of it.
        """
        known = {name: settings for name, settings in self.settings.items() if settings}
        names = dict.fromkeys(key for settings in known.values() for key in settings)
        rows = {
            key: [settings.get(key, math.nan) for settings in known.values()]
            for key in names
            if key.partition(".")[0] not in NAMES
            and len({json.dumps(settings.get(key, math.nan), sort_keys=True) for settings in known.values()}) > 1
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(known), dtype=object)

    @property
    def outdated(self) -> pd.DataFrame:
        """The models on whose sessions more variants have been tried since their report was made."""
        models = self.table[self.table["name"] == MODEL]
        return models[models["variants_now"] > models["variants"]]


INTERVAL_COLUMNS = ("low", "high", "t")
COLUMNS = (
    "rank", "experiment", "name", "kind", "verdict", "part", "first_session", "last_session", "sessions",
    *METRIC_COLUMNS, *(f"{name}_{column}" for name in WITH_INTERVAL for column in INTERVAL_COLUMNS),
    "excess_span", "deflated_sharpe", "variants", "variants_now",
    "mae", "mae_of_zero", "accuracy", "accuracy_of_majority",
)  # fmt: skip


def model_comparison(
    experiments: Mapping[str, ExperimentFolder], tries: Tries, refused: Mapping[str, str] | None = None
) -> Comparison:
    """Read the reports of all experiments and rank what is in them.

    An experiment without a report, or with a damaged one, is left out and named.

    Args:
        tries: what was tried, by now.
        refused: experiments whose report is not to be read -> why.

    The rank is by `excess_return_equal_weight`, the return above the equal-weight universe of the
    same sessions by `metrics.excess_return`, which is 0 for that universe itself; `excess_span` says
    whether it is of a year or of the window. `verdict`, `deflated_sharpe` and `variants` are of
    models only and those of the report; `variants_now` is how many have been tried by now on these
    sessions. MAE and accuracy are of the label and on the part that were traded.
    """
    reports, without, rows = {}, dict(refused or {}), []
    for name, folder in experiments.items():
        if name in without:
            continue
        try:
            report = _read(folder.backtest)
        except NiftyFormerError as error:
            without[name] = str(error)
            continue
        try:
            rows += _rows(name, report, tries)
            reports[name] = report
        except UNREADABLE as error:
            without[name] = str(of_another_version(folder.backtest / METRICS, error))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    # To ten digits, so that rounding errors put no equal above another.
    order = table.assign(**{EXCESS: table[EXCESS].round(10)}).sort_values(
        [EXCESS, "experiment", "name"], ascending=[False, True, True]
    )
    table = table.loc[order.index].reset_index(drop=True)
    table["rank"] = np.arange(1, len(table) + 1)
    return Comparison(
        table,
        standings={name: report.standing for name, report in reports.items()},
        settings={name: report.settings for name, report in reports.items()},
        without_report=without,
    )


def _rows(experiment: str, report: _Report, tries: Tries) -> list[dict[str, Any]]:
    figures, content, standing = report.figures, report.content, report.standing
    errors = pd.DataFrame(content["predictions"])
    last = of_parts(traded(errors), [content["part"]]).set_index("baseline")
    rows = []
    for (name, kind), group in figures.groupby(["name", "kind"], sort=False):
        metrics = group.set_index("metric")
        row: dict[str, Any] = {
            "experiment": experiment,
            "name": name,
            "kind": kind,
            **{key: content[key] for key in ("part", "first_session", "last_session", "sessions")},
            "excess_span": standing.span,
            "mae": _cell(last, str(name), "mae"),
            "mae_of_zero": _cell(last, "zero", "mae"),
            "accuracy": _cell(last, str(name), "accuracy"),
            "accuracy_of_majority": _cell(last, "majority", "accuracy"),
        }
        for metric in METRIC_COLUMNS:
            row[metric] = _cell(metrics, metric, "value")
            if metric in WITH_INTERVAL:
                row |= {f"{metric}_{column}": _cell(metrics, metric, column) for column in INTERVAL_COLUMNS}
        if name == EQUAL_WEIGHT:
            row[EXCESS] = 0.0
        if name == MODEL:
            row |= {"deflated_sharpe": standing.deflated, "variants": standing.variants, "verdict": in_short(standing)}
            row["variants_now"] = len(tries.on(content["first_session"], content["last_session"]))
        rows.append(row)
    return rows


@dataclass(frozen=True)
class _Report:
    content: dict[str, Any]
    figures: pd.DataFrame
    standing: Standing

    @property
    def settings(self) -> dict[str, Any]:
        return flat_settings(self.content.get("settings", {}))


def _read(folder: Path) -> _Report:
    content = read_metrics(folder)
    try:
        standing: dict[str, Any] = {
            key: math.nan if value is None else value for key, value in content["standing"].items()
        }
        figures = pd.DataFrame(content["figures"])
        for column in ("value", *INTERVAL_COLUMNS):
            figures[column] = figures[column].astype(float)
        return _Report(content, figures, Standing(**standing))
    except UNREADABLE as error:
        raise damaged(folder / METRICS, error) from error


def _cell(table: pd.DataFrame, row: str, column: str) -> float:
    if row not in table.index:
        return math.nan
    return float(table[column].astype(float)[row])
