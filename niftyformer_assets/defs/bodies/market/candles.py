"""The ingest as Dagster sees it: one run over many symbols, each a partition of its own."""

from __future__ import annotations

import dagster as dg

from niftyformer_assets.artifacts import artifacts
from niftyformer_assets.defs.reasons import failed_partition
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.defs.results import as_text, file_path, table
from niftyformer_assets.market.identities import aliases_of_lists, isins_of_lists
from niftyformer_assets.market.ingest import Failed, Fetched, ingest
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.index import file_sha256
from niftyformer_assets.store.tables import read_parquet


def fetch_candles(context: dg.AssetExecutionContext, settings: Settings, source: CandleSource) -> None:
    """Bring the candles of the run's partitions up to date, logging each symbol as it comes.

    Raises:
        NiftyFormerError: the source or the folder of candles is not to be used at all.
        dg.Failure: symbols failed; its description names them, and its metadata holds each reason.
    """
    symbols = list(context.partition_keys)
    failed: list[Failed] = []
    universe_tags = _made_from_universe(context)
    # Without one of them a renamed stock is at worst not found, and that is told; with none nothing would be fetched.
    wrong: list[str] = []
    with source.connect() as connection:
        aliases = aliases_of_lists(settings.index_list_sources, connection.now.date(), wrong)
        for line in (*connection.said, *(f"left out: {reason}" for reason in wrong)):
            context.log.warning(line)
        outcomes = ingest(
            symbols,
            settings.workspace,
            connection.session,
            connection.pacer,
            connection.ingest,
            connection.now,
            aliases,
            isins_of_lists(settings.index_list_sources, wrong),
        )
        for outcome in outcomes:
            if isinstance(outcome, Failed):
                failed.append(outcome)
                context.log.warning(f"{outcome.symbol} failed: {outcome.reason}")
                # Where a person looks for it: on the page of the partition that is red.
                context.log_event(failed_partition(context.asset_key, outcome.symbol, outcome.reason))
            else:
                _log(context, settings, outcome, universe_tags)
    if failed:
        raise _failure(sorted(failed, key=lambda outcome: outcome.symbol), len(symbols))


def _made_from_universe(context: dg.AssetExecutionContext) -> dict[str, str]:
    """The tags by which Dagster knows the input a materialization was made from; without them it counts as stale."""
    event = context.instance.get_latest_materialization_event(dg.AssetKey("universe"))
    made = event.asset_materialization if event is not None else None
    version = (made.tags or {}).get("dagster/data_version") if made is not None else None
    if version is None:
        return {}
    return {"dagster/input_data_version/universe": version, "dagster/input_event_pointer/universe": "NULL"}


def _log(
    context: dg.AssetExecutionContext, settings: Settings, outcome: Fetched, universe_tags: dict[str, str]
) -> None:
    path = settings.workspace.candles(outcome.symbol)
    context.log_event(
        dg.AssetMaterialization(
            asset_key=context.asset_key,
            partition=outcome.symbol,
            tags={
                "dagster/data_version": file_sha256(path)[:24],
                "dagster/code_version": artifacts()["raw_ohlcv"].code,
                **universe_tags,
            },
            metadata={
                "dagster/row_count": outcome.rows,
                "outcome": outcome.kind,
                "first_session": str(outcome.first or "none"),
                "last_session": str(outcome.last or "none"),
                "new_sessions": outcome.new_rows,
                "reason": outcome.reason or "none",
                "last_candles": table(read_parquet(path).tail(5).astype({"date": str})),
                "file": file_path(path),
            },
        )
    )


def _failure(failed: list[Failed], asked: int) -> dg.Failure:
    rows = "\n".join(f"| {as_text(outcome.symbol)} | {as_text(outcome.reason)} |" for outcome in failed)
    names = ", ".join(outcome.symbol for outcome in failed[:10]) + (", …" if len(failed) > 10 else "")
    others = "The others are done; m" if len(failed) < asked else "M"
    return dg.Failure(
        description=f"{len(failed)} of {asked} symbols failed ({names}): {failed[0].reason} {others}aterialize the "
        "failed ones again (raw_ohlcv, Partitions, Failed).",
        metadata={"failed": dg.MetadataValue.md(f"| symbol | reason |\n| --- | --- |\n{rows}")},
    )
