"""The NIFTY 50, to compare with: through Kite or from a file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from niftyformer_assets.market.candle_files import PRICES
from niftyformer_assets.market.ingest import IngestSettings, retried, wanted_at
from niftyformer_assets.market.kite import KiteSession
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.market.refresh import ranges
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_notes, read_parquet, write_arrow

SYMBOL = "NIFTY 50"
# An answer that lacks a larger share of the sessions at hand replaces nothing.
MAX_LACKING_SHARE = 0.05
COLUMNS = ("date", *PRICES, "total_return")
_SCHEMA = pa.schema(
    [("date", pa.timestamp("ms")), *((name, pa.float64()) for name in PRICES), ("total_return", pa.float64())]
)


def empty_benchmark() -> pd.DataFrame:
    """A benchmark without a session, in the right types."""
    frame = pd.DataFrame({name: pd.Series(dtype="float64") for name in COLUMNS})
    return frame.astype({"date": "datetime64[ms]"})


def fetch_benchmark(
    session: KiteSession, pacer: Pacer, settings: IngestSettings, now: datetime, symbol: str = SYMBOL
) -> pd.DataFrame:
    """Daily values of the index from Kite: (date, open, high, low, close, total_return missing).

    A session that comes more than once counts once, and one with a price that is not above 0 not
    at all.

    Returns:
        No row if Kite does not list the index.

    Raises:
        NiftyFormerError: no answer.
    """
    wanted = wanted_at(now, settings)
    token = retried(session.instruments, settings).get(symbol)
    if token is None:
        return empty_benchmark()
    parts = [
        retried(lambda start=start, end=end: session.daily_candles(token, start, end), settings, pacer)  # type: ignore[misc]
        for start, end in ranges(wanted.first, wanted.through)
    ]
    candles = pd.concat(parts, ignore_index=True).drop_duplicates("date")
    return _checked(candles[(candles[list(PRICES)] > 0).all(axis=1)], f"Kite's candles of {symbol}")


def must_not_shrink(path: Path, fetched: pd.DataFrame) -> None:
    """Refuse an answer from Kite that has fewer sessions than an earlier one.

    Raises:
        NiftyFormerError: it lacks more than 5% of them; what is at hand stays.
    """
    if not path.is_file():
        return
    held, source = load_benchmark(path)
    if not source.startswith("Kite") or held.empty:
        return
    lacking = ~held["date"].isin(fetched["date"])
    if lacking.sum() > MAX_LACKING_SHARE * len(held):
        raise NiftyFormerError(
            f"Kite's answer for {SYMBOL} lacks {int(lacking.sum())} of the {len(held)} sessions in {path}: those are "
            "kept; fetch it again later, or delete the file to take what Kite has."
        )


def read_benchmark_file(path: Path) -> pd.DataFrame:
    """Daily values of an index from CSV or Parquet.

    Needed are columns `date` and `close`; `open`, `high`, `low` and `total_return` (the index with
    dividends reinvested) may be there. The case of the names does not matter.

    Raises:
        NiftyFormerError: the file is missing, cannot be read, lacks a column, or holds no number.
    """
    return _checked(_frame(path), str(path))


def with_total_return(benchmark: pd.DataFrame, path: Path, index: str = SYMBOL) -> pd.DataFrame:
    """The benchmark with its total return index from a file (date, tri or total_return, index where several)."""
    frame = _frame(path)
    frame = frame.rename(columns={"tri": "total_return"})
    if "index" in frame:
        frame = frame[frame["index"] == index]
    if "total_return" not in frame or "date" not in frame:
        raise NiftyFormerError(f"{path} has no column 'date' or 'total_return' (or 'tri'): add it.")
    frame = frame.assign(date=_days(frame["date"], str(path)), total_return=_numbers(frame["total_return"], str(path)))
    joined = benchmark.drop(columns="total_return").merge(frame[["date", "total_return"]], on="date", how="left")
    return joined[list(COLUMNS)]


def save_benchmark(path: Path, benchmark: pd.DataFrame, source: str) -> None:
    """Write benchmark_index.parquet; `source` says where the values are from."""
    table = pa.Table.from_pandas(benchmark[list(COLUMNS)], schema=_SCHEMA, preserve_index=False)
    write_arrow(path, table, {"source": source})


def load_benchmark(path: Path) -> tuple[pd.DataFrame, str]:
    """The benchmark and where its values are from."""
    return read_parquet(path, COLUMNS), read_notes(path).get("source", "")


def _frame(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise NiftyFormerError(f"{path} does not exist: name a CSV or Parquet file with the index's values.")
    try:
        frame = read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NiftyFormerError(f"{path} could not be read ({detail}): name a CSV or Parquet file.") from error
    return frame.rename(columns=lambda name: str(name).strip().lower().replace(" ", "_"))


def _checked(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    for name in ("date", "close"):
        if name not in frame:
            raise NiftyFormerError(f"{source} has no column {name!r}: add it.")
    values = {"date": _days(frame["date"], source)}
    for name in COLUMNS[1:]:
        values[name] = _numbers(frame[name], source) if name in frame else pd.Series(np.nan, index=frame.index)
    checked = pd.DataFrame(values).sort_values("date", ignore_index=True)
    if not (checked["close"] > 0).all():
        raise NiftyFormerError(f"{source}: a close is missing or not above 0: correct it.")
    twice = checked["date"].duplicated()
    if twice.any():
        raise NiftyFormerError(f"{source}: {checked.loc[twice, 'date'].iloc[0]:%Y-%m-%d} is there twice: remove one.")
    return checked


def _days(column: pd.Series, source: str) -> pd.Series:
    try:
        days = pd.to_datetime(column)
        if days.dt.tz is not None:
            days = days.dt.tz_localize(None)
        return days.dt.normalize().astype("datetime64[ms]")
    except (ValueError, TypeError, AttributeError) as error:
        raise NiftyFormerError(f"{source}: a date cannot be read: write dates as YYYY-MM-DD.") from error


def _numbers(column: pd.Series, source: str) -> pd.Series:
    try:
        return pd.to_numeric(column).astype("float64")
    except (ValueError, TypeError) as error:
        raise NiftyFormerError(f"{source}: a value in column {column.name!r} is no number: correct it.") from error
