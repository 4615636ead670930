"""Breaks where a stock's candles go on in another series (BE, BZ), entered into a cleaned market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from niftyformer_assets.market.cleaning import CleanMarket
from niftyformer_assets.market.corporate_actions import NONE, CorporateActions


def with_breaks(
    market: CleanMarket, breaks: Mapping[str, Sequence[date]], actions: CorporateActions = NONE
) -> CleanMarket:
    """The market with a new segment from each break's session on, and a line of its quarantine and breaks for it.

    Args:
        breaks: sessions by symbol, from which on candles are of another series of the stock than
            before, and nothing in both shows that they are adjusted alike.
        actions: NSE's lists of corporate actions. If they would name one that came since, and do not, the
            candles before and after are adjusted alike, and no segment begins.
    """
    segment, found, kept, cut = market.segment.copy(), [], [], []
    for symbol, days in breaks.items():
        if symbol not in market.axes.symbols:
            continue
        column = market.axes.symbols.index(symbol)
        rows = np.flatnonzero(np.isfinite(market.close[:, column]))
        for day in days:
            place = int(np.searchsorted(market.axes.dates[rows], np.datetime64(day)))
            # Nothing before to be kept apart from, or a gap has cut here already.
            if not 0 < place < len(rows) or segment[rows[place - 1], column] != segment[rows[place], column]:
                continue
            last, row = rows[place - 1], rows[place]
            session, close = market.axes.dates[row], market.close[last, column]
            if actions.rule_out(symbol, day, market.axes.dates[rows[-1]].item(), close):
                reason = "from here on of another series, adjusted alike: NSE's list names no corporate action since"
                kept.append((symbol, session, "other series", reason, "kept"))
                continue
            segment[row:, column] += 1
            reason = "from here on of another series, and nothing shows that both are adjusted alike"
            found.append((symbol, session, "other series", reason, "return dropped, new segment"))
            cut.append((symbol, session, market.axes.dates[last], market.open[row, column] / close - 1, ""))
    return replace(
        market,
        segment=segment,
        quarantine=_with_rows(market.quarantine, found, ["symbol", "session", "what"]),
        acquitted=_with_rows(market.acquitted, kept, ["symbol", "session", "what"]),
        breaks=_with_rows(market.breaks, cut, ["symbol", "session"]),
    )


def _with_rows(table: pd.DataFrame, rows: Sequence[tuple[object, ...]], order: list[str]) -> pd.DataFrame:
    if not rows:
        return table
    more = pd.DataFrame(rows, columns=list(table.columns)).astype(table.dtypes.to_dict())
    return pd.concat([table, more]).sort_values(order, ignore_index=True)
