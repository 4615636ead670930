"""The NIFTY 50, to compare with: through Kite or from a file."""

from __future__ import annotations

import logging
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from niftyformer_assets.market.asking import IngestSettings, retried, wanted_at
from niftyformer_assets.market.candle_files import PRICES
from niftyformer_assets.market.given_days import must_be_sessions, what_is_missing
from niftyformer_assets.market.kite import INDICES, KiteSession
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.market.refresh import ALIKE, refreshed
from niftyformer_assets.store.errors import DamagedError, NiftyFormerError
from niftyformer_assets.store.tables import read_arrow, read_given_parquet, write_arrow
from niftyformer_assets.vendors.dates import OpenDateError, read_dates
from niftyformer_assets.vendors.numbers import PLAIN, styles_of, trimmed

log = logging.getLogger(__name__)

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
        NiftyFormerError: no answer, or Kite lists several indices under this symbol.
    """
    wanted = wanted_at(now, settings)
    indices = retried(lambda: session.instruments(INDICES), settings)
    if symbol not in indices:
        return empty_benchmark()
    token = indices[symbol]
    if token is None:
        raise NiftyFormerError(f"Kite lists several indices as {symbol}: fetch it again once Kite's list is mended.")

    def ask(first: date, last: date) -> pd.DataFrame:
        return retried(lambda: session.daily_candles(token, first, last), settings, pacer)

    candles = refreshed(None, wanted, ask).candles.drop_duplicates("date")
    return _checked(candles[(candles[list(PRICES)] > 0).all(axis=1)], f"Kite's candles of {symbol}")


def must_be_no_worse(path: Path, fetched: pd.DataFrame) -> None:
    """Refuse an answer from Kite that has fewer sessions than an earlier one, or other values.

    Raises:
        NiftyFormerError: more than 5% of them are lacking or read otherwise, or the index doubles or
            halves from one session to the next; what is at hand stays.
    """
    if not path.is_file():
        return
    try:
        held, source = load_benchmark(path)
    except DamagedError as error:
        log.warning("%s: the answer from Kite takes its place, and could not be compared with it.", error)
        return
    if not source.startswith("Kite") or held.empty:
        return
    lacking = ~held["date"].isin(fetched["date"])
    if lacking.sum() > MAX_LACKING_SHARE * len(held):
        raise NiftyFormerError(
            f"Kite's answer for {SYMBOL} lacks {int(lacking.sum())} of the {len(held)} sessions in {path}: those are "
            "kept; fetch it again later, or delete the file to take what Kite has."
        )
    both = held.merge(fetched, on="date", suffixes=("_held", "_now"))
    changed = ((both["close_now"] / both["close_held"] - 1).abs() > ALIKE).sum()
    steps = fetched.sort_values("date")["close"].pct_change()
    if changed > MAX_LACKING_SHARE * len(held) or (steps > 1).any() or (steps < -0.5).any():
        raise NiftyFormerError(
            f"Kite's answer for {SYMBOL} contradicts {path}: {int(changed)} of {len(held)} closes at hand read "
            "otherwise, or the index jumps. Those are kept; fetch it again later, or delete the file to take what Kite "
            "has."
        )


def read_benchmark_file(path: Path) -> pd.DataFrame:
    """Daily values of an index from CSV or Parquet.

    Needed are columns `date` and `close`; `open`, `high`, `low` and `total_return` (the index with
    dividends reinvested) may be there. The case of the names does not matter. Dates and numbers may be
    written in any way that all of them together decide on, as in a folder of candles.

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
    levels = _numbers(frame[["total_return"]], source)
    levels.insert(0, "date", _days(frame["date"], source))
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
    table, notes = read_arrow(path, COLUMNS)
    return table.to_pandas(), notes.get("source", "")


def _frame(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise NiftyFormerError(f"{path} does not exist: name a CSV or Parquet file with the index's values.")
    try:
        # As text, for pandas takes 20240102 for a time in 1970, and 01-02-2024 for the second of January.
        frame = read_given_parquet(path) if path.suffix.lower() == ".parquet" else pd.read_csv(path, dtype=str)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NiftyFormerError(f"{path} could not be read ({detail}): name a CSV or Parquet file.") from error
    return frame.rename(columns=lambda name: str(name).strip().lower().replace(" ", "_"))


def _checked(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    for name in ("date", "close"):
        if name not in frame:
            raise NiftyFormerError(f"{source} has no column {name!r}: add it.")
    given = [name for name in COLUMNS[1:] if name in frame]
    values = _numbers(frame[given], source).reindex(columns=list(COLUMNS[1:]))
    values.insert(0, "date", _days(frame["date"], source))
    # As Yahoo writes holidays.
    return _in_order(values[values[given].notna().any(axis=1)], "close", source)


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
    texts = [str(value) for value in column]
    try:
        sessions = read_dates(texts).sessions
    except OpenDateError as error:
        raise NiftyFormerError(
            f"{source}, line {texts.index(error.text) + 2}: a date cannot be read: {error.reason}. {error.advice}."
        ) from error
    return pd.Series(np.array([sessions[text] for text in texts], dtype="datetime64[ms]"), index=column.index)


def _numbers(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """The columns as float64, missing values NaN; all in one style."""
    texts = {name: trimmed(pa.array(frame[name].astype(object).map(_text), pa.string())) for name in frame}
    styles = styles_of((cells, False) for cells in texts.values())
    if not styles:
        wrong = next((name for name, cells in texts.items() if not styles_of([(cells, False)])), next(iter(texts)))
        raise NiftyFormerError(f"{source}: a value in column {wrong!r} is no number: correct it.")
    if len(styles) > 1 and PLAIN not in styles:
        raise NiftyFormerError(
            f"{source}: its numbers can be read as {styles[0].example} or as {styles[1].example}: write them without "
            "signs between thousands."
        )
    style = PLAIN if PLAIN in styles else styles[0]
    values = {name: style.floats(cells).to_numpy(zero_copy_only=False) for name, cells in texts.items()}
    return pd.DataFrame(values, index=frame.index).astype("float64")


def _text(value: object) -> str | None:
    return None if pd.isna(value) else repr(value) if isinstance(value, float) else str(value)  # type: ignore[call-overload]
