"""What trading costs: Zerodha's charges for equity delivery, item by item, or a flat rate.

Every item of every fill is rounded half up to the paisa, so the books are kept in whole paise and
balance exactly. As on a contract note, the securities transaction tax of a day's fills is summed
and rounded half up to the rupee, and so is the stamp duty; what that adds or takes off is the item
`rounding` of the day's last fill. Rates are integers in units of 1e-8 of traded value.

The depository charge, for each scrip sold on a day, is Rs 13.50 and GST on Zerodha's older support
page (Rs 5.50 of CDSL, Rs 8 of Zerodha), Rs 13 and GST on today's (3.50 and 9.50). Neither page
names the day of the change: it is taken to be 2024-10-01, when CDSL's fee became 3.50, and
the report says so. The rebate for women is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.settings import CostSettings
from niftyformer_assets.words import counted

COST_ITEMS = ("brokerage", "stt", "exchange", "sebi", "gst", "stamp", "dp", "flat", "rounding")
RATE_UNIT = 100_000_000
GST_PERCENT = 18

# Shares of traded value. Brokerage on delivery is nil; GST is on brokerage, exchange and SEBI fees.
_STT = 0.001
_STAMP_ON_BUYS = 0.000_15
_SEBI = 0.000_001

# NSE's transaction charge, and the first date of each rate.
_NSE_CHARGE = (
    (date(2021, 1, 1), 0.000_034_5),
    (date(2023, 4, 1), 0.000_032_5),
    (date(2024, 4, 1), 0.000_032_2),
    (date(2024, 10, 1), 0.000_029_7),
    (date(2026, 3, 1), 0.000_030_7),
)
# The depository's and its participant's charge in paise for each scrip sold on a day, GST included, whatever the
# number of shares, and the first date of each.
_DP_PAISE = ((date(2021, 1, 1), 1593), (date(2024, 10, 1), 1534))
SCHEDULE_START = _NSE_CHARGE[0][0]


class Rates(NamedTuple):
    """The charges in force at each session, as the engine reads them.

    value: int64 [T, 2 (buy, sell), len(COST_ITEMS)], units of 1e-8 of traded value; the columns of
        gst, dp and rounding are unused.
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

    Sessions before SCHEDULE_START are charged its earliest rates; `schedule_notes` says so.

    Args:
        dates: datetime64[D] [T].
    """
    value = np.zeros((len(dates), 2, len(COST_ITEMS)), dtype=np.int64)
    dp = np.zeros(len(dates), dtype=np.int64)
    item = {name: column for column, name in enumerate(COST_ITEMS)}
    if settings.schedule == "flat":
        value[:, :, item["flat"]] = round(settings.flat_bps * RATE_UNIT / 10_000)
    else:
        charge = _in_force([(start, round(rate * RATE_UNIT)) for start, rate in _NSE_CHARGE], dates)
        value[:, :, item["exchange"]] = charge[:, None]
        value[:, :, item["stt"]] = round(_STT * RATE_UNIT)
        value[:, :, item["sebi"]] = round(_SEBI * RATE_UNIT)
        value[:, 0, item["stamp"]] = round(_STAMP_ON_BUYS * RATE_UNIT)
        dp = _in_force(_DP_PAISE, dates)
    return Rates(value, dp, float(settings.slippage_bps), float(settings.slippage_volume_bps))


def _in_force(schedule: Sequence[tuple[date, int]], dates: np.ndarray) -> np.ndarray:
    """int64 [T], the last value that began by each date; the first one before."""
    since = np.array([start for start, _ in schedule], dtype="datetime64[D]")
    values = np.array([value for _, value in schedule], dtype=np.int64)
    return values[np.maximum(np.searchsorted(since, dates, side="right") - 1, 0)]


def schedule_notes(dates: np.ndarray, settings: CostSettings) -> tuple[str, ...]:
    """Sentences for the report: sessions before the schedule's first date, and how sure the depository charge is."""
    if settings.schedule == "flat":
        return ()
    (_, before), (change, after) = _DP_PAISE
    charged = _in_force(_DP_PAISE, dates)
    told = [f"₹{before / 100:.2f} before {change}"] * bool((charged == before).any())
    told += [f"₹{after / 100:.2f} from {change}"] * bool((charged == after).any())
    notes = [
        f"Each scrip sold on a day costs a depository charge, GST included, of {' and '.join(told)}, by Zerodha's "
        "support pages; they do not name the day of the change, so it is taken to be that of CDSL's new fee."
    ]
    if early := int((dates < np.datetime64(SCHEDULE_START, "D")).sum()):
        notes.append(
            f"{early} of {counted(len(dates), 'session')} lie before {SCHEDULE_START}, where Zerodha's schedule at "
            "hand begins: "
            "they are charged its earliest rates."
        )
    return tuple(notes)


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
