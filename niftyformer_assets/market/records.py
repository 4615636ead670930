"""Collecting what was found in candles, by cell."""

from __future__ import annotations

import numpy as np
import pandas as pd

# What befalls many candles at once, and is told once: on a date without trading, on a session that repeats another.
NO_SESSION, NOT_FINAL = "no session", "not yet final"
# A stock whose dates are wrong.
WRONG_DATES = "wrong dates"
COLUMNS = ("symbol", "session", "what", "reason", "effect")


class Records:
    """Findings about T sessions and N symbols, in lists: `quarantine`, `suspect`, `acquitted`.

    grid: datetime64[D] [T]. symbols: N of them.
    """

    def __init__(self, grid: np.ndarray, symbols: tuple[str, ...]) -> None:
        self.grid, self.symbols = grid, symbols
        self._rows: list[tuple[str, str, np.datetime64, str, str, str]] = []

    def add(self, list_: str, column: int, session: np.datetime64, what: str, reason: str, effect: str) -> None:
        self._rows.append((list_, self.symbols[column], session, what, reason, effect))

    def add_cell(self, list_: str, row: int, column: int, what: str, reason: str, effect: str) -> None:
        self.add(list_, column, self.grid[row], what, reason, effect)

    def on(self, grid: np.ndarray) -> Records:
        """The same findings, to go on with on other sessions."""
        other = Records(grid, self.symbols)
        other._rows = self._rows
        return other

    def table(self, list_: str) -> pd.DataFrame:
        """The findings of one list: symbol, session, what, reason, effect, by symbol and session."""
        rows = sorted((row[1:] for row in self._rows if row[0] == list_), key=lambda row: (row[0], row[1], row[2]))
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        return frame.astype({"session": "datetime64[ms]"})
