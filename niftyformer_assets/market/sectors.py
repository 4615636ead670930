"""NSE's industry column to its 12 macro-economic sectors.

NSE classifies a stock by 12 macro-economic sectors, 22 sectors, 59 industries and 197 basic
industries. The `Industry` column of its index lists holds the 22 sectors since 2022, and 19 to 20
older names, in capitals, before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from niftyformer_assets.store.errors import NiftyFormerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

SECTORS = (
    "Commodities",
    "Consumer Discretionary",
    "Diversified",
    "Energy",
    "Fast Moving Consumer Goods",
    "Financial Services",
    "Healthcare",
    "Industrials",
    "Information Technology",
    "Services",
    "Telecommunication",
    "Utilities",
)

# A stock that no list and no table has the sector of. Of all unknown ones together size is all that can be taken out.
UNKNOWN = "Unknown"

_OF_SECTOR = {
    "Automobile & Auto Components": "Consumer Discretionary",
    "Capital Goods": "Industrials",
    "Chemicals": "Commodities",
    "Construction": "Industrials",
    "Construction Materials": "Commodities",
    "Consumer Durables": "Consumer Discretionary",
    "Consumer Services": "Consumer Discretionary",
    "Diversified": "Diversified",
    "Fast Moving Consumer Goods": "Fast Moving Consumer Goods",
    "Financial Services": "Financial Services",
    "Forest Materials": "Commodities",
    "Healthcare": "Healthcare",
    "Information Technology": "Information Technology",
    "Media Entertainment & Publication": "Consumer Discretionary",
    "Metals & Mining": "Commodities",
    "Oil Gas & Consumable Fuels": "Energy",
    "Power": "Utilities",
    "Realty": "Consumer Discretionary",
    "Services": "Services",
    "Telecommunication": "Telecommunication",
    "Textiles": "Consumer Discretionary",
    "Utilities": "Utilities",
}

# Names that were in use up to 2022 and are not among the 22 sectors. Those that the new classification split go where
# most of their NIFTY 200 stocks went; a newer list that holds the stock decides before they are asked.
_OF_OLDER_NAME = {
    "Automobile": "Consumer Discretionary",
    "Cement & Cement Products": "Commodities",
    "Consumer Goods": "Fast Moving Consumer Goods",
    "Energy": "Energy",
    "Fertilisers & Pesticides": "Commodities",
    "Healthcare Services": "Healthcare",
    "Industrial Manufacturing": "Industrials",
    "IT": "Information Technology",
    "Jute": "Consumer Discretionary",
    "Media & Entertainment": "Consumer Discretionary",
    "Metals": "Commodities",
    "Oil & Gas": "Energy",
    "Paper": "Commodities",
    "Pharma": "Healthcare",
    "Telecom": "Telecommunication",
}


def _plain(industry: str) -> str:
    words = industry.upper().replace(",", " ").replace("&", " AND ").split()
    return " ".join(words)


_CURRENT = {_plain(name): sector for name, sector in _OF_SECTOR.items()}
_OLDER = {_plain(name): sector for name, sector in _OF_OLDER_NAME.items()}


def sector_of(industry: str) -> str:
    """The macro-economic sector (one of `SECTORS`) of an industry as NSE's lists name it, old or new.

    Raises:
        NiftyFormerError: the industry is in neither classification.
    """
    plain = _plain(industry)
    sector = _CURRENT.get(plain) or _OLDER.get(plain)
    if sector is None:
        raise NiftyFormerError(
            f"industry {industry!r} is in none of NSE's classifications that are known here: "
            "correct the list, or add the name to niftyformer_assets/market/sectors.py."
        )
    return sector


def sector_dummies(universe: pd.DataFrame) -> pd.DataFrame:
    """One row a symbol and sector, one 0/1 column for each of the 12 sectors; exactly one of them is 1.

    Where a stock's sector is not known there is a thirteenth column, `Unknown`: these stocks form a group of their own.

    `since` is the date of the list that first had the symbol in the sector; it is missing (NaT) on a
    symbol's first row, which stands for the time before the lists as well.

    No column is left out as a baseline: all twelve sum to 1, so a regression with an intercept
    must handle the collinearity itself. A sector without a stock keeps its column of zeros.

    Args:
        universe: rows (symbol, sector, member_from); a symbol may have several rows.
    """
    import pandas as pd  # the definitions read index lists, and so this module, without it

    rows = universe.sort_values(["symbol", "member_from"], ignore_index=True)
    first = rows["symbol"] != rows["symbol"].shift()
    rows = rows[first | (rows["sector"] != rows["sector"].shift())]
    names = [*SECTORS, UNKNOWN] if (rows["sector"] == UNKNOWN).any() else list(SECTORS)
    dummies = pd.DataFrame({name: (rows["sector"] == name).astype("int8") for name in names})
    dummies.insert(0, "since", rows["member_from"].astype("datetime64[ms]").mask(first))
    dummies.insert(0, "symbol", rows["symbol"])
    without = rows[dummies[names].sum(axis=1) != 1]
    if len(without):
        symbol, sector = without[["symbol", "sector"]].iloc[0]
        raise NiftyFormerError(f"{symbol} has sector {sector!r}, which is none of NSE's 12 sectors.")
    return dummies.reset_index(drop=True)


def sector_numbers_in_force(dummies: pd.DataFrame, symbols: Sequence[str], dates: np.ndarray) -> np.ndarray:
    """The place of each symbol's sector in SECTORS on each session, int [T, N]; −1 where it is not known.

    As `sectors_in_force`.
    """
    import numpy as np

    names = sectors_in_force(dummies, symbols, dates)
    numbers = np.full(names.shape, -1)
    for place, sector in enumerate(SECTORS):
        numbers[names == sector] = place
    return numbers


def sectors_in_force(dummies: pd.DataFrame, symbols: Sequence[str], dates: np.ndarray) -> np.ndarray:
    """The sector of each symbol on each session as the lists had it then, str [T, N].

    Args:
        dummies: of `sector_dummies`. dates: datetime64[D] [T].

    Raises:
        NiftyFormerError: a symbol has no row.
    """
    import numpy as np

    columns = [name for name in (*SECTORS, UNKNOWN) if name in dummies]
    names = dummies[columns].idxmax(axis=1).to_numpy(dtype=str)
    since = dummies["since"].to_numpy().astype("datetime64[D]")
    rows_of = dummies.groupby("symbol").indices
    sectors = []
    for symbol in symbols:
        if symbol not in rows_of:
            raise NiftyFormerError(f"the table of sectors has no row for {symbol}: materialize sector_dummies again.")
        rows = rows_of[symbol]
        sectors.append(names[rows[np.searchsorted(since[rows[1:]], dates, side="right")]])
    return np.stack(sectors, axis=1)
