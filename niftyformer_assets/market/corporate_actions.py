"""NSE's list of corporate actions: what moves a price without anybody earning or losing it.

A person downloads it (nseindia.com, Corporate Filings, Actions) and drops it into `data/reference/`
under any name: a file is known by its header. Kite says nothing about corporate actions.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from niftyformer_assets.market import reference
from niftyformer_assets.market.renames import Rename, rename_table, renamed
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.vendors.dates import MONTHS

_COLUMNS = ("symbol", "purpose", "ex-date")
_NAME = re.compile(r"CF-CA.*\.csv", re.IGNORECASE)
_DATE = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
# With fewer companies it is the list of some of them, and says nothing about others.
_MIN_COMPANIES = 10
# A dividend below this share of the price leaves no break.
_MIN_DIVIDEND_SHARE = 0.05

_RUPEES = r"(?:rs|re|inr|₹)?\.?\s*(\d+(?:\.\d+)?)"
_BONUS = re.compile(r"bonus\D*?(\d+)\s*:\s*(\d+)")
_OTHER_THAN_SHARES = re.compile(r"debenture|\bncds?\b|preference|warrant")
_FACE_VALUE = re.compile(r"(?:split|sub-? ?division|consolidation)\D*?" + _RUPEES + r"\D*?\bto\b\D*?" + _RUPEES)
_DIVIDEND = re.compile(r"dividend\D*?(?:rs|re|inr|₹)[\s.\-]*(\d+(?:\.\d+)?)")
_OF_SHARES = re.compile(r"bonus|split|sub-? ?division|consolidation")
# Their effect on the price does not stand in the list.
_UNTOLD = re.compile(
    r"rights|demerger|spin-? ?off|hive|arrangement|amalgamation|merger|"
    r"(?:reduction|return) of (?:share )?capital|capital (?:reduction|repayment)"
)


@dataclass(frozen=True)
class CorporateAction:
    """One action of one stock.

    symbol: the latest one of the stock that bore it on the ex-date.
    ratio: price after it over price before it, where splits, consolidations and bonus issues tell
        it; None where its effect is untold (demerger, rights).
    cash: dividend a share, rupees.
    """

    symbol: str
    ex_date: date
    purpose: str
    ratio: float | None
    cash: float

    def effect(self, last_close: float) -> float | None:
        """Price after it over a price before it; None where that is untold."""
        if self.ratio is None:
            return None
        share = self.cash / last_close
        return self.ratio * (1 - share if _MIN_DIVIDEND_SHARE <= share < 1 else 1.0)


@dataclass(frozen=True)
class Span:
    """What one list speaks about: these dates, and these companies or all."""

    first: date
    last: date
    symbols: frozenset[str]

    def covers(self, symbol: str, first: date, last: date) -> bool:
        inside = self.first <= first and last <= self.last
        return inside and (len(self.symbols) >= _MIN_COMPANIES or symbol in self.symbols)


@dataclass(frozen=True)
class CorporateActions:
    """All lists at hand as one.

    by_symbol: the actions that move a price, by ex-date.
    files: what they were read from.
    """

    by_symbol: dict[str, tuple[CorporateAction, ...]]
    spans: tuple[Span, ...] = ()
    files: tuple[Path, ...] = ()

    def of(self, symbol: str, first: date, last: date) -> list[CorporateAction]:
        """A stock's actions with an ex-date between two dates, both included."""
        return [action for action in self.by_symbol.get(symbol, ()) if first <= action.ex_date <= last]

    def covers(self, symbol: str, first: date, last: date) -> bool:
        """Would a list at hand name the stock's actions between two dates, if there were any?"""
        return any(span.covers(symbol, first, last) for span in self.spans)

    def rule_out(
        self, symbol: str, first: date, last: date, last_close: float, around: timedelta = timedelta(0)
    ) -> bool:
        """Do the lists reach over two dates and name no action, between them or so near, that moves such a price?"""
        named = self.of(symbol, first - around, last + around)
        return self.covers(symbol, first, last) and all(action.effect(last_close) == 1 for action in named)


