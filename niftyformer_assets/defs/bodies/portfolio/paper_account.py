"""The paper account as an asset: what is new since the last row is added to the ledger, its head told to Dagster."""

from __future__ import annotations

from datetime import datetime, timezone

import dagster as dg

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import picture, table
from niftyformer_assets.experiments.files import experiment_in_use, find_experiment
from niftyformer_assets.experiments.opened import open_experiment
from niftyformer_assets.experiments.paper import market_since, renamed_since, signal_given
from niftyformer_assets.portfolio.paper.account import account_of, costs_paid
from niftyformer_assets.portfolio.paper.following import CLOSES_COMPARED, PaperRules, follow, open_account, worth
from niftyformer_assets.portfolio.paper.ledger import Head, append_rows, must_hold, read_ledger
from niftyformer_assets.portfolio.paper.shown import curves, holdings, in_words, rows_in_words
from niftyformer_assets.portfolio.report.pictures.money import equity_picture
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError

ASSET = dg.AssetKey("paper_account")
HEAD, ROWS = "head", "rows"


def go_on_on_paper(context: dg.AssetExecutionContext, settings: Settings) -> Made:
    """Follow the signals through the newest session; the first time, open the account at the newest signal."""
    if (name := experiment_in_use(settings)) is None:
        raise NiftyFormerError(
            "paper_account is of the experiment in use, and of several none is: set NIFTYFORMER_SIGNAL_EXPERIMENT to "
            "its name"
        )
    experiment, workspace = find_experiment(settings, name), settings.workspace
    ledger = read_ledger(workspace.paper_account)
    must_hold(ledger, heads(context.instance))
    before = len(ledger.rows)
    days = sorted(path.stem for path in workspace.signals.glob("*.parquet"))
    if not days:
        raise NiftyFormerError("no paper account: no signal has been given yet: materialize daily_signals")
    rules = PaperRules(name, experiment.strategy, experiment.costs, experiment.seed)
    if not before:
        ledger = append_rows(ledger, open_account(rules, signal_given(workspace, days[-1])))
    account = account_of(ledger)
    first = max(sum(day < account.last for day in days) - CLOSES_COMPARED, 0)
    signals = {day: signal_given(workspace, day) for day in days[first:]}
    opened = open_experiment(workspace, experiment)
    called = renamed_since(opened, account)
    market = market_since(opened, account, called)
    ledger = append_rows(ledger, follow(account, market, signals, rules, called))
    new = ledger.rows[before:]
    drawn = equity_picture(*curves(account, market))
    return Made(
        {
            "dagster/row_count": len(ledger.rows),
            "nav_paise": worth(account),
            "session": account.last,
            "opened": account.opened,
            "in_words": in_words(account, new),
            "return": worth(account) / account.navs[account.opened] - 1,
            "costs_paise": costs_paid(ledger.rows),
            HEAD: ledger.head.seal,
            ROWS: ledger.head.rows,
            "nav": picture(drawn, "net asset value beside the universe held equally"),
            "holdings": table(holdings(account)),
            "new_rows": table(rows_in_words(new), limit=200),
        },
        settings={"experiment": name},
    )


def heads(instance: dg.DagsterInstance) -> list[tuple[Head, str]]:
    """The heads of the chain in all materializations, each with which it was in words; the oldest first."""
    found: list[tuple[Head, str]] = []
    cursor, more = None, True
    while more:
        read = instance.fetch_materializations(ASSET, limit=500, cursor=cursor)
        for record in read.records:
            made = record.asset_materialization
            if made is not None and {HEAD, ROWS} <= made.metadata.keys():
                at = datetime.fromtimestamp(record.timestamp, timezone.utc)
                head = Head(int(str(made.metadata[ROWS].value)), str(made.metadata[HEAD].value))
                found.append((head, f"the materialization of {at:%Y-%m-%d %H:%M} UTC"))
        cursor, more = read.cursor, read.has_more
    return found[::-1]
