"""Quality report and panel as assets: both from the same cleaned candles."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import picture, table
from niftyformer_assets.market.calendar import covered, sessions
from niftyformer_assets.market.candle_files import load_breaks, load_candles, readjustments
from niftyformer_assets.market.cleaning import CleanMarket, clean
from niftyformer_assets.market.corporate_actions import CorporateActions, read_corporate_actions
from niftyformer_assets.market.panel import build_panel, save_panel
from niftyformer_assets.market.pictures import coverage_picture, quality_picture
from niftyformer_assets.market.quality import assess, save_quality
from niftyformer_assets.market.records import NO_SESSION, NOT_FINAL
from niftyformer_assets.market.series import with_breaks
from niftyformer_assets.market.universe import load_universe
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError


def report_quality(settings: Settings) -> Made:
    """Judge the candles of every symbol of the universe."""
    workspace = settings.workspace
    actions = read_corporate_actions()
    market, reasons = cleaned_candles(settings, actions)
    symbols = [*market.axes.symbols, *reasons]
    quality = assess(
        market, reasons, readjusted=readjustments({symbol: workspace.candles(symbol) for symbol in symbols})
    )
    save_quality(workspace.data_quality_report, workspace.data_quality_text, quality)
    told = market.quarantine[~market.quarantine["what"].isin((NO_SESSION, NOT_FINAL))]
    worst = quality.table[quality.table["verdict"] != "ok"][["symbol", "verdict", "reason", "rows"]]
    return Made(
        {
            "dagster/row_count": len(quality.table),
            **{verdict: quality.count(verdict) for verdict in ("ok", "warn", "fail", "unavailable")},
            "final_universe": len(quality.final_universe),
            "quarantined": len(market.quarantine),
            "quarantine": table(told.astype({"session": str})),
            "unconfirmed_breaks": table(
                market.breaks[market.breaks["confirmed"] == ""].drop(columns="confirmed").astype(str), limit=100
            ),
            "not_ok": table(worst, limit=100),
            "verdicts": picture(quality_picture(quality.table), "verdicts and what is missing"),
        },
        given=actions.files,
    )


def make_panel(settings: Settings) -> Made:
    """Put the candles that may be used on common sessions."""
    workspace = settings.workspace
    actions = read_corporate_actions()
    market, _ = cleaned_candles(settings, actions)
    panel = build_panel(market)
    save_panel(workspace.market_panel, panel)
    dates = panel.axes.dates
    return Made(
        {
            "dagster/row_count": len(dates),
            "symbols": len(panel.axes.symbols),
            "first_session": str(dates[0]),
            "last_session": str(dates[-1]),
            "share_missing": float(np.isnan(panel.close).mean()),
            "broken_adjustments": int(np.maximum(panel.segment[-1], 0).sum()),
            "coverage": picture(coverage_picture(panel), "which stock has a candle when"),
        },
        given=actions.files,
    )


def cleaned_candles(settings: Settings, actions: CorporateActions) -> tuple[CleanMarket, dict[str, str]]:
    """What of the raw candles may be used, and why a symbol has none."""
    workspace = settings.workspace
    universe = load_universe(workspace.universe)
    paths = {symbol: workspace.candles(symbol) for symbol in universe["symbol"].unique()}
    candles, reasons = load_candles(paths)
    if not candles:
        raise NiftyFormerError(f"no symbol has a candle in {workspace.raw}: materialize raw_ohlcv first.")
    first = min(frame["date"].min() for frame in candles.values()).date()
    last = max(frame["date"].max() for frame in candles.values()).date()
    start, end = covered()
    calendar = sessions(max(first, start), min(last, end))
    market = clean(candles, calendar, universe=universe, actions=actions)
    return with_breaks(market, load_breaks(paths), actions), reasons
