"""All experiments side by side: models, baselines and benchmarks, ranked, with their uncertainty.

It reads what the reports left behind (metrics.json, nav.parquet) and runs nothing again. Many
experiments on the same sessions are a search, so each model is held against the luck of all that
were tried on sessions overlapping its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.metrics import deflated_sharpe
from niftyformer_assets.portfolio.report import METRICS, NAV
from niftyformer_assets.portfolio.report_evidence import EQUAL_WEIGHT, MODEL
from niftyformer_assets.portfolio.verdict import Standing, in_short
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import damaged, read_parquet
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

    without_report: experiment -> why it is not in the table.
    """

    table: pd.DataFrame
    without_report: Mapping[str, str]


INTERVAL_COLUMNS = ("low", "high", "t")
COLUMNS = (
    "rank", "experiment", "name", "kind", "verdict", "part", "first_session", "last_session", "sessions",
    *METRIC_COLUMNS, *(f"{name}_{column}" for name in WITH_INTERVAL for column in INTERVAL_COLUMNS),
    "deflated_sharpe", "variants", "mae", "mae_of_zero", "accuracy", "accuracy_of_majority",
)  # fmt: skip


def model_comparison(experiments: Mapping[str, ExperimentFolder]) -> Comparison:
    """Read the reports of all experiments and rank what is in them.

    An experiment without a report, or with a damaged one, is left out and named.

    The rank is by `excess_return_equal_weight`, the mean return above the equal-weight universe of
    the same sessions times 252, which is 0 for that universe itself. `deflated_sharpe` and
    `verdict` are of models only, for the `variants` tried on overlapping sessions. MAE and
    accuracy are of the largest horizon on the part that was traded.
    """
    reports, without = {}, {}
    for name, folder in experiments.items():
        try:
            reports[name] = _read(folder.backtest)
        except NiftyFormerError as error:
            without[name] = str(error)
    rows = [row for name, report in reports.items() for row in _rows(name, report, list(reports.values()))]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table = table.sort_values([EXCESS, "experiment", "name"], ascending=[False, True, True], ignore_index=True)
    table["rank"] = np.arange(1, len(table) + 1)
    return Comparison(table, without)


def write_comparison(csv: Path, html: Path, comparison: Comparison) -> None:
    """Write comparison.csv and comparison.html."""
    from niftyformer_assets.portfolio.comparison_page import comparison_page
    from niftyformer_assets.portfolio.report_page import render

    write_text(csv, comparison.table.to_csv(index=False))
    write_text(html, render(comparison_page(comparison)))


def _rows(experiment: str, report: _Report, reports: Sequence[_Report]) -> list[dict[str, Any]]:
    figures, content = report.figures, report.content
    rivals = [other for other in reports if report.overlaps(other)]
    errors = pd.DataFrame(content["predictions"])
    last = errors[(errors["split"] == content["part"])]
    last = last[last["horizon"] == errors["horizon"].max()].set_index("baseline")
    rows = []
    for (name, kind), group in figures.groupby(["name", "kind"], sort=False):
        metrics = group.set_index("metric")
        row: dict[str, Any] = {
            "experiment": experiment,
            "name": name,
            "kind": kind,
            **{key: content[key] for key in ("part", "first_session", "last_session", "sessions")},
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
            tried = [other.sharpe for other in rivals]
            # The report may know of variants that have no report any more.
            variants = max(len(tried), report.standing.variants)
            deflated = deflated_sharpe(report.returns, content["risk_free_rate"], tried, variants)
            standing = replace(report.standing, variants=variants, deflated=deflated)
            row |= {"deflated_sharpe": deflated, "variants": variants, "verdict": in_short(standing)}
        rows.append(row)
    return rows


@dataclass(frozen=True)
class _Report:
    content: dict[str, Any]
    figures: pd.DataFrame
    standing: Standing
    returns: np.ndarray

    @property
    def sharpe(self) -> float:
        return self.standing.sharpe

    def overlaps(self, other: _Report) -> bool:
        ours, theirs = self.content, other.content
        return bool(ours["first_session"] <= theirs["last_session"] and theirs["first_session"] <= ours["last_session"])


def _read(folder: Path) -> _Report:
    path = folder / METRICS
    if not path.is_file():
        raise NiftyFormerError(f"{path} does not exist: materialize backtest_report for this experiment.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        standing: dict[str, Any] = {
            key: math.nan if value is None else value for key, value in content["standing"].items()
        }
        figures = pd.DataFrame(content["figures"])
        for column in ("value", *INTERVAL_COLUMNS):
            figures[column] = figures[column].astype(float)
        nav = read_parquet(folder / NAV, ["nav"])["nav"].to_numpy()
        return _Report(content, figures, Standing(**standing), nav[1:] / nav[:-1] - 1)
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, error) from error


def _cell(table: pd.DataFrame, row: str, column: str) -> float:
    if row not in table.index:
        return math.nan
    return float(table[column].astype(float)[row])
