"""The ingest as Dagster sees it: one run over many symbols, each a partition of its own."""

from __future__ import annotations

import dagster as dg

from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.market.index_lists import aliases_of_lists
from niftyformer_assets.market.ingest import Failed, Fetched, ingest
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.arrays import sha256
from niftyformer_assets.store.provenance import code_version


def fetch_candles(context: dg.AssetExecutionContext, settings: Settings, source: CandleSource) -> None:
    """Bring the candles of the run's partitions up to date, logging each symbol as it comes.

    Raises:
        NiftyFormerError: the source or the folder of candles is not to be used at all.
        dg.Failure: symbols failed; its description names them, and its metadata holds each reason.
    """
    symbols = list(context.partition_keys)
    failed: list[Failed] = []
    with source.connect() as connection:
        outcomes = ingest(
            symbols,
            settings.workspace,
            connection.session,
            connection.pacer,
            connection.ingest,
            connection.now,
            aliases_of_lists(settings.index_list_folders),
        )
        for outcome in outcomes:
            if isinstance(outcome, Failed):
                failed.append(outcome)
                context.log.warning(f"{outcome.symbol} failed: {outcome.reason}")
            else:
                _log(context, settings, outcome)
    if failed:
        raise _failure(failed, len(symbols))


def _log(context: dg.AssetExecutionContext, settings: Settings, outcome: Fetched) -> None:
    path = settings.workspace.candles(outcome.symbol)
    context.log_event(
        dg.AssetMaterialization(
            asset_key=context.asset_key,
            partition=outcome.symbol,
            tags={
                "dagster/data_version": sha256(path)[:24],
                "dagster/code_version": code_version("market"),
            },
            metadata={
                "dagster/row_count": outcome.rows,
                "outcome": outcome.kind,
                "first_session": str(outcome.first or "none"),
                "last_session": str(outcome.last or "none"),
                "new_sessions": outcome.new_rows,
                "reason": outcome.reason or "none",
                "file": dg.MetadataValue.path(str(path)),
            },
        )
    )


def _failure(failed: list[Failed], asked: int) -> dg.Failure:
    rows = "\n".join(f"| {outcome.symbol} | {outcome.reason.replace('|', '/')} |" for outcome in failed)
    names = ", ".join(outcome.symbol for outcome in failed[:10]) + (", …" if len(failed) > 10 else "")
    others = "The others are done; m" if len(failed) < asked else "M"
    return dg.Failure(
        description=f"{len(failed)} of {asked} symbols failed ({names}): {failed[0].reason} {others}aterialize the "
        "failed ones again (raw_ohlcv, Partitions, Failed).",
        metadata={"failed": dg.MetadataValue.md(f"| symbol | reason |\n| --- | --- |\n{rows}")},
    )
