"""One continuous series of scores, out of many experiments that are tested one after another.

The window whose test part holds session t makes the score of t: what its model says after the close of t. So every
score is out of sample, and a holding, or the return of a score, may reach into the next window.

Shapes: T' sessions and N' symbols of the market panel; T sessions and N symbols of the joined scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from niftyformer_assets.market.scope import Scope
from niftyformer_assets.portfolio.backtest.market import Market, panel_part
from niftyformer_assets.portfolio.backtest.scores import Scores, scores_from_predictions
from niftyformer_assets.portfolio.backtest.scoring import Exposures, scores_to_trade
from niftyformer_assets.portfolio.evidence.score_quality import HORIZONS
from niftyformer_assets.portfolio.settings import StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError

# Sessions after the last score that the return of the longest horizon needs.
TAIL = 1 + max(HORIZONS)


@dataclass(frozen=True, eq=False)
class Window:
    """One experiment of a study.

    scope: of the experiment, on the market panel. predictions: of one model, as `model.predictions`
    describes them. first, last: the first and the last session of its test part.
    """

    name: str
    scope: Scope
    predictions: pd.DataFrame
    first: date
    last: date


@dataclass(frozen=True, eq=False)
class JoinedScores:
    """What several windows say, one after another.

    axes: the panel's sessions from the first test session through TAIL sessions after the last one, as far
        as the panel reaches; the windows' symbols, sorted.
    score: float [T, N], NaN = no score; the tail, and sessions between windows, have none.
    member: bool [T, N], the universe of the window that made the session's scores.
    window: int [T], which of `names` made the session's scores; -1 = none.
    """

    axes: Axes
    score: np.ndarray
    member: np.ndarray
    window: np.ndarray
    names: tuple[str, ...]

    @property
    def sessions(self) -> int:
        """How many sessions there are through the last one that a window scores; the tail comes after."""
        return int(np.flatnonzero(self.window >= 0)[-1]) + 1

    @property
    def traded(self) -> Scores:
        """Without the tail."""
        return Scores(Axes(self.axes.dates[: self.sessions], self.axes.symbols), self.score[: self.sessions])

    def ranked(self, exposures: Exposures | None, strategy: StrategySettings) -> Scores:
        """Without the tail, as a strategy ranks them (`scores_to_trade`)."""
        return scores_to_trade(self.traded, self.member[: self.sessions], exposures, strategy)

    @cached_property
    def outside(self) -> np.ndarray:
        """bool [T, N]: in no universe of the session's window, and without a score of it. Nowhere without a window."""
        return (self.window >= 0)[:, None] & ~self.member & ~np.isfinite(self.score)

    def only(self, kept: np.ndarray) -> JoinedScores:
        """The same scores on the sessions `kept`, datetime64[D] in order; others in between are without a window."""
        first, last = np.searchsorted(self.axes.dates, kept[[0, -1]])
        rows = slice(int(first), int(last) + 1 + TAIL)
        axes = Axes(self.axes.dates[rows], self.axes.symbols)
        inside = np.isin(axes.dates, kept)
        return replace(
            self,
            axes=axes,
            score=np.where(inside[:, None], self.score[rows], np.nan),
            member=self.member[rows] & inside[:, None],
            window=np.where(inside, self.window[rows], -1),
        )


def join_scores(panel_axes: Axes, windows: Sequence[Window]) -> JoinedScores:
    """Join the windows' scores of their own test sessions.

    Args:
        windows: in any order; between two there may be sessions that no window tests.

    Raises:
        NiftyFormerError: there is no window; two test the same session; a window's test sessions are not in
            the panel, or not all in its scope; its predictions do not fit, or there are none.
    """
    if not windows:
        raise NiftyFormerError("there is no window to join: no experiment of the study has predictions yet.")
    ordered = sorted(windows, key=lambda window: window.first)
    for before, after in zip(ordered, ordered[1:], strict=False):
        if after.first <= before.last:
            raise NiftyFormerError(
                f"{before.name} is tested until {before.last} and {after.name} from {after.first}: two windows "
                "cannot make one session's scores. Give them test parts that do not overlap."
            )
    places = [_sessions(panel_axes, window) for window in ordered]
    start = places[0].start
    symbols = tuple(sorted({symbol for window in ordered for symbol in window.scope.axes.symbols}))
    axes = joined_axes(panel_axes, panel_axes.dates[start], panel_axes.dates[places[-1].stop - 1], symbols)
    values, member = np.full(axes.shape, np.nan), np.zeros(axes.shape, dtype=bool)
    made_by = np.full(len(axes.dates), -1)
    column = {symbol: place for place, symbol in enumerate(symbols)}
    for number, (window, place) in enumerate(zip(ordered, places, strict=True)):
        rows = slice(place.start - start, place.stop - start)
        columns = [column[symbol] for symbol in window.scope.axes.symbols]
        values[rows, columns], member[rows, columns] = _of_window(window, panel_axes.dates[place])
        made_by[rows] = number
    return JoinedScores(axes, values, member, made_by, tuple(window.name for window in ordered))


def joined_axes(panel_axes: Axes, first: np.datetime64, last: np.datetime64, symbols: tuple[str, ...]) -> Axes:
    """The axes of scores of the panel's sessions `first` to `last`: with TAIL more, as far as the panel reaches."""
    start, stop = np.searchsorted(panel_axes.dates, [first, last + np.timedelta64(1, "D")])
    return Axes(panel_axes.dates[start : stop + TAIL], symbols)


