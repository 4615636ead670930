"""Factor panels as files: long tables (date, symbol, one float32 column a factor).

A table has a row for each session from a stock's first candle on, whether or not there is a candle
that session, by date and then by symbol. Notes in the file say what it was made of, so that a run
after a new session computes that session only.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa

from niftyformer_assets.factors.panel_reading import fingerprint_of_axes, read_factor_panel
from niftyformer_assets.factors.registry import FACTOR_SETS, FactorSet
from niftyformer_assets.market.panel import ARRAYS, Panel
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_notes, write_arrow


def update_factor_panel(
    path: Path, factor_set: str, panel: Panel, threads: int | None = None, sectors: np.ndarray | None = None
) -> int:
    """Bring a factor panel up to the market panel and write it; return how many sessions were computed.

    If the file holds the factors of exactly the panel's earlier candles, made by the same code,
    only the new sessions are computed; any other difference (a candle adjusted in hindsight, a new
    symbol, a stock in another sector) and all are. The file has the same bytes either way.

    Args:
        sectors: as `FactorSet.compute` takes them.
    """
    chosen = FACTOR_SETS[factor_set]
    done = _sessions_that_still_hold(path, chosen, panel, sectors)
    if done == 0:
        write_factor_panel(path, chosen.compute(panel, 0, threads, sectors), chosen, panel, sectors)
        return len(panel.axes.dates)
    values = np.empty((len(chosen.names), *panel.axes.shape), dtype=np.float32)
    values[:, :done] = read_factor_panel(path, Axes(panel.axes.dates[:done], panel.axes.symbols), chosen.names)
    if done < len(panel.axes.dates):
        values[:, done:] = chosen.compute(panel, done, threads, sectors)
        write_factor_panel(path, values, chosen, panel, sectors)
    return len(panel.axes.dates) - done


def write_factor_panel(
    path: Path, values: np.ndarray, factor_set: FactorSet, panel: Panel, sectors: np.ndarray | None = None
) -> None:
    """Write factors float32 [F, T, N] on the panel's axes."""
    axes = panel.axes
    alphabetical = np.argsort(np.array(axes.symbols, dtype=np.str_), kind="stable")
    if not np.array_equal(alphabetical, np.arange(len(alphabetical))):
        values = values[:, :, alphabetical]
    started = panel.segment[:, alphabetical] >= 0
    sessions, columns = np.nonzero(started)
    names = pa.array([axes.symbols[place] for place in alphabetical], pa.string())
    table = pa.table(
        {
            "date": pa.array(axes.dates.astype("datetime64[ms]")[sessions]),
            "symbol": names.take(pa.array(columns)),
            **{name: pa.array(values[place][started]) for place, name in enumerate(factor_set.names)},
        }
    )
    # Values hardly ever repeat: a dictionary of them costs eight times the writing and saves nothing.
    write_arrow(path, table, _notes(factor_set, panel, sectors), use_dictionary=["date", "symbol"])


def _sessions_that_still_hold(path: Path, factor_set: FactorSet, panel: Panel, sectors: np.ndarray | None) -> int:
    try:
        notes = read_notes(path)
    except NiftyFormerError:  # none yet, or damaged: it is made anew
        return 0
    sessions = int(notes.get("sessions", 0))
    if not 0 < sessions <= len(panel.axes.dates):
        return 0
    return sessions if notes == _notes(factor_set, panel, sectors, sessions) else 0


def _notes(
    factor_set: FactorSet, panel: Panel, sectors: np.ndarray | None, sessions: int | None = None
) -> dict[str, str]:
    """What the factors of the panel's first `sessions` (default all) sessions are made of."""
    axes = Axes(panel.axes.dates[:sessions], panel.axes.symbols)
    candles = hashlib.sha256()
    for name in ARRAYS:
        candles.update(np.ascontiguousarray(getattr(panel, name)[:sessions]).data)
    grouped = {}
    if factor_set.by_sector and sectors is not None:
        grouped["sectors"] = hashlib.sha256(np.ascontiguousarray(sectors[:sessions], dtype=np.int64).data).hexdigest()
    return {
        "sessions": str(len(axes.dates)),
        "axes": fingerprint_of_axes(axes),
        "candles": candles.hexdigest(),
        "factors": hashlib.sha256("\n".join(factor_set.names).encode()).hexdigest(),
        "code": factor_set.code_version(),
        **grouped,
    }