NONE = CorporateActions({})


def read_corporate_actions(folder: Path | None = None) -> CorporateActions:
    """All lists of a folder, by default `data/reference`; other CSV files there are let be.

    Raises:
        NiftyFormerError: a list cannot be read, or has an ex-date that is none.
    """
    table = rename_table()
    rows: dict[Path, list[CorporateAction]] = {}
    for path in sorted((folder or reference.REFERENCE).glob("*.csv")):
        if (read := _read(path, table)) is not None:
            rows[path] = read
    by_symbol: dict[str, list[CorporateAction]] = {}
    for action in sorted(set(_all(rows.values())), key=lambda action: (action.ex_date, action.purpose)):
        if action.ratio != 1 or action.cash:
            by_symbol.setdefault(action.symbol, []).append(action)
    spans = tuple(
        Span(min(dates), max(dates), frozenset(action.symbol for action in read))
        for read in rows.values()
        if (dates := [action.ex_date for action in read])
    )
    return CorporateActions({name: tuple(found) for name, found in by_symbol.items()}, spans, tuple(rows))


def _all(parts: Iterable[list[CorporateAction]]) -> list[CorporateAction]:
    return [action for part in parts for action in part]


def _read(path: Path, table: Sequence[Rename]) -> list[CorporateAction] | None:
    """The rows of a list, None if the file is something else."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NiftyFormerError(f"{path} could not be read: {error.strerror}. Restore or remove it.") from error
    text = content.decode("utf-8-sig", errors="replace")
    try:
        lines = list(csv.reader(io.StringIO(text, newline=None)))
    except csv.Error as error:
        raise NiftyFormerError(f"{path} is no CSV ({error}): mend or remove it.") from error
    header = [field.strip().lower() for field in lines[0]] if lines else []
    if absent := [column for column in _COLUMNS if column not in header]:
        if _NAME.fullmatch(path.name):
            raise NiftyFormerError(
                f"{path} has no column {absent[0].upper()!r}: download NSE's list of corporate actions again."
            )
        return None
    places = [header.index(column) for column in _COLUMNS]
    actions = []
    for number, line in enumerate(lines[1:], start=2):
        if not any(field.strip() for field in line):
            continue
        if len(line) <= max(places):
            raise NiftyFormerError(f"{path}, line {number} is cut off: download NSE's list of corporate actions again.")
        symbol, purpose, ex_date = (line[place].strip() for place in places)
        if symbol and ex_date not in ("", "-"):
            day = _as_date(ex_date, f"{path}, line {number}")
            actions.append(CorporateAction(renamed(symbol, day, table), day, purpose, *effect_of(purpose)))
    return actions


def effect_of(purpose: str) -> tuple[float | None, float]:
    """What an action does to the price, by the words of its purpose.

    Returns:
        The ratio of the price after it to the price before it (None: untold), and the dividend a
        share in rupees.
    """
    # Without the commas of thousands.
    text = re.sub(r"(?<=\d),(?=\d)", "", " ".join(purpose.lower().split()))
    cash = sum(float(amount) for amount in _DIVIDEND.findall(text))
    ratio, told = 1.0, 0
    if not _OTHER_THAN_SHARES.search(text):
        for new, held in _BONUS.findall(text):
            if int(held):
                ratio, told = ratio * int(held) / (int(held) + int(new)), told + 1
    for before, after in _FACE_VALUE.findall(text):
        if float(before) and float(after):
            ratio, told = ratio * float(after) / float(before), told + 1
    untold = _UNTOLD.search(text) or (_OF_SHARES.search(text) and not told)
    return None if untold else ratio, cash


def _as_date(text: str, where: str) -> date:
    match = _DATE.fullmatch(text)
    try:
        if match is None:
            raise ValueError("not written as NSE does")
        return date(int(match[3]), MONTHS.index(match[2].lower()) + 1, int(match[1]))
    except ValueError as error:
        raise NiftyFormerError(f"{where}: {text!r} is not a date written as 03-Nov-2025: mend it.") from error
