"""What an experiment may look at: its sessions, its symbols, and who was a member when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from niftyformer_assets.indices import DEFAULT, INDICES
from niftyformer_assets.market.most_traded import most_traded_at
from niftyformer_assets.market.settings import UniverseSettings
from niftyformer_assets.market.split import Split, SplitByDate, SplitByRatio
from niftyformer_assets.market.universe import NO_INDEX
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.words import counted

# Sessions at the end: a stock without a candle on any of them has stopped trading.
_LONG_GONE = 60


@dataclass(frozen=True, eq=False)
class Scope:
    """An experiment's part of the market panel.

    axes: T sessions from the training start through the last one at hand, N symbols taking part.
    split: which of the T sessions train, validate, test.
    member: bool [T, N], who may be bought when.
    left_out: symbol -> reason, for every member that does not take part.
    survivorship: sentences that say whether stocks that left the index, or the exchange, are in it.
    rows, columns: where the scope lies in the panel; `cut` uses them.
    """

    axes: Axes
    split: Split
    member: np.ndarray
    left_out: dict[str, str]
    survivorship: str
    rows: slice
    columns: np.ndarray

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The scope's part [..., T, N] of an array [..., T', N'] on the panel's axes."""
        return array[..., self.rows, :][..., self.columns]


def scope(
    close: np.ndarray,
    panel: Axes,
    universe: pd.DataFrame,
    split: SplitByDate | SplitByRatio,
    settings: UniverseSettings,
    volume: np.ndarray | None = None,
) -> Scope:
    """Decide which sessions and symbols an experiment works on, from data up to its training end.

    Args:
        close: float [T', N'] closes of the panel, NaN where there is no candle.
        panel: the panel's axes.
        universe: rows (symbol, member_from, member_to, lists_from, index, quality): a symbol may have
            several rows, one a spell; `member_to` is NaT while it lasts; `lists_from` is the date of the
            earliest list of the index at hand.
        volume: float [T', N'] of the panel; needed where stocks are drawn by trading.

    Raises:
        NiftyFormerError: no session of a part, no list of the index, no candles of a year to draw by, or no symbol
            left.
    """
    rows, parts = split.resolve(panel.dates)
    dates, train = panel.dates[rows], parts.train
    decided = deciding_sessions(panel.dates, split, settings)
    if settings.most_traded is None:
        rows_of_index = of_index(universe, settings.index or DEFAULT)
        membership = membership_at(rows_of_index, decided)
    else:
        assert volume is not None, "stocks are drawn by close and volume"
        drawn = most_traded_at(close, volume, panel.dates, decided, settings.most_traded)
        membership = dict(zip(panel.symbols, drawn.T, strict=True))
    membership = {symbol: np.broadcast_to(member, len(dates)) for symbol, member in membership.items()}
    candidates = sorted(symbol for symbol, member in membership.items() if member[train].any())
    columns = {symbol: column for column, symbol in enumerate(panel.symbols)}
    # Late candles say nothing about who was there: eligibility sees sessions up to the training end only.
    known = np.isfinite(close[: rows.start + train.stop])
    reasons = {
        symbol: _why_left_out(known[:, columns[symbol]] if symbol in columns else None, settings)
        for symbol in candidates
    }
    taking_part = tuple(symbol for symbol, reason in reasons.items() if reason is None)
    if not taking_part:
        raise NiftyFormerError(
            f"none of the {len(candidates)} members on {decided[0]} has enough candles up to {dates[train.stop - 1]}: "
            "fetch candles that reach back further, or move the experiment's training window."
        )
    if settings.most_traded is None:
        with_candles = set(np.array(panel.symbols)[np.isfinite(close).any(axis=0)])
        gone = [symbol for symbol in candidates if symbol not in with_candles]
        survivorship = _survivorship(rows_of_index, decided, settings, len(candidates), gone)
    else:
        survivorship = _survivorship_of_drawn(close, len(candidates), settings.most_traded)
    return Scope(
        axes=Axes(dates, taking_part),
        split=parts,
        member=np.stack([membership[symbol] for symbol in taking_part], axis=1),
        left_out={symbol: reason for symbol, reason in reasons.items() if reason is not None},
        survivorship=survivorship,
        rows=rows,
        columns=np.array([columns[symbol] for symbol in taking_part]),
    )


def deciding_sessions(
    sessions: np.ndarray, split: SplitByDate | SplitByRatio, settings: UniverseSettings
) -> np.ndarray:
    """The sessions whose members take part, datetime64[D]: one for the whole experiment, or each.

    Args:
        sessions: datetime64[D] [T'], all at hand.

    Raises:
        NiftyFormerError: there is no session of a part.
    """
    rows, parts = split.resolve(sessions)
    places = {
        "training_start": slice(0, 1),
        "training_end": slice(parts.train.stop - 1, parts.train.stop),
        "each_session": slice(None),
    }
    return sessions[rows][places[settings.membership]]


