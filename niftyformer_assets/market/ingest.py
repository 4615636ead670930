"""Candles of many symbols, side by side at Kite's pace, one symbol's failure its own.

Each symbol is done under a lock of its own, so that of two ingests at once the second finds the
work of the first and asks for nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import pandas as pd
from filelock import FileLock
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from niftyformer_assets.market.calendar import last_complete_session, last_final_session, sessions
from niftyformer_assets.market.candle_files import (
    CandleFile,
    from_rows,
    is_listed_with_candles,
    read_candle_file,
    remove_leftovers,
    write_candle_file,
)
from niftyformer_assets.market.index_lists import aliases_of_lists, company_of
from niftyformer_assets.market.kite import BrokenAnswer, KiteError, KiteSession, NotPermitted, TokenRefused
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.market.refresh import Wanted, is_up_to_date, refreshed
from niftyformer_assets.store.checks import require
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.workspace import Workspace

log = logging.getLogger(__name__)

# A list of instruments that lacks more of the symbols that have candles was cut short.
MAX_UNLISTED_SHARE = 0.05
# Of stocks that must be delivered after each trade, and of those that do not comply with the listing rules.
SURVEILLANCE_SERIES = ("BE", "BZ")

T = TypeVar("T")


@dataclass(frozen=True)
class IngestSettings:
    """How candles are fetched.

    history_start: the first date asked for.
    history_end: the last one; None for the last session that is over (a replay ends earlier).
    overlap_sessions: how many sessions at hand are asked for again and compared at least; once a day it is
        all that one request reaches.
    attempts: how often a request is sent before its symbol fails (429, 5xx, timeouts, broken bodies).
    backoff_s, max_backoff_s: the first wait between attempts, doubled each time, and its limit.
    requests_per_second: Kite's limit for historical candles.
    timeout_s: how long an answer may take.
    workers: how many requests may be under way.
    """

    __pydantic_config__ = {"extra": "forbid"}

    history_start: date = date(2021, 7, 1)
    history_end: date | None = None
    overlap_sessions: int = 5
    attempts: int = 5
    backoff_s: float = 1.0
    max_backoff_s: float = 20.0
    requests_per_second: float = 3.0
    timeout_s: float = 7.0
    workers: int = 8

    def __post_init__(self) -> None:
        require(
            self.history_end is None or self.history_start <= self.history_end,
            f"history_start {self.history_start} is after history_end {self.history_end}",
        )
        require(
            min(self.overlap_sessions, self.attempts, self.workers) >= 1,
            "overlap_sessions, attempts and workers must be at least 1",
        )
        require(min(self.backoff_s, self.max_backoff_s) >= 0, "backoff_s and max_backoff_s must be at least 0")
        require(self.requests_per_second > 0, "requests_per_second must be above 0")
        require(self.timeout_s > 0, "timeout_s must be above 0")


@dataclass(frozen=True)
class Fetched:
    """A symbol whose file is as it should be.

    kind: `fetched` from Kite, `cached` (nothing new, nothing asked), `readjusted` (Kite changed its
        history, or it goes on in another series; `reason` says what), `unavailable` (Kite has no candles, or no longer
        lists the symbol; `reason` says which, and candles at hand are kept).
    rows, first, last: what is on disk now.
    new_rows: sessions that were not there before.
    """

    symbol: str
    kind: Literal["fetched", "cached", "readjusted", "unavailable"]
    rows: int
    first: date | None
    last: date | None
    new_rows: int
    reason: str = ""


@dataclass(frozen=True)
class Failed:
    """A symbol that got no usable answer; its file is as it was."""

    symbol: str
    reason: str


Outcome = Fetched | Failed


def wanted_at(now: datetime, settings: IngestSettings) -> Wanted:
    """What should be at hand at `now` (an aware datetime)."""
    through, final = last_complete_session(now), last_final_session(now)
    if settings.history_end is not None:
        through, final = min(through, settings.history_end), min(final, settings.history_end)
    if through < settings.history_start:
        raise NiftyFormerError(
            f"no session is over since history_start {settings.history_start}: set an earlier start."
        )
    return Wanted(settings.history_start, through, final, sessions(settings.history_start, through))


def ingest(
    symbols: Sequence[str],
    workspace: Workspace,
    session: Callable[[], KiteSession],
    pacer: Pacer,
    settings: IngestSettings,
    now: datetime,
    aliases: Mapping[str, Sequence[str]] | None = None,
    isins: Mapping[str, str] | None = None,
) -> Iterator[Outcome]:
    """Bring the candles of `symbols` up to date; yield each symbol's outcome as soon as it is known.

    Closing the iterator stops asking. Once the access token or the app is refused, nothing more is
    asked: the symbols left fail with that reason, and those that need no request are cached as ever.

    Args:
        session: makes the session, when the first request is due; it may raise NiftyFormerError.
        aliases: other symbols of a stock (`aliases_of_lists`), tried in order where Kite does not list
            its own. For a symbol that is not among them the table of renames is used.
        isins: of each stock by its symbol (`isins_of_lists`). Candles at hand that were fetched for
            another company's ISIN are put aside as those of SYMBOL.ISIN.

    Raises:
        NiftyFormerError: the folder of candles cannot be written, or `now` is past the calendar.
    """
    try:
        workspace.raw.mkdir(parents=True, exist_ok=True)
        _locks(workspace).mkdir(exist_ok=True)
    except OSError as error:
        raise NiftyFormerError(
            f"{workspace.raw} could not be made ({error.strerror}): choose a data folder that is writable."
        ) from error
    work = _Ingest(workspace, session, pacer, settings, wanted_at(now, settings), aliases or {}, isins or {})
    pool = ThreadPoolExecutor(max_workers=settings.workers, thread_name_prefix="ingest")
    try:
        futures = {pool.submit(work.outcome_of, symbol): symbol for symbol in dict.fromkeys(symbols)}
        for future in as_completed(futures):
            yield future.result()
    finally:
        work.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


class _Ingest:
    """What the symbols of one ingest share: the session, the list of instruments, the way to stop."""

    def __init__(
        self,
        workspace: Workspace,
        session: Callable[[], KiteSession],
        pacer: Pacer,
        settings: IngestSettings,
        wanted: Wanted,
        aliases: Mapping[str, Sequence[str]],
        isins: Mapping[str, str],
    ) -> None:
        self.stop = threading.Event()
        self._workspace, self._pacer, self._settings, self._wanted = workspace, pacer, settings, wanted
        self._make_session = session
        self._isins = isins
        self._aliases = {**aliases_of_lists((), wanted.through), **aliases}
        self._opening = threading.Lock()
        self._opened: tuple[KiteSession, dict[str, int]] | None = None
        # Why nothing more is asked: it was refused whatever the symbol, or the list of instruments was not to be had.
        self._over: NiftyFormerError | None = None

    def outcome_of(self, symbol: str) -> Outcome:
        path = self._workspace.candles(symbol)
        try:
            with FileLock(_locks(self._workspace) / f"{path.stem}.lock"):
                remove_leftovers(path)
                return self._outcome(symbol, path)
        except (TokenRefused, NotPermitted) as error:
            self._over = self._over or error
            return Failed(symbol, str(error))
        except NiftyFormerError as error:
            return Failed(symbol, str(error))
        except OSError as error:
            return Failed(symbol, f"{path} could not be locked, read or written ({error.strerror or error}).")
        except Exception as error:
            log.exception("%s: unexpected error", symbol)
            return Failed(symbol, f"unexpected {type(error).__name__}: {error}")

    def _outcome(self, symbol: str, path: Path) -> Fetched:
        file, note = _read(path)
        isin = self._isins.get(symbol, file.isin if file is not None else "")
        if file is not None and file.isin and company_of(file.isin) != company_of(isin):
            aside = self._workspace.candles(f"{symbol}.{file.isin}")
            log.warning("%s is another company's symbol now: the candles at hand are kept as %s", symbol, aside.name)
            path.replace(aside)
            file = None
        if file is not None and is_up_to_date(file, self._wanted):
            return _fetched(symbol, "cached" if file.rows and not file.unlisted else "unavailable", file, 0)
        kite, listed = self._open()
        name, series = next((found for found in self._names(symbol) if found[0] in listed), ("", ""))
        if not name:
            if note:
                raise NiftyFormerError(f"{path} is damaged and Kite does not list {symbol}: restore it, or delete it.")
            return self._unlisted(symbol, path, file)

        def ask(first: date, last: date) -> pd.DataFrame:
            return self._retried(lambda: kite.daily_candles(listed[name], first, last), paced=True)

        fresh = refreshed(file, self._wanted, ask, self._settings.overlap_sessions, series)
        fresh = replace(fresh, isin=isin)
        if note and not fresh.rows:
            raise NiftyFormerError(f"{path} is damaged and Kite has no candles of {symbol}: restore it, or delete it.")
        changed = file is not None and fresh.changes != file.changes
        write_candle_file(path, fresh)
        if not fresh.rows:
            return _fetched(symbol, "unavailable", fresh, 0)
        new = len(set(fresh.candles["date"]) - set(file.candles["date"] if file is not None else ()))
        outcome = _fetched(symbol, "readjusted" if changed else "fetched", fresh, new)
        reason = fresh.changes[-1] if changed else note
        return replace(outcome, reason=reason)

    def _unlisted(self, symbol: str, path: Path, file: CandleFile | None) -> Fetched:
        """No candles is an answer; candles at hand stay."""
        wanted = self._wanted
        reason = "not in Kite's list of instruments: no longer listed, not listed yet, or renamed"
        if file is not None and file.rows:
            reason += f"; the {file.rows} candles through {file.last} are kept"
            kept = replace(file, through=wanted.through, final_through=wanted.final_through)
            kept = replace(kept, reason=reason, unlisted=True, asked_from=min(file.asked_from, wanted.first))
        else:
            kept = CandleFile(from_rows([]), wanted.first, wanted.through, wanted.final_through, reason)
        write_candle_file(path, kept)
        return _fetched(symbol, "unavailable", kept, 0)

    def _names(self, symbol: str) -> Iterator[tuple[str, str]]:
        """Under which trading symbols Kite may list a stock, the likeliest first, each with its series."""
        names = (symbol, *self._aliases.get(symbol, ()))
        yield from ((name, "") for name in names)
        for series in SURVEILLANCE_SERIES:
            yield from ((f"{name}-{series}", series) for name in names)

    def _open(self) -> tuple[KiteSession, dict[str, int]]:
        """The session and the list of instruments, made once for all symbols."""
        with self._opening:
            if self._over is not None:
                raise NiftyFormerError(f"not asked for, because of what came before it: {self._over}")
            if self._opened is None:
                try:
                    kite = self._make_session()
                    self._opened = kite, self._retried(lambda: self._checked(kite.instruments()), paced=False)
                except NiftyFormerError as error:
                    self._over = error
                    raise
            return self._opened

    def _checked(self, listed: dict[str, int]) -> dict[str, int]:
        """Refuse a list of instruments that lacks too many of the symbols that have candles."""
        with_candles, gone = 0, []
        for path in sorted(self._workspace.raw.glob("*.parquet")):
            if not is_listed_with_candles(path):
                continue
            with_candles += 1
            symbol = Workspace.symbol_of(path)
            if not any(name in listed for name, _ in self._names(symbol)):
                gone.append(symbol)
        # A single stock may always go, or a small universe could never lose one.
        if len(gone) > max(1, MAX_UNLISTED_SHARE * with_candles):
            raise BrokenAnswer(
                f"Kite's list of instruments lacks {len(gone)} of the {with_candles} symbols that have candles "
                f"({', '.join(gone[:3])}, …): it was cut short. All candles are kept; fetch them again later."
            )
        return listed

    def _retried(self, call: Callable[[], T], *, paced: bool) -> T:
        def send() -> T:
            if self._over is not None:
                raise NiftyFormerError(f"not asked for: {self._over}")
            return call()

        return retried(send, self._settings, self._pacer if paced else None, self.stop)


def retried(
    call: Callable[[], T], settings: IngestSettings, pacer: Pacer | None = None, stop: threading.Event | None = None
) -> T:
    """Send a request, and again where that may help, with exponential backoff and jitter.

    Raises:
        KiteError: that of the last attempt, or at once one that asking again cannot mend.
        NiftyFormerError: `stop` was set.
    """
    stop = stop or threading.Event()

    def send() -> T:
        if stop.is_set() or (pacer is not None and not pacer.wait(stop)):
            raise NiftyFormerError("not asked for: the ingest was stopped.")
        return call()

    retrying = Retrying(
        stop=stop_after_attempt(settings.attempts),
        wait=wait_exponential(multiplier=settings.backoff_s, max=settings.max_backoff_s)
        + wait_random(0, settings.backoff_s),
        retry=retry_if_exception(lambda error: isinstance(error, KiteError) and error.retryable),
        sleep=partial(_pause, stop),
        reraise=True,
    )
    return retrying(send)


def _locks(workspace: Workspace) -> Path:
    """Where locks lie: not beside the candles, whose folder is an artifact."""
    return workspace.root / "locks"


def _pause(stop: threading.Event, seconds: float) -> None:
    stop.wait(seconds)


def _read(path: Path) -> tuple[CandleFile | None, str]:
    """The file, or None with a word on why where there is one that cannot be read."""
    if not path.is_file():
        return None, ""
    try:
        return read_candle_file(path), ""
    except NiftyFormerError as error:
        log.warning("%s", error)
        return None, f"{path.name} was damaged; all of its candles were fetched again"


def _fetched(
    symbol: str, kind: Literal["fetched", "cached", "readjusted", "unavailable"], file: CandleFile, new_rows: int
) -> Fetched:
    return Fetched(symbol, kind, file.rows, file.first, file.last, new_rows, file.reason)
