"""Assets of the `market` package: the universe, candles by symbol, quality, the aligned panel, the size proxy."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import dagster as dg

from niftyformer_assets.defs.artifact_asset import Made, artifact_asset, known_of
from niftyformer_assets.defs.automation.sensors import AFTER_A_NEW_PANEL, AFTER_NEW_CANDLES
from niftyformer_assets.defs.partitions import Partitions, told_of_wrong_files
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.defs.results import one_line_errors, picture, table
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
        from niftyformer_assets.defs.bodies.index_lists import lists_at_hand
        from niftyformer_assets.market.pictures import universe_picture
        from niftyformer_assets.market.universe import build_universe, describe_reach, save_universe

        at_hand = lists_at_hand(settings, candle_source, context.log.warning)
        frame = build_universe(at_hand.lists, at_hand.sectors, at_hand.others)
        path = settings.workspace.universe
        save_universe(path, frame)
        members = frame[frame["member_from"].notna() & frame["member_to"].isna()]
        return Made(
            {
                "dagster/row_count": len(frame),
                "members_now": members["symbol"].nunique(),
                "symbols_ever": frame["symbol"].nunique(),
                "reach": describe_reach(frame),
                "sectors": picture(universe_picture(frame), "members by sector"),
            },
            settings={"lists": [kept.name for kept in at_hand.lists]},
            given=at_hand.files,
        )

    @asset()
    def sector_dummies(settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.market.sectors import sector_dummies as dummies_of
        from niftyformer_assets.market.universe import load_universe
        from niftyformer_assets.store.tables import write_parquet

        workspace = settings.workspace
        frame = dummies_of(load_universe(workspace.universe))
        write_parquet(workspace.sector_dummies, frame)
        latest = frame.drop_duplicates("symbol", keep="last")
        counts = latest.drop(columns=["symbol", "since"]).sum().rename_axis("sector").rename("stocks").reset_index()
        return Made({"dagster/row_count": len(frame), "stocks_by_sector": table(counts)})

    raw = known_of(partitions.artifacts["raw_ohlcv"], partitions)

    @dg.asset(
        **(raw | {"description": raw["description"] + _advice(partitions)}),
        backfill_policy=dg.BackfillPolicy.single_run(),
        output_required=False,
    )
    def raw_ohlcv(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        candle_source: dg.ResourceParam[CandleSource],
    ) -> Iterator[dg.MaterializeResult]:
        from niftyformer_assets.defs.bodies.candles import fetch_candles

        with one_line_errors():
            fetch_candles(context, settings, candle_source)
        # Each good symbol was logged as it came; a result here would be a second one.
        yield from ()

    @asset()
    def benchmark_index(settings: dg.ResourceParam[Settings], candle_source: dg.ResourceParam[CandleSource]) -> Made:
        from niftyformer_assets.defs.bodies.benchmark import make_benchmark

        return make_benchmark(settings, candle_source)

    @asset(automation_condition=AFTER_NEW_CANDLES)
    def data_quality_report(settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.defs.bodies.quality import report_quality

        return report_quality(settings)

    @asset(automation_condition=AFTER_NEW_CANDLES, freshness_policy=AFTER_EACH_CLOSE)
    def market_panel(settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.defs.bodies.quality import make_panel

        return make_panel(settings)

    @asset(automation_condition=AFTER_A_NEW_PANEL)
    def size_proxy(settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.market.panel import load_panel
        from niftyformer_assets.market.pictures import size_picture
        from niftyformer_assets.market.size_proxy import save_size_proxy
        from niftyformer_assets.market.size_proxy import size_proxy as proxy_of

        workspace = settings.workspace
        panel = load_panel(workspace.market_panel)
        log_size = proxy_of(panel)
        save_size_proxy(workspace.size_proxy, log_size, panel.axes)
        present = log_size == log_size
        return Made(
            {
                "dagster/row_count": int(present.sum()),
                "share_missing": float(1 - present.mean()),
                "distribution": picture(size_picture(log_size, panel.axes), "the spread of sizes over time"),
            },
        )

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
