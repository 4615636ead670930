"""The signal of the newest session as an asset: looked at first, and written only where nothing is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.bodies.dataset.experiment_file import sessions_to_come
from niftyformer_assets.defs.made_with import Fitting
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.defs.results import table
from niftyformer_assets.experiments.exposures import read_exposures
from niftyformer_assets.experiments.opened import OpenedExperiment, open_experiment
from niftyformer_assets.factors.neutralize import read_neutralized
from niftyformer_assets.finding import Finding
from niftyformer_assets.model.checkpoint import ModelFolder, read_card
from niftyformer_assets.model.data import GRAPH
from niftyformer_assets.model.predictions import read_predictions
from niftyformer_assets.portfolio.backtest.market import Market, cut_market
from niftyformer_assets.portfolio.backtest.scoring import predictions_to_trade
from niftyformer_assets.portfolio.signals.checks import (
    candles_complete,
    factors_as_in_training,
    graph_as_in_training,
    model_young_enough,
    predictions_differ,
    universe_as_the_models,
)
from niftyformer_assets.portfolio.signals.decision import Decision, decide
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.arrays import hashes, load_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import (
    content_fingerprint,
    must_be_from_the_same,
    must_have_record,
)
from niftyformer_assets.store.tables import read_parquet, write_parquet
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets.words import counted

# Of what a signal says of a stock, what a person reads first.
SHOWN = ("symbol", "rank", "rank_before", "p_up", "close", "held", "order", "order_shares", "order_value", "cost")
SHOWN_AFTER = ("target_shares", "target_weight", "weight_before", "status")


def make_signal(context: dg.AssetExecutionContext, settings: Settings, source: CandleSource, fitting: Fitting) -> Made:
    """Look at what the newest session's signal rests on, decide, and write it; or say why there is none."""
    for reason in fitting.others.values():
        raise NiftyFormerError(f"no signal: {reason}")
    (experiment,) = fitting.experiments.values()
    workspace = settings.workspace
    opened = open_experiment(workspace, experiment)
    _must_be_of_the_newest_candles(opened)
    predictions = read_predictions(opened.folder.predictions)
    card = read_card(ModelFolder(opened.folder.model).card)
    session = opened.axes.dates[-1]
    expected = _last_session(source) if settings.is_live else None
    findings = look(opened, predictions, card, settings.signal_max_age_days, expected)
    if wrong := [finding.sentence for finding in findings if not finding.passed]:
        raise NiftyFormerError(f"no signal for {session}: {'; and '.join(wrong)}. What was given before stays as it is")
    decision = decide_now(opened, predictions)
    path = workspace.signal(str(session))
    before, told = _before(workspace, str(session))
    if before is not None:
        decision = decision.against(read_parquet(workspace.signal(before)))
    for line in told:
        context.log.warning(line)
    made_of = {
        "experiment": experiment.name,
        "model": experiment.model.name,
        "model_fingerprint": content_fingerprint([ModelFolder(opened.folder.model).card]),
        "trained": card["sessions"],
        "candles_until": str(session),
        "trades_on": str(decision.trades_on),
        "predictions": content_fingerprint([opened.folder.predictions]),
        "code": card["code"],
        "signal_before": before,
        "looked_at": [finding.sentence for finding in findings],
    }
    write_parquet(path, decision.table, {"made_of": json.dumps(made_of, sort_keys=True)})
    return Made(
        {
            "dagster/row_count": len(decision.table),
            "session": str(session),
            "trades_on": str(decision.trades_on),
            "in_words": in_words(decision, before),
            "worth": decision.worth,
            "cash_after": decision.cash,
            "turnover": decision.turnover,
            "orders": table(_orders(decision)),
            "target": table(_target(decision)),
            "made_of": dg.MetadataValue.json(made_of),
            **({"warnings": "\n\n".join(told)} if told else {}),
        },
        settings={"experiment": experiment.name, "max_age_days": settings.signal_max_age_days},
        given=[] if before is None else [workspace.signal(before)],
    )


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
    experiment, scope = opened.experiment, opened.scope
    market = traded_market(opened)
    exposures = None
    if experiment.strategy.neutralise:
        exposures = read_exposures(opened.workspace, experiment, opened.panel_axes).on(opened.axes)
    scores = predictions_to_trade(predictions, market.axes, scope, exposures, experiment.strategy)
    to_come = sessions_to_come(market.axes.dates[-1], 1)
    if not len(to_come):
        raise NiftyFormerError(
            f"no signal for {market.axes.dates[-1]}: the calendar does not know the session after it: upgrade "
            "pandas-market-calendars, or enter that year's holidays in data/reference/holidays.csv"
        )
    return decide(predictions, scores, market, to_come[0], experiment.strategy, experiment.costs, experiment.seed)


def traded_market(opened: OpenedExperiment) -> Market:
    """The market from the session whose scores trade first in the test window through the last one at hand."""
    dates = opened.axes.dates
    return cut_market(opened.panel, opened.scope, dates[max(opened.scope.split.test.start - 1, 0)], dates[-1])


def in_words(decision: Decision, before: str | None) -> str:
    """What is to be done, and what that changes, in a few sentences."""
    bought, sold = (
        decision.table.loc[decision.table["order_shares"] * sign > 0, "symbol"].tolist() for sign in (1, -1)
    )
    said = [
        f"At the close of {decision.session}, for {decision.trades_on}: hold {counted(len(decision.held), 'stock')}; "
        f"buy {', '.join(bought) or 'nothing'}; sell {', '.join(sold) or 'nothing'}."
    ]
    if before is None:
        said.append("There is no signal before it to compare with.")
    else:
        now, then = decision.table["target_weight"] > 0, decision.table["weight_before"].fillna(0) > 0
        new, gone = decision.table.loc[now & ~then, "symbol"], decision.table.loc[then & ~now, "symbol"]
        said.append(
            f"Against the signal of {before}: {', '.join(new) or 'nothing'} new, {', '.join(gone) or 'nothing'} gone."
        )
    return " ".join(said)


def _must_be_of_the_newest_candles(opened: OpenedExperiment) -> None:
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


def _last_session(source: CandleSource) -> date:
    from niftyformer_assets.market.calendar import last_complete_session

    with source.connect() as connection:
        return last_complete_session(connection.now)


def _before(workspace: Workspace, session: str) -> tuple[str | None, list[str]]:
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


def _orders(decision: Decision) -> pd.DataFrame:
    rows = decision.table[decision.table["order"] != ""]
    return rows[[*SHOWN[:1], *SHOWN[5:], "reason", "status"]]


def _target(decision: Decision) -> pd.DataFrame:
    """What is held before or after, then the best of the rest."""
    of = decision.table
    concerned = (of["target_shares"] > 0) | (of["held"] > 0) | (of["order"] != "")
    rows = pd.concat([of[concerned], of[~concerned]])[[*SHOWN, *SHOWN_AFTER]]
    return rows.astype(dict.fromkeys(("rank", "rank_before"), object)).fillna({"rank": "", "rank_before": ""})
