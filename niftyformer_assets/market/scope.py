"""What an experiment may look at: its sessions, its symbols, and who was a member when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from niftyformer_assets.market.settings import UniverseSettings
from niftyformer_assets.market.split import Split, SplitByDate, SplitByRatio
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.words import counted


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
) -> Scope:
    """Decide which sessions and symbols an experiment works on, from data up to its training end.

    Args:
        close: float [T', N'] closes of the panel, NaN where there is no candle.
        panel: the panel's axes.
        universe: rows (symbol, member_from, member_to, lists_from): a symbol may have several
            rows, one a spell; `member_to` is NaT while it lasts; `lists_from` is the date of the
            earliest list at hand.

    Raises:
        NiftyFormerError: no session of a part, or no symbol left.
    """
    rows, parts = split.resolve(panel.dates)
    dates = panel.dates[rows]
    membership = membership_at(universe, dates)
    train = parts.train
    if settings.membership != "each_session":
        fixed = train.start if settings.membership == "training_start" else train.stop - 1
        membership = {symbol: np.full(len(dates), spells[fixed]) for symbol, spells in membership.items()}
    candidates = sorted(symbol for symbol, member in membership.items() if member[train].any())
    place = {symbol: column for column, symbol in enumerate(panel.symbols)}
    # Late candles say nothing about who was there: eligibility sees sessions up to the training end only.
    known = np.isfinite(close[: rows.start + train.stop])
    taking_part: list[str] = []
    left_out: dict[str, str] = {}
    gone = [symbol for symbol in candidates if symbol not in place or not np.isfinite(close[:, place[symbol]]).any()]
    for symbol in candidates:
        reason = _why_left_out(known[:, place[symbol]] if symbol in place else None, settings)
        if reason is None:
            taking_part.append(symbol)
        else:
            left_out[symbol] = reason
    if not taking_part:
        raise NiftyFormerError(
            f"none of the {len(candidates)} members on {dates[0]} has enough candles up to {dates[train.stop - 1]}: "
            "fetch candles that reach back further, or move the experiment's training window."
        )
    return Scope(
        axes=Axes(dates, tuple(taking_part)),
        split=parts,
        member=np.stack([membership[symbol] for symbol in taking_part], axis=1),
        left_out=left_out,
        survivorship=_survivorship(universe, dates[0], len(candidates), gone),
        rows=rows,
        columns=np.array([place[symbol] for symbol in taking_part]),
    )


def _survivorship(universe: pd.DataFrame, start: np.datetime64, members: int, gone: list[str]) -> str:
    """Whether the results carry survivorship bias, and why.

    gone: members without a single candle, to this day.
    """
    said = []
    earliest = np.datetime64(pd.Timestamp(universe["lists_from"].min()).date(), "D")
    if earliest > start:
        said.append(
            f"The index lists at hand reach back to {earliest}, after the training start {start}: the earliest list "
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
    return " ".join(said) or (
        "The universe is that of the index lists in force at the time, and all its members have candles: stocks that "
        "left the index since are in it."
    )


def membership_at(universe: pd.DataFrame, dates: np.ndarray) -> dict[str, np.ndarray]:
    """For each symbol a bool [T]: was it a member on the session?

    Before the earliest list at hand, that earliest list stands in.
    """
    earliest = np.datetime64(pd.Timestamp(universe["lists_from"].min()).date(), "D")
    asked = np.maximum(dates, earliest)
    member: dict[str, np.ndarray] = {}
    starts = universe["member_from"].to_numpy().astype("datetime64[D]")
    ends = universe["member_to"].to_numpy().astype("datetime64[D]")
    for symbol, start, end in zip(universe["symbol"].astype(str), starts, ends, strict=True):
        spell = (asked >= start) & (np.isnat(end) | (asked <= end))
        member[symbol] = member.get(symbol, np.zeros(len(dates), dtype=bool)) | spell
    return member


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
