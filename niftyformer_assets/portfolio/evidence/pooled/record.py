"""What happened on the sessions of a study, and what of it contenders in one universe share.

Shapes: T' sessions and N' symbols of the market panel; T sessions from the first test session through the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.scoring import Exposures
from niftyformer_assets.portfolio.evidence.joined import JoinedScores, joined_market, panel_columns
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender
from niftyformer_assets.portfolio.evidence.pooled.evidence import (
    NO_WINDOW,
    WINDOW_OF_SESSION,
    YEAR_OF_SESSION,
)
from niftyformer_assets.portfolio.evidence.pooled.ranking import Outcomes
from niftyformer_assets.portfolio.evidence.pooled.regimes import NO_EVENTS, Events, regimes
from niftyformer_assets.portfolio.evidence.score_quality import size_thirds
from niftyformer_assets.portfolio.names import SECTOR, SIZE
from niftyformer_assets.store.arrays import Axes


@dataclass(frozen=True, eq=False)
class StudyRecord:
    """What happened, whoever made scores.

    panel: open, high, low, close, volume, segment [T', N'] as market_panel.npz holds them, on `axes`.
    indices: name -> index levels by date; the first one is the NIFTY 50 as price index, which regimes are told
        by, and from as early as it is known. Alpha and beta are to the last one that covers all sessions.
    sectors: str [T', N'], the sector of each stock on each session; without, no breakdown by sector.
    log_size: float [T', N'], the log of its size, NaN where not known; without, none by size.
    events: budgets and elections, `regimes.read_events`.
    exposures: on `axes`, those that strategies take out of scores.
    """

    panel: Mapping[str, np.ndarray]
    axes: Axes
    indices: Mapping[str, pd.Series] = field(default_factory=dict)
    sectors: np.ndarray | None = None
    log_size: np.ndarray | None = None
    events: Events = NO_EVENTS
    exposures: Exposures | None = None

    def divisions(self, scores: JoinedScores) -> dict[str, np.ndarray]:
        """Division of the sessions, such as the year -> part that each belongs to, str [T]."""
        dates = scores.axes.dates[: scores.sessions]
        window = scores.window[: scores.sessions]
        named = np.where(window >= 0, np.array(scores.names, dtype=object)[window], NO_WINDOW)
        told = {
            YEAR_OF_SESSION: dates.astype("datetime64[Y]").astype(str),
            WINDOW_OF_SESSION: named.astype(str),
        }
        for index in list(self.indices.values())[:1]:
            told |= regimes(dates, index, self.events, self.axes.dates)
        return told


class Grounds:
    """What contenders in one universe share: the market, what could be earned, and the stocks' groups."""

    def __init__(self, record: StudyRecord) -> None:
        self._record = record
        self._known: dict[object, Outcomes] = {}

    def prepare(self, contender: Contender) -> None:
        """Compute what `outcomes` gives, so that threads find it."""
        outcomes = self.outcomes(contender)
        _ = outcomes.earnable, outcomes.too_early

    def outcomes(self, contender: Contender) -> Outcomes:
        """Shared by contenders of one universe."""
        scores = contender.scores
        key = scores.axes.symbols, scores.member.tobytes(), contender.strategy.trade_at
        if key not in self._known:
            market = joined_market(self._record.panel, self._record.axes, scores)
            self._known[key] = Outcomes(market, contender.strategy.trade_at)
        return self._known[key]

    def groups(self, contender: Contender) -> dict[str, np.ndarray]:
        """Division of the stocks -> group of each at each session, str [T, N], as known at its close."""
        record, axes = self._record, contender.scores.axes
        start = int(np.searchsorted(record.axes.dates, axes.dates[0]))
        rows, columns = slice(start, start + len(axes.dates)), panel_columns(record.axes, axes.symbols)
        groups = {}
        if record.sectors is not None:
            groups[SECTOR] = record.sectors[rows][:, columns].astype(str)
        if record.log_size is not None:
            among = self.outcomes(contender).market.member & np.isfinite(contender.scores.score)
            groups[SIZE] = size_thirds(record.log_size[rows][:, columns], among)
        return groups
