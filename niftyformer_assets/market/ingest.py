"""Candles of many symbols, side by side at Kite's pace, one symbol's failure its own.

Each symbol is done under a lock of its own, so that of two ingests at once the second finds the
work of the first and asks for nothing. Answers that contradict the closes at hand wait until those of
the others are known (`contradiction`), and stocks without candles come last.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

from filelock import FileLock

from niftyformer_assets.market.asking import IngestSettings, retried, wanted_at
from niftyformer_assets.market.candle_files import (
    CandleFile,
    from_rows,
    has_candles,
    read_candle_file,
    write_candle_file,
)
from niftyformer_assets.market.contradiction import (
    LAST_CLOSES,
    LEAST_STOCKS,
    Comparison,
    compared,
    same_answer,
    too_many,
)
from niftyformer_assets.market.identities import aliases_of_lists, company_of
from niftyformer_assets.market.kite import MAX_DAYS, KiteSession, NotPermitted, TokenRefused
from niftyformer_assets.market.listing import listed_as, must_be_whole
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.market.refresh import Ask, Wanted, is_up_to_date, refreshed
from niftyformer_assets.market.servers import WORKERS
from niftyformer_assets.store.atomic import atomic_path, remove_leftovers
from niftyformer_assets.store.errors import DamagedError, NiftyFormerError
from niftyformer_assets.store.index import adopt, file_sha256, is_adopted, rename_entered, settle
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets.words import counted

log = logging.getLogger(__name__)

# Fewer stocks than these tell nothing of the others.
_LEAST_COMPARED = 2 * LEAST_STOCKS
# Of candles that were adopted.
_UNKNOWN = "nothing told whether the candles at hand are as they were fetched"

T = TypeVar("T")


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

    Where answers contradict the last known closes of most stocks, none of those is believed, and no
    stock gets its first candles: they are asked for once more, then fail, and all candles are kept.

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
        settle(workspace.raw)
        candles = sorted(workspace.raw.glob("*.parquet"))
        if candles and (why := adopt(workspace.raw, candles)):
            log.warning("%s: %s. The candles at hand are compared with Kite's.", workspace.raw, why)
    except OSError as error:
        raise NiftyFormerError(
            f"{workspace.raw} could not be made ({error.strerror}): choose a data folder that is writable."
        ) from error
    work = _Ingest(workspace, session, pacer, settings, wanted_at(now, settings), aliases or {}, isins or {})
    pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="ingest")

    def each(some: Sequence[str], believing: bool = False) -> Iterator[Outcome]:
        for future in as_completed([pool.submit(work.outcome_of, symbol, believing) for symbol in some]):
            if (outcome := future.result()) is not None:
                yield outcome

    known = {symbol: has_candles(workspace.candles(symbol)) for symbol in symbols}
    try:
        for there in (True, False):
            yield from each([symbol for symbol in known if known[symbol] == there])
            if work.doubted and too_many(work.comparisons()):
                work.stop.wait(settings.backoff_s)
                yield from each(work.take_doubted())
            if work.doubted:
                yield from each(work.take_doubted(), believing=not work.refuse_contradictions())
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
        self._opened: tuple[KiteSession, dict[str, int | None]] | None = None
        self._compared: dict[str, Comparison] = {}
        # Those of them that nobody wanted candles of.
        self._others: list[Comparison] = []
        # Symbols whose answers contradict what is known of them: not yet believed, and not yet refused.
        self.doubted: list[str] = []
        # Why nothing more is asked: it was refused whatever the symbol, or the list of instruments was not to be had.
        self._over: NiftyFormerError | None = None

    def outcome_of(self, symbol: str, believing: bool = False) -> Outcome | None:
        """A symbol's outcome; None, and nothing written, where its answer is `doubted` unless contradictions of
        single stocks are to be believed."""
        path = self._workspace.candles(symbol)
        try:
            with FileLock(_locks(self._workspace) / f"{path.stem}.lock"):
                remove_leftovers(path)
                return self._outcome(symbol, path, believing)
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

    def _outcome(self, symbol: str, path: Path, believing: bool) -> Fetched | None:
        file, note = _read(path)
        isin = self._isins.get(symbol, file.isin if file is not None else "")
        if file is not None and file.isin and company_of(file.isin) != company_of(isin):
            aside = self._workspace.candles(f"{symbol}.{file.isin}")
            if has_candles(aside):  # fetched under that name before
                aside.rename(self._workspace.new_set_aside() / aside.name)
            log.warning("%s is another company's symbol now: the candles at hand are kept as %s", symbol, aside.name)
            rename_entered(path, aside)
            file = None
        adopted = file is not None and is_adopted(path)
        if file is not None and is_up_to_date(file, self._wanted) and not adopted:
            return _fetched(symbol, "cached" if file.rows and not file.unlisted else "unavailable", file, 0)
        kite, listed = self._open()
        found = listed_as(symbol, listed, self._aliases)
        if found is None:
            if note:
                raise NiftyFormerError(f"{note} and Kite does not list {symbol}: restore {path}, or delete it.")
            outcome = self._unlisted(symbol, path, file)
            return replace(outcome, reason=f"{outcome.reason}; {_UNKNOWN}: taken as they are") if adopted else outcome
        token, series = found
        # Of no number of doubts that Kite has confirmed: then all is asked for again and compared.
        held = replace(file, settled=-1) if file is not None and adopted else file
        fresh = refreshed(held, self._wanted, self._asking(kite, token), series=series)
        fresh = replace(fresh, isin=isin)
        if note and not fresh.rows:
            raise NiftyFormerError(f"{note} and Kite has no candles of {symbol}: restore {path}, or delete it.")
        comparison = compared(file, fresh.candles, self._wanted)
        if comparison is not None:
            self._compared[symbol] = comparison
            if comparison.doubtful and not believing:
                self.doubted.append(symbol)
                return None
            if not comparison.explained and not adopted:  # for these may be the wrong ones, and are kept beside
                self._must_come_again(symbol, fresh, comparison)
        if note:
            kept = _keep_damaged(path, self._workspace)
            note = f"{note}: all of its candles were fetched again, and the file is kept as {kept}"
        changed = file is not None and fresh.changes != file.changes
        if adopted:
            others = ", and Kite has others, which were taken" if changed else ": they are the same at Kite"
            note = f"{_UNKNOWN}{others}"
        if adopted and changed:
            fresh = replace(fresh, changes=(*fresh.changes[:-1], f"{self._wanted.through}: {note}"))
            note = f"{note}; the file is kept as {_keep_damaged(path, self._workspace)}"
        write_candle_file(path, fresh)
        self._workspace.held_back(symbol).unlink(missing_ok=True)
        if not fresh.rows:
            return _fetched(symbol, "unavailable", fresh, 0)
        new = len(set(fresh.candles["date"]) - set(file.candles["date"] if file is not None else ()))
        outcome = _fetched(symbol, "readjusted" if changed else "fetched", fresh, new)
        return replace(outcome, reason=note or (fresh.changes[-1] if changed else ""))

    def _asking(self, kite: KiteSession, token: int) -> Ask:
        return lambda first, last: self._retried(lambda: kite.daily_candles(token, first, last), paced=True)

    def _must_come_again(self, symbol: str, fresh: CandleFile, comparison: Comparison) -> None:
        """Take an answer that no adjustment explains only if it is the same as on an earlier day."""
        path = self._workspace.held_back(symbol)
        earlier, _ = _read(path)
        if earlier is None or not same_answer(earlier, fresh):
            write_candle_file(path, fresh)
        elif earlier.final_through < fresh.final_through:
            return
        raise NiftyFormerError(
            f"no adjustment explains Kite's answer ({comparison.said}): the candles at hand are kept, and the answer "
            f"in {path} until it comes again on a later day."
        )

    def take_doubted(self) -> list[str]:
        doubted, self.doubted = self.doubted, []
        return doubted

    def comparisons(self) -> list[Comparison]:
        """Those of this ingest, and of others that are asked for their last known closes and the ones since where those
        leave doubts.

        An ingest may be of few stocks, or of just those that failed before for contradicting.
        """
        others = [Workspace.symbol_of(path) for path in sorted(self._workspace.raw.glob("*.parquet"))]
        failed = 0
        for symbol in [other for other in others if other not in self._compared]:
            known = list(self._compared.values())
            clear = len(known) >= _LEAST_COMPARED and not too_many(known)
            against = sum(comparison.doubtful for comparison in self._others)
            all_alike = len(self._others) >= _LEAST_COMPARED and 2 * against > len(self._others)
            if clear or all_alike or failed >= LEAST_STOCKS:
                break
            try:
                comparison = self._compare(symbol)
            except NiftyFormerError as error:
                log.warning("%s could not be compared: %s", symbol, error)
                failed += 1
                continue
            if comparison is not None:
                self._compared[symbol] = comparison
                self._others.append(comparison)
        return list(self._compared.values())

    def _compare(self, symbol: str) -> Comparison | None:
        """An answer from the last known closes of a stock on, against those; nothing is written."""
        file, _ = _read(self._workspace.candles(symbol))
        if file is None or not file.rows or file.unlisted:
            return None
        kite, listed = self._open()
        found = listed_as(symbol, listed, self._aliases)
        if found is None or found[1] != file.series:
            return None
        first = file.candles["date"].drop_duplicates().tail(LAST_CLOSES + 1).iloc[0].date()
        last = min(self._wanted.through, first + timedelta(days=MAX_DAYS - 1))
        answer = self._asking(kite, found[0])(first, last)
        return compared(file, answer, self._wanted)

    def refuse_contradictions(self) -> bool:
        """Whether too many stocks contradict what is known; then nothing more is asked in this ingest."""
        comparisons = self.comparisons()
        if not too_many(comparisons):
            return False
        against = [comparison for comparison in comparisons if comparison.doubtful]
        self._over = NiftyFormerError(
            f"Kite's answers contradict the last known closes of {len(against)} of {len(comparisons)} stocks "
            f"({against[0].said}): all candles are kept; fetch them again later. If the candles at hand are the wrong "
            f"ones, move {self._workspace.raw} away, then fetch."
        )
        return True

    def _unlisted(self, symbol: str, path: Path, file: CandleFile | None) -> Fetched:
        """No candles is an answer; candles at hand stay."""
        wanted = self._wanted
        reason = "not in Kite's list of instruments: no longer listed, not listed yet, or renamed"
        if file is not None and file.rows:
            reason += (
                f"; the {counted(file.rows, 'candle')} through {file.last} {'is' if file.rows == 1 else 'are'} kept"
            )
            kept = replace(file, through=wanted.through, final_through=wanted.final_through)
            kept = replace(kept, reason=reason, unlisted=True, asked_from=min(file.asked_from, wanted.first))
        else:
            kept = CandleFile(from_rows([]), wanted.first, wanted.through, wanted.final_through, reason)
        write_candle_file(path, kept)
        return _fetched(symbol, "unavailable", kept, 0)

    def _open(self) -> tuple[KiteSession, dict[str, int | None]]:
        """The session and the list of instruments, made once for all symbols."""
        with self._opening:
            if self._over is not None:
                raise NiftyFormerError(f"not asked for, because of what came before it: {self._over}")
            if self._opened is None:
                try:
                    kite = self._make_session()
                    self._opened = kite, self._retried(lambda: self._listed(kite), paced=False)
                except NiftyFormerError as error:
                    self._over = error
                    raise
            return self._opened

    def _listed(self, kite: KiteSession) -> dict[str, int | None]:
        listed = kite.instruments()
        must_be_whole(listed, self._workspace, self._aliases)
        return listed

    def _retried(self, call: Callable[[], T], *, paced: bool) -> T:
        def send() -> T:
            if self._over is not None:
                raise NiftyFormerError(f"not asked for: {self._over}")
            return call()

        return retried(send, self._settings, self._pacer if paced else None, self.stop)


def _locks(workspace: Workspace) -> Path:
    """Where locks lie: not beside the candles, whose folder is an artifact."""
    return workspace.root / "locks"


def _read(path: Path) -> tuple[CandleFile | None, str]:
    """The file, or None with a word on why where there is one that cannot be read."""
    if not path.is_file():
        return None, ""
    try:
        return read_candle_file(path), ""
    except DamagedError as error:
        log.warning("%s", error)
        return None, f"{path.name} was damaged"


def _keep_damaged(path: Path, workspace: Workspace) -> Path:
    """Put a copy aside of what is about to be replaced: most of it may be good, and Kite may lack some of it.

    Named by its content too, so that it overwrites none that was kept before.
    """
    kept = workspace.root / "damaged" / f"{path.stem}.{file_sha256(path)[:12]}{path.suffix}"
    with atomic_path(kept) as temporary:
        shutil.copyfile(path, temporary)
    return kept


def _fetched(
    symbol: str, kind: Literal["fetched", "cached", "readjusted", "unavailable"], file: CandleFile, new_rows: int
) -> Fetched:
    return Fetched(symbol, kind, file.rows, file.first, file.last, new_rows, file.reason)
