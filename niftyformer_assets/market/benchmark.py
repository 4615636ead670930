"""The NIFTY 50, to compare with: through Kite or from a file."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from niftyformer_assets.market.candle_files import PRICES
from niftyformer_assets.market.given_days import must_be_sessions, what_is_missing
from niftyformer_assets.market.ingest import IngestSettings, retried, wanted_at
from niftyformer_assets.market.kite import KiteSession
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.market.refresh import refreshed
from niftyformer_assets.store.dates import day_of
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

    An answer that lacks sessions is asked for again, as a stock's is. A session that comes more than
    once counts once, and one with a price that is not above 0 not at all.

    Returns:
        No row if Kite does not list the index.

    Raises:
        NiftyFormerError: no answer.
    """
    wanted = wanted_at(now, settings)
    token = retried(session.instruments, settings).get(symbol)
    if token is None:
        return empty_benchmark()

    def ask(first: date, last: date) -> pd.DataFrame:
        return retried(lambda: session.daily_candles(token, first, last), settings, pacer)

    candles = refreshed(None, wanted, ask, settings.overlap_sessions).candles.drop_duplicates("date")
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
    dividends reinvested) may be there. The case of the names does not matter. What a date may look
    like is said in `store.dates`.

    Raises:
        NiftyFormerError: the file is missing, cannot be read, lacks a column, or holds no number; its
            dates are no sessions, or it lacks many of them.
    """
    frame = _checked(_frame(path), str(path))
    _must_be_whole(frame["date"], str(path))
    return frame


def with_total_return(benchmark: pd.DataFrame, path: Path, index: str = SYMBOL) -> pd.DataFrame:
    """The benchmark with its total return index from a file (date, tri or total_return, index where several).

    A session that the file does not reach has none; for which, `shortcomings` says.

    Raises:
        NiftyFormerError: as for `read_benchmark_file`.
    """
    source = str(path)
    frame = _frame(path).rename(columns={"tri": "total_return"})
    if "index" in frame:
        frame = frame[frame["index"] == index]
        if frame.empty:
            raise NiftyFormerError(f"{path} has no row of index {index!r}: add them, or name another file.")
    if "total_return" not in frame or "date" not in frame:
        raise NiftyFormerError(f"{path} has no column 'date' or 'total_return' (or 'tri'): add it.")
    levels = pd.DataFrame(
        {"date": _days(frame["date"], source), "total_return": _numbers(frame["total_return"], source)}
    )
    levels = _in_order(levels, "total_return", source)
    _must_be_whole(levels["date"], source)
    joined = benchmark.drop(columns="total_return").merge(levels, on="date", how="left")
    return joined[list(COLUMNS)]


def shortcomings(benchmark: pd.DataFrame, total_return: Path | None = None) -> list[str]:
    """Sentences on what a benchmark lacks that it was meant to have, for those who compare with it.

    Args:
        total_return: the file that its total return index was taken from.
    """
    said = []
    if missing := what_is_missing(_as_days(benchmark["date"])):
        said.append(f"{SYMBOL} lacks {missing}.")
    known = benchmark.loc[benchmark["total_return"].notna(), "date"]
    if total_return is not None and len(known) < len(benchmark):
        reach = f"{benchmark['date'].min():%Y-%m-%d} to {benchmark['date'].max():%Y-%m-%d}"
        theirs = f", from {known.min():%Y-%m-%d} to {known.max():%Y-%m-%d}" if len(known) else ""
        said.append(
            f"The total return index of {total_return.name} covers {len(known)} of the {len(benchmark)} sessions of "
            f"the price index ({reach}){theirs}."
        )
    return said


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
        # As text, for pandas takes 20240102 for a time in 1970, and 01-02-2024 for the second of January.
        frame = read_parquet(path) if path.suffix.lower() == ".parquet" else pd.read_csv(path, dtype=str)
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
    return _in_order(pd.DataFrame(values), "close", source)


def _in_order(frame: pd.DataFrame, column: str, source: str) -> pd.DataFrame:
    ordered = frame.sort_values("date", ignore_index=True)
    if not (ordered[column] > 0).all():
        raise NiftyFormerError(f"{source}: a {column} is missing or not above 0: correct it.")
    twice = ordered["date"].duplicated()
    if twice.any():
        raise NiftyFormerError(f"{source}: {ordered.loc[twice, 'date'].iloc[0]:%Y-%m-%d} is there twice: remove one.")
    return ordered


def _must_be_whole(column: pd.Series, source: str) -> None:
    days = _as_days(column)
    must_be_sessions(days, source)
    if missing := what_is_missing(days):
        raise NiftyFormerError(f"{source} lacks {missing}: complete it.")


def _as_days(column: pd.Series) -> np.ndarray:
    days: np.ndarray = column.to_numpy().astype("datetime64[D]")
    return days


def _days(column: pd.Series, source: str) -> pd.Series:
    days = []
    for number, value in enumerate(column, start=2):
        try:
            days.append(day_of(value))
        except ValueError as error:
            raise NiftyFormerError(
                f"{source}, line {number}: a date cannot be read: {error}. Write dates as YYYY-MM-DD."
            ) from error
    return pd.Series(np.array(days, dtype="datetime64[ms]"), index=column.index)


def _numbers(column: pd.Series, source: str) -> pd.Series:
    try:
        return pd.to_numeric(column).astype("float64")
    except (ValueError, TypeError) as error:
        raise NiftyFormerError(f"{source}: a value in column {column.name!r} is no number: correct it.") from error
