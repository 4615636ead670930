"""The signal of the newest session as an asset: looked at first, and written only where nothing is wrong."""

from __future__ import annotations

import json
from datetime import date

import dagster as dg
import pandas as pd

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.made_with import Fitting
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.defs.results import table
from niftyformer_assets.experiments.opened import open_experiment
from niftyformer_assets.experiments.signal import decide_now, look, must_be_of_the_newest_candles, signal_before
from niftyformer_assets.model.checkpoint import ModelFolder, read_card
from niftyformer_assets.model.predictions import read_predictions
from niftyformer_assets.portfolio.signals.decision import Decision, in_words
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import content_fingerprint
from niftyformer_assets.store.tables import read_parquet, write_parquet

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
    must_be_of_the_newest_candles(opened)
    predictions = read_predictions(opened.folder.predictions)
    card = read_card(ModelFolder(opened.folder.model).card)
    session = opened.axes.dates[-1]
    expected = _last_session(source) if settings.is_live else None
    findings = look(opened, predictions, card, settings.signal_max_age_days, expected)
    if wrong := [finding.sentence for finding in findings if not finding.passed]:
        raise NiftyFormerError(f"no signal for {session}: {'; and '.join(wrong)}. What was given before stays as it is")
    decision = decide_now(opened, predictions)
    path = workspace.signal(str(session))
    before, told = signal_before(workspace, str(session))
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


def _last_session(source: CandleSource) -> date:
    from niftyformer_assets.market.calendar import last_complete_session

    with source.connect() as connection:
        return last_complete_session(connection.now)


def _orders(decision: Decision) -> pd.DataFrame:
    rows = decision.table[decision.table["order"] != ""]
    return rows[[*SHOWN[:1], *SHOWN[5:], "reason", "status"]]


def _target(decision: Decision) -> pd.DataFrame:
    """What is held before or after, then the best of the rest."""
    of = decision.table
    concerned = (of["target_shares"] > 0) | (of["held"] > 0) | (of["order"] != "")
    rows = pd.concat([of[concerned], of[~concerned]])[[*SHOWN, *SHOWN_AFTER]]
    return rows.astype(dict.fromkeys(("rank", "rank_before"), object)).fillna({"rank": "", "rank_before": ""})