def of_index(universe: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of an index.

    Raises:
        NiftyFormerError: no list of it is at hand.
    """
    index, rows = INDICES[name], universe[universe["index"] == name]
    if rows.empty:
        there = [INDICES[other].title for other in universe["index"].unique() if other in INDICES]
        raise NiftyFormerError(
            f"no list of the {index.title} is at hand ({', '.join(there) or 'nor of another index'}): fetch it with "
            f"`niftyformer universe`, put {index.dated('YYYY-MM-DD')} into data/reference/index_lists/, or give it "
            "with --index-list, and materialize universe again."
        )
    return rows


def _survivorship(
    universe: pd.DataFrame, decided: np.ndarray, settings: UniverseSettings, members: int, gone: list[str]
) -> str:
    """Whether the results carry survivorship bias, and why.

    decided: the sessions whose members are taken. gone: members without a single candle, to this day.
    """
    said = []
    earliest = earliest_list(universe)
    if earliest > decided[0]:
        when = "the training end" if settings.membership == "training_end" else "the training start"
        said.append(
            f"The index lists at hand reach back to {earliest}, after {when} {decided[0]}: the earliest list "
            "stands in for the time before it, so the results carry survivorship bias."
        )
    if gone and said:
        said.append(
            f"{len(gone)} of its {members} stocks have no candles and take no part: not listed then, or delisted since."
        )
    elif gone:
        said.append(
            f"{len(gone)} of {members} members have no candles and take no part. Brokers list what is traded today, so "
            "these are mostly stocks that were delisted or merged since: the results carry survivorship bias."
        )
    if not said:
        said.append(
            "The universe is that of the index lists in force at the time, and all its members have candles: stocks "
            "that left the index since are in it."
        )
    return " ".join([*said, *_quality(universe, np.maximum(decided, earliest))])


def _quality(universe: pd.DataFrame, decided: np.ndarray) -> list[str]:
    """What tables of membership say of themselves, where members of these sessions are from one."""
    starts, ends = _spells(universe)
    holds = (starts[:, None] <= decided) & (np.isnat(ends)[:, None] | (decided <= ends[:, None]))
    quality = universe["quality"].to_numpy(dtype=str)
    told = {kind: holds[quality == kind] for kind in ("official", "approximate")}
    found = []
    for kind, rows in told.items():
        sessions = decided[rows.any(axis=0)]
        if len(sessions):
            span = f"On {sessions[0]}" if len(decided) == 1 else f"Between {sessions[0]} and {sessions[-1]}"
            found.append(
                f"{span} members are those of a table of membership that is "
                + ("of official lists." if kind == "official" else "approximate: some may be wrong.")
            )
    return found


def _survivorship_of_drawn(close: np.ndarray, members: int, n: int) -> str:
    """What candles tell of those that are missing from them.

    close: float [T', N'] of all stocks at hand.
    """
    traded = np.isfinite(close)
    traded = traded[:, traded.any(axis=0)]
    at_hand = traded.shape[1]
    # As long without a candle as no suspension that ends well lasts.
    stopped = int((~traded[-_LONG_GONE:].any(axis=0)).sum()) if len(traded) > _LONG_GONE else 0
    drawn = f"The universe is drawn by the trading of the year before, {n} of the {at_hand} stocks with candles at hand"
    drawn += f" ({members} in all)." if members != n else "."
    if not stopped:
        return (
            f"{drawn} All of these were traded to the end: those that were delisted before are missing, so the results "
            "carry survivorship bias."
        )
    return (
        f"{drawn} {stopped} of these stopped trading before the end; whether all stocks that were delisted are among "
        "them the candles do not tell, and those that are not cannot be drawn."
    )


def membership_at(universe: pd.DataFrame, dates: np.ndarray) -> dict[str, np.ndarray]:
    """For each symbol a bool [T]: was it a member on the session, of an index or, with several, of any?

    Before the earliest list of an index at hand, that earliest list stands in.
    """
    member: dict[str, np.ndarray] = {}
    for name in universe["index"].unique():
        rows = universe[universe["index"] == name]
        if name == NO_INDEX:
            continue
        asked = np.maximum(dates, earliest_list(rows))
        for symbol, start, end in zip(rows["symbol"].astype(str), *_spells(rows), strict=True):
            spell = (asked >= start) & (np.isnat(end) | (asked <= end))
            member[symbol] = member.get(symbol, np.zeros(len(dates), dtype=bool)) | spell
    return member


def earliest_list(universe: pd.DataFrame) -> np.datetime64:
    """The date of the earliest list of an index's rows."""
    return np.datetime64(pd.Timestamp(universe["lists_from"].min()).date(), "D")


def _spells(universe: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """First and last date of each row, datetime64[D]; NaT while it lasts."""
    return tuple(universe[name].to_numpy().astype("datetime64[D]") for name in ("member_from", "member_to"))  # type: ignore[return-value]


def _why_left_out(has_candle: np.ndarray | None, settings: UniverseSettings) -> str | None:
    count = 0 if has_candle is None else int(has_candle.sum())
    if has_candle is None or count < settings.min_training_sessions:
        return f"{counted(count, 'candle')} up to the training end, {settings.min_training_sessions} are needed"
    present = np.flatnonzero(has_candle)
    span = present[-1] - present[0] + 1
    missing_share = 1 - count / span
    if missing_share > settings.max_missing_share:
        return f"{missing_share:.0%} of its sessions up to the training end are missing"
    return None
