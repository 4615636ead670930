"""Assets of the `market` package: the universe, candles by symbol, quality, the aligned panel, the size proxy."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import dagster as dg

from niftyformer_assets.defs.artifact_asset import ASKS_KITE, Made, artifact_asset, known_of
from niftyformer_assets.defs.automation.sensors import AFTER_A_NEW_PANEL, AFTER_NEW_CANDLES
from niftyformer_assets.defs.partitions import Partitions, told_of_wrong_files
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.defs.results import one_line_errors
from niftyformer_assets.settings import Settings

# Made between the close of a session and 20:00. Cron knows no holidays: on one it is late until the next refresh.
AFTER_EACH_CLOSE = dg.FreshnessPolicy.cron(
    deadline_cron="0 20 * * 1-5", lower_bound_delta=timedelta(hours=4), timezone="Asia/Kolkata"
)


def market_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """From Kite and NSE to clean, aligned candles."""
    asset = partial(artifact_asset, partitions)

    @asset(said=_advice(partitions))
    def universe(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        candle_source: dg.ResourceParam[CandleSource],
    ) -> Made:
        from niftyformer_assets.defs.bodies.market.universe import make_universe

        return make_universe(context, settings, candle_source)

    @asset()
    def sector_dummies(settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.defs.bodies.market.sectors import make_dummies

        return make_dummies(settings)

    raw = known_of(partitions.artifacts["raw_ohlcv"], partitions)

    @dg.asset(
        **(raw | {"description": raw["description"] + _advice(partitions)}),
        op_tags=ASKS_KITE,
        backfill_policy=dg.BackfillPolicy.single_run(),
        output_required=False,
    )
    def raw_ohlcv(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        candle_source: dg.ResourceParam[CandleSource],
    ) -> Iterator[dg.MaterializeResult]:
        from niftyformer_assets.defs.bodies.market.candles import fetch_candles

        with one_line_errors():
            fetch_candles(context, settings, candle_source)
        # Each good symbol was logged as it came; a result here would be a second one.
        yield from ()

    @asset()
    def benchmark_index(settings: dg.ResourceParam[Settings], candle_source: dg.ResourceParam[CandleSource]) -> Made:
        from niftyformer_assets.defs.bodies.market.benchmark import make_benchmark

        return make_benchmark(settings, candle_source)

    @asset(automation_condition=AFTER_NEW_CANDLES)
    def data_quality_report(settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.defs.bodies.market.quality import report_quality

        return report_quality(settings)

    @asset(automation_condition=AFTER_NEW_CANDLES, freshness_policy=AFTER_EACH_CLOSE)
    def market_panel(settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.defs.bodies.market.quality import make_panel

        return make_panel(settings)

    @asset(automation_condition=AFTER_A_NEW_PANEL)
    def size_proxy(settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.defs.bodies.market.size_proxy import make_size_proxy

        return make_size_proxy(settings)

    return [
        universe,
        sector_dummies,
        raw_ohlcv,
        benchmark_index,
        data_quality_report,
        market_panel,
        size_proxy,
    ]


def _advice(partitions: Partitions) -> str:
    return (f"\n\n**{partitions.advice}**" if partitions.advice else "") + told_of_wrong_files(partitions.wrong_lists)
