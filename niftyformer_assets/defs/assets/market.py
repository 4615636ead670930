"""Assets of the `market` package: the universe, candles by symbol, quality, the aligned panel, the size proxy."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import dagster as dg

from niftyformer_assets.defs.partitions import Partitions, told_of_wrong_files
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.defs.results import materialized, one_line_errors, picture, table
from niftyformer_assets.defs.sensors import AFTER_A_NEW_PANEL, AFTER_NEW_CANDLES
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.provenance import code_version

MADE_BY = ("market",)
# The index may be read from a file of any vendor.
BENCHMARK_MADE_BY = ("market", "vendors")
# Made between the close of a session and 20:00. Cron knows no holidays: on one it is late until the next refresh.
AFTER_EACH_CLOSE = dg.FreshnessPolicy.cron(
    deadline_cron="0 20 * * 1-5", lower_bound_delta=timedelta(hours=4), timezone="Asia/Kolkata"
)


def market_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """From Kite and NSE to clean, aligned candles."""
    asset = partial(dg.asset, group_name="market", owners=["team:market"], code_version=code_version(*MADE_BY))

    @asset(
        kinds={"nse", "parquet"},
        description="Who is and was in the index, from NSE's constituent lists.\n\n"
        "`universe.parquet`: a row a spell of membership in one sector: symbol (the latest one of a renamed stock), "
        "company, ISIN, industry, macro-economic sector, member_from, member_to (empty while it lasts), lists_from "
        "(the earliest list at hand). New symbols appear in `raw_ohlcv` within a minute." + _advice(partitions),
    )
    @one_line_errors()
    def universe(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        candle_source: dg.ResourceParam[CandleSource],
    ) -> dg.MaterializeResult:
        from niftyformer_assets.defs.index_lists import lists_at_hand
        from niftyformer_assets.market.pictures import universe_picture
        from niftyformer_assets.market.universe import build_universe, describe_reach, save_universe

        lists = lists_at_hand(settings, candle_source, context.log.warning)
        frame = build_universe(lists)
        path = settings.workspace.universe
        save_universe(path, frame)
        members = frame[frame["member_to"].isna()]
        return materialized(
            "universe",
            settings.workspace.provenance,
            made_by=MADE_BY,
            settings={"lists": [str(index_list.as_of) for index_list in lists]},
            inputs=[index_list.path for index_list in lists],
            outputs=[path],
            metadata={
                "dagster/row_count": len(frame),
                "members_now": members["symbol"].nunique(),
                "symbols_ever": frame["symbol"].nunique(),
                "reach": describe_reach(frame),
                "sectors": picture(universe_picture(frame), "members by sector"),
            },
        )

    @asset(
        deps=["universe"],
        kinds={"parquet"},
        description="A 0/1 column for each of NSE's 12 macro-economic sectors, from `universe`.\n\n"
        "`sector_dummies.parquet`: a row a symbol and sector; since (the list that first had it there, empty for the "
        "first one at hand); exactly one of the twelve columns is 1.",
    )
    @one_line_errors()
    def sector_dummies(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from niftyformer_assets.market.sectors import sector_dummies as dummies_of
        from niftyformer_assets.market.universe import load_universe
        from niftyformer_assets.store.tables import write_parquet

        workspace = settings.workspace
        frame = dummies_of(load_universe(workspace.universe))
        write_parquet(workspace.sector_dummies, frame)
        latest = frame.drop_duplicates("symbol", keep="last")
        counts = latest.drop(columns=["symbol", "since"]).sum().rename_axis("sector").rename("stocks").reset_index()
        return materialized(
            "sector_dummies",
            workspace.provenance,
            made_by=MADE_BY,
            settings={},
            inputs=[workspace.universe],
            outputs=[workspace.sector_dummies],
            metadata={"dagster/row_count": len(frame), "stocks_by_sector": table(counts)},
        )

    @asset(
        # Without this the web UI takes the symbols for the root of "Materialize all" and leaves the experiments out.
        deps=["universe"],
        partitions_def=partitions.symbols,
        backfill_policy=dg.BackfillPolicy.single_run(),
        output_required=False,
        kinds={"kite", "parquet"},
        description="Daily candles by symbol, from Kite Connect, adjusted for corporate actions as Kite gives them.\n\n"
        "`raw/SYMBOL.parquet`: date, open, high, low, close (rupees), volume (shares). A run over many symbols is "
        "one run; each that fails is red with its reason and leaves its file as it was, and *Failed* backfills just "
        "those. A symbol without candles is materialized with zero rows and the reason." + _advice(partitions),
    )
    def raw_ohlcv(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        candle_source: dg.ResourceParam[CandleSource],
    ) -> Iterator[dg.MaterializeResult]:
        from niftyformer_assets.defs.candles import fetch_candles

        with one_line_errors():
            fetch_candles(context, settings, candle_source)
        # Each good symbol was logged as it came; a result here would be a second one.
        yield from ()

    @asset(
        code_version=code_version(*BENCHMARK_MADE_BY),
        kinds={"kite", "parquet"},
        description="The NIFTY 50 by session, from Kite Connect or a file: what a person gets without choosing.\n\n"
        "`benchmark_index.parquet`: date, open, high, low, close (points, without dividends), total_return (points "
        "with dividends, where a file gives them).",
    )
    @one_line_errors()
    def benchmark_index(
        settings: dg.ResourceParam[Settings], candle_source: dg.ResourceParam[CandleSource]
    ) -> dg.MaterializeResult:
        from niftyformer_assets.defs.benchmark import make_benchmark

        return make_benchmark(settings, candle_source, BENCHMARK_MADE_BY)

    @asset(
        deps=["raw_ohlcv", "universe"],
        automation_condition=AFTER_NEW_CANDLES,
        kinds={"parquet", "markdown"},
        description="What is right and wrong with each symbol's candles, from `raw_ohlcv` and `universe`.\n\n"
        "`data_quality_report.parquet`: a row a symbol with its verdict and why; `data_quality_report.md`: the same to "
        "read. What was quarantined never reaches a factor, a label or a price.",
    )
    @one_line_errors()
    def data_quality_report(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from niftyformer_assets.defs.quality import report_quality

        return report_quality(settings, MADE_BY)

    @asset(
        deps=["raw_ohlcv", "universe", "data_quality_report"],
        automation_condition=AFTER_NEW_CANDLES,
        freshness_policy=AFTER_EACH_CLOSE,
        kinds={"numpy"},
        description="All candles as arrays on the exchange's sessions, from `raw_ohlcv` and what "
        "`data_quality_report` quarantined.\n\n"
        "`market_panel.npz`: open, high, low, close (rupees), volume (shares), missing = NaN, and segment, the number "
        "of the unbroken stretch of a stock's prices (-1 before its first candle): each [sessions, symbols].",
    )
    @one_line_errors()
    def market_panel(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from niftyformer_assets.defs.quality import make_panel

        return make_panel(settings, MADE_BY)

    @asset(
        deps=["market_panel"],
        automation_condition=AFTER_A_NEW_PANEL,
        kinds={"parquet"},
        description="How large a stock is, as far as candles tell, from `market_panel`: neutralisation takes it out "
        "of factors.\n\n"
        "`size_proxy.parquet`: date, symbol, log_size = log(close × mean volume of 60 sessions), natural logarithm of "
        "rupees; missing with fewer than 20 of the 60.",
    )
    @one_line_errors()
    def size_proxy(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from niftyformer_assets.market.panel import load_panel
        from niftyformer_assets.market.pictures import size_picture
        from niftyformer_assets.market.size_proxy import save_size_proxy
        from niftyformer_assets.market.size_proxy import size_proxy as proxy_of

        workspace = settings.workspace
        panel = load_panel(workspace.market_panel)
        log_size = proxy_of(panel)
        save_size_proxy(workspace.size_proxy, log_size, panel.axes)
        present = log_size == log_size
        return materialized(
            "size_proxy",
            workspace.provenance,
            made_by=MADE_BY,
            settings={},
            inputs=[workspace.market_panel],
            outputs=[workspace.size_proxy],
            metadata={
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
