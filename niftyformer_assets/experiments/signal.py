"""The signal of an experiment's newest session: what must be so before there is one, and what is decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.experiments.traded import traded_market, traded_scores
from niftyformer_assets.factors.neutralize import read_neutralized
from niftyformer_assets.finding import Finding
from niftyformer_assets.market.calendar import sessions_to_come
from niftyformer_assets.model.data import GRAPH
from niftyformer_assets.portfolio.signals.checks import (
    candles_complete,
    factors_as_in_training,
    graph_as_in_training,
    model_young_enough,
    predictions_differ,
    universe_as_the_models,
)
from niftyformer_assets.portfolio.signals.decision import Decision, decide
from niftyformer_assets.store.arrays import hashes, load_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import must_be_from_the_same, must_have_record
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets.store.workspace import Workspace


def must_be_of_the_newest_candles(opened: OpenedExperiment) -> None:
    """Refuse predictions that were not made from the panel that is there now; of the same session there may be two."""
    folder = opened.folder
    for asset, source in (
        ("neutralized_factors", opened.workspace.market_panel),
        ("predictions", folder.neutralized_factors),
    ):
        try:
            must_be_from_the_same(folder.provenance, must_have_record(folder.provenance, asset), {source})
        except NiftyFormerError as error:
            raise NiftyFormerError(f"no signal: {error}") from None


def look(
    opened: OpenedExperiment,
    predictions: pd.DataFrame,
    card: Mapping[str, Any],
    most_days: int,
    expected: date | None = None,
) -> list[Finding]:
    """All that must be so before there is a signal of the newest session.

    Args:
        card: the model's.
        most_days: how old the model may be.
        expected: the exchange's last session, where candles come every day.
    """
    axes, train = opened.axes, opened.scope.split.train
    session = axes.dates[-1].item()
    factors, _ = read_neutralized(opened.folder, axes)
    newest = predictions[pd.to_datetime(predictions["date_made"]) == pd.Timestamp(session)]
    return [
        candles_complete(np.isfinite(opened.scope.cut(opened.panel["close"])), axes.symbols, session, expected),
        universe_as_the_models(card["symbols"], axes.symbols, set(newest["symbol"])),
        graph_as_in_training(*_graphs(opened, card)),
        factors_as_in_training(factors.result, factors.valid, factors.names, train),
        model_young_enough(axes.dates[train.stop - 1].item(), session, most_days),
        predictions_differ(predictions, session),
    ]


def _graphs(opened: OpenedExperiment, card: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The hash of the embedding that the model was trained with, and of the one that there is now."""
    trained_with = card["data"].get(GRAPH)
    if trained_with is None or opened.experiment.graph.embedding == "none":
        return None, None
    arrays, _ = load_arrays(opened.folder.graph_embeddings)
    return trained_with, hashes({GRAPH: arrays[opened.folder.graph_embeddings.stem].astype(np.float32)})[GRAPH]


def decide_now(opened: OpenedExperiment, predictions: pd.DataFrame) -> Decision:
    """The decision at the close of the experiment's last session, of the account of its backtest."""
    experiment, market = opened.experiment, traded_market(opened)
    scores = traded_scores(opened, predictions, market.axes)
    to_come = sessions_to_come(market.axes.dates[-1], 1)
    if not len(to_come):
        raise NiftyFormerError(
            f"no signal for {market.axes.dates[-1]}: the calendar does not know the session after it: upgrade "
            "pandas-market-calendars, or enter that year's holidays in data/reference/holidays.csv"
        )
    return decide(predictions, scores, market, to_come[0], experiment.strategy, experiment.costs, experiment.seed)


def signal_before(workspace: Workspace, session: str) -> tuple[str | None, list[str]]:
    """The session of the signal before, and what is to be said of signals that cannot be read."""
    told = []
    for path in sorted(workspace.signals.glob("*.parquet"), reverse=True):
        if path.stem < session:
            try:
                read_parquet(path, ("symbol", "rank", "target_weight"))
            except NiftyFormerError as error:
                told.append(f"{error} This signal is not compared with it.")
                continue
            return path.stem, told
    return None, told