def ensemble(parts: Sequence[JoinedScores]) -> JoinedScores:
    """The mean over `parts` of their standardised scores.

    A stock has a score where every part has one. Among these stocks, each part's scores of a session are put to
    mean 0 and deviation 1; scores that are all the same become 0. A window that some part lacks yet has none.

    Args:
        parts: on the same sessions and symbols, but for windows that are missing.

    Raises:
        NiftyFormerError: there is no part, they have no window in common, or are on different axes.
    """
    if not parts:
        raise NiftyFormerError("an ensemble has no parts: name some in the study's file.")
    if len({part.names for part in parts}) > 1:
        parts = _of_shared_windows(parts)
    first = parts[0]
    for part in parts[1:]:
        if (problem := part.axes.difference(first.axes)) is not None:
            raise NiftyFormerError(f"the parts of an ensemble are on different axes: {problem}.")
        if part.names != first.names or (part.window != first.window).any():
            raise NiftyFormerError("the parts of an ensemble are of different windows: make those that are missing.")
    everywhere = np.all([np.isfinite(part.score) for part in parts], axis=0)
    total = np.zeros(first.axes.shape)
    for part in parts:
        total += _standardised(part.score, everywhere)
    member = np.all([part.member for part in parts], axis=0)
    return replace(first, score=np.where(everywhere, total / len(parts), np.nan), member=member)


def _of_shared_windows(parts: Sequence[JoinedScores]) -> list[JoinedScores]:
    """The parts on the sessions of the windows, and with the symbols, that all of them have."""
    names = tuple(name for name in parts[0].names if all(name in part.names for part in parts))
    if not names:
        raise NiftyFormerError("the parts of an ensemble have no window in common: make those that are missing.")
    symbols = tuple(sorted(set.intersection(*({*part.axes.symbols} for part in parts))))
    shared = []
    for part in parts:
        number = np.array([names.index(name) if name in names else -1 for name in part.names] + [-1])
        part = part.only(part.axes.dates[number[part.window] >= 0])
        columns = panel_columns(part.axes, symbols)
        shared.append(
            JoinedScores(
                Axes(part.axes.dates, symbols),
                part.score[:, columns],
                part.member[:, columns],
                number[part.window],
                names,
            )
        )
    return shared


def joined_market(panel: Mapping[str, np.ndarray], panel_axes: Axes, joined: JoinedScores) -> Market:
    """The market of joined scores, on all their sessions.

    Args:
        panel: open, high, low, close, volume, segment [T', N'] as market_panel.npz holds them.
    """
    place = np.searchsorted(panel_axes.dates, joined.axes.dates[0])
    rows = slice(int(place), int(place) + len(joined.axes.dates))
    columns = panel_columns(panel_axes, joined.axes.symbols)
    return Market(axes=joined.axes, member=joined.member, outside=joined.outside, **panel_part(panel, rows, columns))


def panel_columns(panel_axes: Axes, symbols: Sequence[str]) -> np.ndarray:
    """int [N], where the symbols stand in the panel."""
    column = {symbol: place for place, symbol in enumerate(panel_axes.symbols)}
    return np.array([column[symbol] for symbol in symbols])


def _sessions(panel_axes: Axes, window: Window) -> slice:
    """The panel's sessions of a window's test part."""
    first, last = np.datetime64(window.first, "D"), np.datetime64(window.last, "D")
    start, stop = np.searchsorted(panel_axes.dates, [first, last + np.timedelta64(1, "D")])
    if start >= stop or panel_axes.dates[start] != first or panel_axes.dates[stop - 1] != last:
        raise NiftyFormerError(
            f"{window.name} is tested from {window.first} to {window.last}, which are not both sessions of the market "
            f"panel, {panel_axes.dates[0]} to {panel_axes.dates[-1]}: materialize its predictions again."
        )
    return slice(int(start), int(stop))


def _of_window(window: Window, dates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and members [sessions, symbols of its scope] on its test sessions."""
    scope = window.scope
    start = int(np.searchsorted(scope.axes.dates, dates[0]))
    rows = slice(start, start + len(dates))
    if not np.array_equal(scope.axes.dates[rows], dates):
        raise NiftyFormerError(
            f"{window.name} does not have all sessions from {dates[0]} to {dates[-1]} of the market panel: "
            "materialize its predictions again."
        )
    try:
        made = scores_from_predictions(window.predictions, Axes(dates, scope.axes.symbols)).values  # noqa: PD011
    except NiftyFormerError as error:
        raise NiftyFormerError(f"window {window.name}: {error}") from error
    return made, scope.member[rows]


def _standardised(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1 in each session among the stocks of `among`, bool [T, N]; 0 elsewhere."""
    count = np.maximum(among.sum(axis=1, keepdims=True), 1)
    known = np.where(among, values, 0.0)
    apart = np.where(among, known - known.sum(axis=1, keepdims=True) / count, 0.0)
    deviation = np.sqrt((apart**2).sum(axis=1, keepdims=True) / count)
    # Equal scores keep rounding errors of about 1e-16 of their size.
    varies = deviation > 1e-12 * np.abs(known).max(axis=1, keepdims=True)
    return np.divide(apart, deviation, out=np.zeros(apart.shape), where=varies)
