"""Rows of `market`: index lists, candles, and the panel made of them."""

from __future__ import annotations

from niftyformer_assets.artifacts.rows import Artifact, row


def market_rows() -> tuple[Artifact, ...]:
    return (
        row(
            "universe",
            "workspace",
            lambda place: (place.universe,),
            "market/universe",
            {"nse", "parquet"},
            "Who is and was in the indices that experiments ask for, from NSE's constituent lists and tables of "
            "membership.\n\n"
            "`universe.parquet`: a row a spell of membership in one index and sector: symbol (the latest one of a "
            "renamed stock), company, ISIN, industry, macro-economic sector, member_from, member_to (empty while it "
            "lasts), lists_from (the index's earliest list at hand), index (empty for a stock that only trading can "
            "draw), quality (list, official or approximate). New symbols appear in `raw_ohlcv` within a minute.",
        ),
        row(
            "sector_dummies",
            "workspace",
            lambda place: (place.sector_dummies,),
            "market/sectors",
            {"parquet"},
            "A 0/1 column for each of NSE's 12 macro-economic sectors, from `universe`.\n\n"
            "`sector_dummies.parquet`: a row a symbol and sector; since (the list that first had it there, empty for "
            "the first one at hand); exactly one of the twelve columns is 1.",
            reads=("universe",),
        ),
        row(
            "raw_ohlcv",
            "symbol",
            lambda place: (place.raw,),
            "market/candles",
            {"kite", "parquet"},
            "Daily candles by symbol, from Kite Connect, adjusted for corporate actions as Kite gives them.\n\n"
            "`raw/SYMBOL.parquet`: date, open, high, low, close (rupees), volume (shares). A run over many symbols is "
            "one run; each that fails is red with its reason and leaves its file as it was, and *Failed* backfills "
            "just those. A symbol without candles is materialized with zero rows and the reason.",
            # Without this the web UI takes the symbols for the root of "Materialize all" and leaves the experiments
            # out.
            after=("universe",),
        ),
        row(
            "benchmark_index",
            "workspace",
            lambda place: (place.benchmark_index,),
            "market/benchmark",
            {"kite", "parquet"},
            "The NIFTY 50 by session, from Kite Connect or a file: what a person gets without choosing.\n\n"
            "`benchmark_index.parquet`: date, open, high, low, close (points, without dividends), total_return "
            "(points with dividends, where a file gives them).",
        ),
        row(
            "data_quality_report",
            "workspace",
            lambda place: (place.data_quality_report, place.data_quality_text),
            "market/quality",
            {"parquet", "markdown"},
            "What is right and wrong with each symbol's candles, from `raw_ohlcv` and `universe`.\n\n"
            "`data_quality_report.parquet`: a row a symbol with its verdict and why; `data_quality_report.md`: the "
            "same to read. What was quarantined never reaches a factor, a label or a price.",
            reads=("raw_ohlcv", "universe"),
        ),
        row(
            "market_panel",
            "workspace",
            lambda place: (place.market_panel,),
            "market/quality",
            {"numpy"},
            "All candles as arrays on the exchange's sessions, from `raw_ohlcv` and what `data_quality_report` "
            "quarantined.\n\n"
            "`market_panel.npz`: open, high, low, close (rupees), volume (shares), missing = NaN, and segment, the "
            "number of the unbroken stretch of a stock's prices (-1 before its first candle): each "
            "[sessions, symbols].",
            reads=("raw_ohlcv", "universe"),
            after=("data_quality_report",),
        ),
        row(
            "size_proxy",
            "workspace",
            lambda place: (place.size_proxy,),
            "market/size_proxy",
            {"parquet"},
            "How large a stock is, as far as candles tell, from `market_panel`: neutralisation takes it out of "
            "factors.\n\n"
            "`size_proxy.parquet`: date, symbol, log_size = log(close × mean volume of 60 sessions), natural logarithm "
            "of rupees; missing with fewer than 20 of the 60.",
            reads=("market_panel",),
        ),
    )
