"""The files of a report, and the one that programs read again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from niftyformer_assets.finding import Finding
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import is_file
from niftyformer_assets.store.index import read_json

REPORT, METRICS, TEARSHEET = "report.html", "metrics.json", "tearsheet.html"
NAV, TRADES, HOLDINGS = "nav.parquet", "trades.parquet", "holdings.parquet"


def read_metrics(folder: Path) -> dict[str, Any]:
    """The content of metrics.json in the folder of a report.

    Raises:
        NiftyFormerError: there is none, it is not the one that was written, or it is of an earlier version.
    """
    path = folder / METRICS
    if not is_file(path):
        raise NiftyFormerError(f"{path} does not exist: materialize backtest_report for this experiment.")
    content = read_json(path)
    if "outcome" not in content:
        raise NiftyFormerError(f"{path} is of an earlier version: materialize backtest_report again.")
    if isinstance(standing := content.get("standing"), dict):  # the best baseline was called the rival
        content["standing"] = {key.replace("rival", "baseline"): value for key, value in standing.items()}
    return content


def of_another_version(path: Path, error: Exception) -> NiftyFormerError:
    """The error for what is as it was written, and holds other things than are read now."""
    return NiftyFormerError(
        f"{path} is of another version ({type(error).__name__}): materialize backtest_report again."
    )


def better_than_luck(metrics: Mapping[str, Any]) -> Finding:
    """What metrics.json says of the model beside the best baseline, its own scores permuted, and equal weight."""
    return Finding(
        metrics["outcome"] == "good",
        metrics["verdict"][0],
        {"verdict": " ".join(metrics["verdict"]), **metrics["standing"]},
    )
