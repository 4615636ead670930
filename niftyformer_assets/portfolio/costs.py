"""What trading costs: Zerodha's charges for equity delivery, item by item, or a flat rate.

Every item of every fill is rounded half up to the paisa, as it would stand on a contract note by
fill; so the books are kept in whole paise and balance exactly. (Real notes sum a day's fills, and
round the securities transaction tax to the rupee, before they are signed; the difference is below
a rupee a day.) Rates are integers in units of 1e-8 of traded value.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.settings import CostSettings

COST_ITEMS = ("brokerage", "stt", "exchange", "sebi", "gst", "stamp", "dp", "flat")
RATE_UNIT = 100_000_000
GST_PERCENT = 18

# Shares of traded value. Brokerage on delivery is nil; GST is on brokerage, exchange and SEBI fees.
_STT = 0.001
_STAMP_ON_BUYS = 0.000_15
_SEBI = 0.000_001
# The depository participant's charge for each scrip sold on a day, GST included, whatever the number of shares.
_DP_RUPEES = 15.34

# NSE's transaction charge, and the first date of each rate.
_NSE_CHARGE = (
    (date(2021, 1, 1), 0.000_034_5),
    (date(2023, 4, 1), 0.000_032_5),
    (date(2024, 4, 1), 0.000_032_2),
    (date(2024, 10, 1), 0.000_029_7),
    (date(2026, 3, 1), 0.000_030_7),
)
SCHEDULE_START = _NSE_CHARGE[0][0]


class Rates(NamedTuple):
    """The charges in force at each session, as the engine reads them.

    value: int64 [T, 2 (buy, sell), len(COST_ITEMS)], units of 1e-8 of traded value; the columns of
        gst and dp are unused.
    dp: int64 [T], paise for each scrip sold.
    slippage: basis points of price.
    slippage_volume: basis points for each percent of the session's volume.
    """

    value: np.ndarray
    dp: np.ndarray
    slippage: float
    slippage_volume: float


def rates(dates: np.ndarray, settings: CostSettings) -> Rates:
    """The charges at each session.

    Sessions before SCHEDULE_START are charged its earliest rates; `schedule_note` says so.

    Args:
        dates: datetime64[D] [T].
    """
    value = np.zeros((len(dates), 2, len(COST_ITEMS)), dtype=np.int64)
    dp = np.zeros(len(dates), dtype=np.int64)
    item = {name: column for column, name in enumerate(COST_ITEMS)}
    if settings.schedule == "flat":
        value[:, :, item["flat"]] = round(settings.flat_bps * RATE_UNIT / 10_000)
    else:
        since = np.array([start for start, _ in _NSE_CHARGE], dtype="datetime64[D]")
        charge = np.array([round(rate * RATE_UNIT) for _, rate in _NSE_CHARGE])
        in_force = np.maximum(np.searchsorted(since, dates, side="right") - 1, 0)
        value[:, :, item["exchange"]] = charge[in_force][:, None]
        value[:, :, item["stt"]] = round(_STT * RATE_UNIT)
        value[:, :, item["sebi"]] = round(_SEBI * RATE_UNIT)
        value[:, 0, item["stamp"]] = round(_STAMP_ON_BUYS * RATE_UNIT)
        dp[:] = round(_DP_RUPEES * 100)
    return Rates(value, dp, float(settings.slippage_bps), float(settings.slippage_volume_bps))


def schedule_note(dates: np.ndarray, settings: CostSettings) -> str | None:
    """A sentence for the report when sessions lie before the schedule's first date."""
    early = int((dates < np.datetime64(SCHEDULE_START, "D")).sum())
    if settings.schedule == "flat" or early == 0:
        return None
    return (
        f"{early} of {len(dates)} sessions lie before {SCHEDULE_START}, where Zerodha's schedule at hand begins: "
        "they are charged its earliest rates."
    )


def contract_note(trades: pd.DataFrame) -> pd.DataFrame:
    """What was paid, by item and side: the table of the report.

    Args:
        trades: `BacktestResult.trades`.

    Returns:
        Index: the traded value, each cost item that was charged, their total, and the slippage
        that is already in the prices. Columns: buy, sell, total (rupees), bps (of the traded value
        of both sides; NaN where nothing was traded).
    """
    rows = ["value", *COST_ITEMS, "cost", "slippage"]
    table = pd.DataFrame({side: trades.loc[trades["side"] == side, rows].sum() for side in ("buy", "sell")})
    table = table.reindex(rows).astype(float)
    table["total"] = table["buy"] + table["sell"]
    traded = float(trades["value"].sum())
    table["bps"] = table["total"] / traded * 10_000 if traded else np.nan
    always = ["value", "cost", "slippage"]
    return table[(table["total"] != 0) | table.index.isin(always)]
