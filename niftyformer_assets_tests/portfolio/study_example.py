"""A small made-up market tested in several windows with changing universes, for the tests of studies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.market.scope import Scope
from niftyformer_assets.market.split import Split
from niftyformer_assets.portfolio.evidence.joined import JoinedScores, Window, join_scores
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender, Kind
from niftyformer_assets.portfolio.evidence.pooled.evidence import PooledEvidence
from niftyformer_assets.portfolio.evidence.pooled.gather import gather_pooled
from niftyformer_assets.portfolio.evidence.pooled.record import StudyRecord
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes

T, N = 580, 30
FIRST, LENGTH, WINDOWS = 140, 100, 4
STRATEGY = StrategySettings(name="topk_dropout", top_k=5, n_drop=2)


@dataclass(frozen=True, eq=False)
class Study:
    """panel: as market_panel.npz holds it. returns: float [T, N]. universes: columns of each window."""

    panel: dict[str, np.ndarray]
    axes: Axes
    returns: np.ndarray
    universes: tuple[np.ndarray, ...]

    @property
    def index(self) -> pd.Series:
        growth = np.cumprod(1 + np.nan_to_num(self.returns).mean(axis=1))
        return pd.Series(100 * growth, index=pd.DatetimeIndex(self.axes.dates))

    def test_rows(self, number: int) -> slice:
        return slice(FIRST + number * LENGTH, FIRST + (number + 1) * LENGTH)

    def window(self, number: int, skill: float = 0.0, seed: int = 0) -> Window:
        """An experiment's scope from 120 sessions before its test part, and predictions of that and of what follows.

        skill: how much the prediction knows of the return of the largest horizon, in deviations.
        """
        test = self.test_rows(number)
        rows = slice(test.start - 120, min(test.stop + 60, T))
        columns = self.universes[number]
        symbols = tuple(self.axes.symbols[column] for column in columns)
        split = Split(
            slice(0, 90), slice(90, 120), slice(120, 120 + LENGTH), slice(120 + LENGTH, rows.stop - rows.start)
        )
        member = np.ones((rows.stop - rows.start, len(columns)), dtype=bool)
        member[150:, 0] = False  # its first stock leaves the index in the test part, and keeps its scores
        scope = Scope(Axes(self.axes.dates[rows], symbols), split, member, {}, "", rows, columns)
        rng = np.random.default_rng([seed, number])
        frames = []
        for horizon in (1, 2):
            later = np.full(self.returns.shape, np.nan)
            later[:-horizon] = self.returns[horizon:]
            truth = np.nan_to_num(later[rows][:, columns]) / 0.02
            value = skill * truth + rng.standard_normal(truth.shape)
            made, stock = np.nonzero(np.ones((len(value) - 90 - horizon, len(columns)), dtype=bool))
            made += 90
            frames.append(
                pd.DataFrame(
                    {
                        "date_made": scope.axes.dates[made].astype("datetime64[ns]"),
                        "date_predicted": scope.axes.dates[made + horizon].astype("datetime64[ns]"),
                        "horizon": np.int32(horizon),
                        "symbol": np.array(symbols)[stock],
                        "split": [split.part_of(int(session)) for session in made + horizon],
                        "return": value[made, stock],
                        "p_up": 0.5,
                    }
                )
            )
        first, last = self.axes.dates[[test.start, test.stop - 1]].tolist()
        return Window(f"wf.{number}", scope, pd.concat(frames, ignore_index=True), first, last)

    def joined(
        self, skill: Mapping[int, float] | float = 0.0, seed: int = 0, windows: tuple[int, ...] = ()
    ) -> JoinedScores:
        numbers = windows or tuple(range(WINDOWS))
        skills = skill if isinstance(skill, Mapping) else dict.fromkeys(numbers, skill)
        return join_scores(self.axes, [self.window(number, skills.get(number, 0.0), seed) for number in numbers])

    def contender(self, name: str, kind: Kind, scores: JoinedScores, **point: Any) -> Contender:
        return Contender(name, kind, scores, STRATEGY, CostSettings(), point)

    def evidence(self, contenders: list[Contender], main: str = "", **given: Any) -> PooledEvidence:
        """given: what is other in the record, and the arguments of `gather_pooled`."""
        record = {
            "indices": {"NIFTY 50 (price)": self.index},
            "sectors": np.tile(np.where(np.arange(N) % 2 == 0, "Energy", "Industrials"), (T, 1)),
            "log_size": np.log(self.panel["close"]),
        }
        record |= {
            name: given.pop(name) for name in ("indices", "sectors", "log_size", "events", "exposures") if name in given
        }
        return gather_pooled(
            StudyRecord(self.panel, self.axes, **record), contenders, main=main or contenders[0].name, **given
        )

    def plain(self) -> list[Contender]:
        return [
            self.contender("momentum", "baseline", self.joined(seed=101)),
            self.contender("random", "baseline", self.joined(seed=102)),
        ]

    def garbled(self, after: int, seed: int = 9) -> Study:
        """Other prices and volumes after a session."""
        rng = np.random.default_rng(seed)
        panel = {name: array.copy() for name, array in self.panel.items()}
        for name in ("open", "high", "low", "close", "volume"):
            panel[name][after + 1 :] *= rng.uniform(0.3, 3, panel[name][after + 1 :].shape)
        returns = self.returns.copy()
        returns[after + 1 :] = rng.normal(0, 0.02, returns[after + 1 :].shape)
        return replace(self, panel=panel, returns=returns)


def study(seed: int = 1) -> Study:
    rng = np.random.default_rng(seed)
    returns = 0.02 * rng.standard_normal((T, N)) + 0.005 * rng.standard_normal((T, 1))
    close = np.round(300 * np.cumprod(1 + returns, axis=0), 2)
    returns[1:] = close[1:] / close[:-1] - 1
    panel = {
        "open": close * 0.999,
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "volume": np.full(close.shape, 1e6),
        "segment": np.zeros(close.shape, dtype=np.int32),
    }
    axes = Axes(np.busday_offset("2016-01-01", np.arange(T), roll="forward"), tuple(f"S{n:03d}" for n in range(N)))
    universes = tuple(np.sort(rng.choice(N, 22, replace=False)) for _ in range(WINDOWS))
    return Study(panel, axes, returns, universes)
