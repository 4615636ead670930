"""The watch as an asset: what the signals were worth so far beside the backtest, and the factors beside training."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.made_with import Fitting
from niftyformer_assets.defs.results import picture, table
from niftyformer_assets.experiments.opened import open_experiment
from niftyformer_assets.experiments.traded import traded_market
from niftyformer_assets.experiments.watch import backtest_figures, live_figures, signals_of
from niftyformer_assets.factors.neutralize import read_neutralized
from niftyformer_assets.portfolio.report.pictures.watch import watch_picture
from niftyformer_assets.portfolio.watch.checks import WORDS, alive
from niftyformer_assets.portfolio.watch.drift import drift
from niftyformer_assets.portfolio.watch.figures import FIGURES
from niftyformer_assets.portfolio.watch.sequence import Watched, watched
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import write_parquet


def watch_model(settings: Settings, fitting: Fitting) -> Made:
    """Watch the experiment in use: its signals that were given by the model of the newest one."""
    for reason in fitting.others.values():
        raise NiftyFormerError(f"no watch: {reason}")
    (experiment,) = fitting.experiments.values()
    workspace = settings.workspace
    opened = open_experiment(workspace, experiment)
    market = traded_market(opened)
    signals = signals_of(workspace, experiment.name)
    live = live_figures(signals, market, experiment.strategy.trade_at)
    before = backtest_figures(opened, market, first_signal=min(signals, default=None))
    seen = {name: watched(live[name].to_numpy(), before[name].to_numpy(), len(FIGURES)) for name in FIGURES}
    factors, _ = read_neutralized(opened.folder, opened.axes)
    drifted = drift(factors.result, factors.valid, factors.names, opened.scope.split.train)
    age = len(opened.axes.dates) - opened.scope.split.train.stop
    finding = alive(seen, drifted, age)
    rows = pd.concat([_rows(name, of, live) for name, of in seen.items()], ignore_index=True)
    write_parquet(workspace.model_watch, rows)
    said = {"passed": finding.passed, "sentence": finding.sentence, "figures": dict(finding.figures)}
    write_parquet(workspace.model_drift, drifted.table, {"finding": json.dumps(said)})
    pictured = {WORDS[name]: rows[rows["figure"] == name] for name in FIGURES}
    drawn = watch_picture(
        {name: of["session"].to_numpy() for name, of in pictured.items()},
        {
            name: {column: of[column].to_numpy() for column in ("mean", "low", "high", "outside")}
            | {"values": of["value"].to_numpy(), "backtest": np.array(seen[key].before or (np.nan, np.nan))}
            for (name, of), key in zip(pictured.items(), FIGURES, strict=True)
        },
    )
    return Made(
        {
            "dagster/row_count": len(rows),
            "in_words": finding.sentence,
            "signals": len(signals),
            "sessions_since_training": age,
            "share_missing": float(drifted.table["missing"].mean()),
            "factors_drifted": int(drifted.table["drifted"].sum()),
            "figures": picture(drawn, "rank IC, hit rate and turnover of the signals beside the backtest's"),
            "factors": table(drifted.table, limit=30),
        },
        settings={"experiment": experiment.name},
    )


def _rows(name: str, of: Watched, live: pd.DataFrame) -> pd.DataFrame:
    there = live.loc[np.isfinite(live[name]), "session"]
    low, high = of.before or (np.nan, np.nan)
    return pd.DataFrame(
        {
            "session": there.to_numpy(),
            "figure": name,
            "value": of.given,
            "mean": of.mean,
            "low": of.low,
            "high": of.high,
            "backtest_low": low,
            "backtest_high": high,
            "outside": of.below | of.above,
        }
    )
