"""What a report leaves for programs: its figures as JSON, and tables of value, orders and holdings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.evidence.exposure import ExposureSplit
from niftyformer_assets.portfolio.evidence.gather import Evidence
from niftyformer_assets.portfolio.evidence.verdict import in_short, verdict
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT
from niftyformer_assets.portfolio.report.background import Background
from niftyformer_assets.portfolio.report.files import HOLDINGS, METRICS, NAV, TRADES
from niftyformer_assets.store.index import write_entered
from niftyformer_assets.store.tables import write_parquet


def report_metrics(evidence: Evidence, background: Background) -> dict[str, Any]:
    """The content of metrics.json; figures not defined are NaN here and null there.

    sessions are those on which something could be earned; the window is first_session to last_session.
    """
    standing = evidence.standing
    judged = verdict(standing)
    return {
        "experiment": background.experiment,
        "market": background.market,
        "part": evidence.part,
        "first_session": str(evidence.result.dates[1]),
        "last_session": str(evidence.result.dates[-1]),
        "sessions": len(evidence.result.returns),
        "risk_free_rate": evidence.result.strategy.risk_free_rate,
        "standing": asdict(standing),
        "verdict": list(judged.sentences),
        "outcome": judged.outcome,
        "in_short": in_short(standing),
        "null": {
            name: {"percentile": place.percentile, "p": place.p, "p_worse": place.p_worse}
            for name, place in evidence.null.place(evidence.result).items()
        }
        | {"portfolios": len(evidence.null.nav)},
        "picks": dict(zip(("by_lot", "all"), evidence.picks_by_lot, strict=True)),
        "index_notes": list(evidence.index_notes),
        "figures": evidence.figures.to_dict("records"),
        "predictions": evidence.errors.to_dict("records"),
        "networks": evidence.by_network.to_dict("records"),
        "horizons": evidence.horizons.to_dict("records"),
        "persistence": evidence.persistence.to_dict("records"),
        "groups": {name: table.to_dict("records") for name, table in evidence.by_group.items()},
        "exposures": exposures_content(evidence.exposure_split),
        "short_term_tax": asdict(evidence.tax),
        "settings": background.settings,
    }


def exposures_content(split: ExposureSplit | None) -> dict[str, Any]:
    """What a split says, held as a mean over the sessions; nothing where no exposure is looked at."""
    if split is None:
        return {}
    held = {name: series[np.isfinite(series)] for name, series in split.held.items()}
    return {
        "held": {name: float(series.mean()) if len(series) else math.nan for name, series in held.items()},
        "scores": split.scores.to_dict("records"),
        "returns": split.returns.to_dict("records"),
    }


def write_tables(folder: Path, evidence: Evidence, background: Background) -> None:
    """Write them (files are replaced one by one, each atomically); the same evidence gives the same bytes."""
    result = evidence.result
    low, middle, high = evidence.null.band()
    nav = {
        "session": result.dates.astype("datetime64[ns]"),
        "nav": result.nav,
        "cash": result.cash,
        "interest": result.interest,
        "exposure": result.exposure,
        "turnover": result.turnover,
        "cost": result.by_session("cost"),
        "random_p05": low,
        "random_median": middle,
        "random_p95": high,
        **{f"{name} (baseline)": each.nav for name, (_, each) in evidence.baselines.items()},
        EQUAL_WEIGHT: evidence.equal_weight.nav,
        **evidence.indices,
    }
    write_parquet(folder / NAV, pd.DataFrame(nav))
    write_parquet(folder / TRADES, result.orders)
    session, stock = np.nonzero(result.holdings)
    holdings = {
        "session": result.dates[session].astype("datetime64[ns]"),
        "symbol": np.array(result.market.axes.symbols)[stock],
        "shares": result.holdings[session, stock],
        "price": result.market.mark[session, stock] / 100,
        "weight": result.weights[session, stock],
    }
    write_parquet(folder / HOLDINGS, pd.DataFrame(holdings))
    write_entered(folder / METRICS, json.dumps(as_json(report_metrics(evidence, background)), indent=1) + "\n")


def as_json(value: Any) -> Any:
    """The same as JSON values: NaN and infinities become null, NumPy's numbers Python's."""
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
