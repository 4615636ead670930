"""A small made-up market with predictions of known skill, for the tests of the report and the comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from niftyformer_assets.factors.labels import RETURN, Labels, Outcomes, session_labels
from niftyformer_assets.market.scope import Scope
from niftyformer_assets.market.split import Split
from niftyformer_assets.model.predictions import mean_of_networks
from niftyformer_assets.portfolio.backtest.scoring import Exposures
from niftyformer_assets.portfolio.evidence.gather import Evidence, MarketRecord, Predicted, gather_evidence
from niftyformer_assets.portfolio.report.background import Background
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes

T, N = 200, 24
SPLIT = Split(slice(0, 60), slice(60, 90), slice(90, 190), slice(190, T))
SECTORS = np.where(np.arange(N) % 3 == 0, "Energy", "Industrials")
SYMBOLS = ("M&M", "BAJAJ-AUTO", *(f"STOCK{n:02d}" for n in range(N - 2)))


@dataclass(frozen=True, eq=False)
class Example:
    """A market on which the true score of the next tradable return is known."""

    panel: dict[str, np.ndarray]
    scope: Scope
    returns: np.ndarray
    truth: np.ndarray

    @property
    def index(self) -> pd.Series:
        """The mean stock as an index."""
        growth = np.cumprod(1 + np.nan_to_num(self.returns).mean(axis=1))
        return pd.Series(100 * growth, index=pd.DatetimeIndex(self.scope.axes.dates))

    def record(self) -> MarketRecord:
        """What happened, with sectors and sizes."""
        sectors, size = np.tile(SECTORS, (T, 1)), np.log(self.panel["close"])
        exposures = Exposures(self.scope.axes, {"size": size}, {"sector": sectors})
        return MarketRecord(self.panel, self.scope, {"NIFTY 50": self.index}, sectors, size, exposures)

    @property
    def labels(self) -> Labels:
        """The returns of later sessions."""
        return Labels.of(session_labels(RETURN, (1, 2)), Outcomes(self.returns))

    def predictions(self, skill: float, seed: int = 5, name: str | None = None) -> pd.DataFrame:
        """Predictions whose correlation with what then happens grows with `skill` (0: none)."""
        rng = np.random.default_rng(seed)
        dates = self.scope.axes.dates
        frames = []
        for horizon in (1, 2):
            ahead = np.full((T, N), np.nan)
            ahead[:-horizon] = self.returns[horizon:]
            value = 0.002 * (skill * np.nan_to_num(ahead) / 0.02 + rng.standard_normal((T, N)))
            made, stock = np.nonzero(np.ones((T, N), dtype=bool))
            predicted = made + horizon
            inside = (predicted < T) & (predicted >= SPLIT.validation.start)
            made, stock, predicted = made[inside], stock[inside], predicted[inside]
            frames.append(
                pd.DataFrame(
                    {
                        "date_made": dates[made].astype("datetime64[ns]"),
                        "date_predicted": dates[predicted].astype("datetime64[ns]"),
                        "horizon": np.int32(horizon),
                        "symbol": np.array(SYMBOLS)[stock],
                        "split": [SPLIT.part_of(int(session)) for session in predicted],
                        "return": value[made, stock],
                        "p_up": np.where(value[made, stock] > 0, 0.55, 0.45),
                    }
                )
            )
        frame = pd.concat(frames, ignore_index=True)
        return frame if name is None else frame.assign(baseline=name)

    def constant(self, name: str, p_up: float) -> pd.DataFrame:
        return self.predictions(0, name=name).assign(**{"return": 0.0, "p_up": p_up})

    def evidence(
        self,
        skill: float = 0.0,
        variants: int = 1,
        part: str = "test",
        portfolios: int = 200,
        top_k: int = 5,
        networks: pd.DataFrame | None = None,
    ) -> Evidence:
        """The published strategy changes too few names for even a clairvoyant to stand out in 100 sessions."""
        baselines = [
            self.predictions(0, seed=11, name="random"),
            self.constant("zero", 0.5),
            self.constant("majority", 0.52),
        ]
        return gather_evidence(
            self.record(),
            Predicted(
                self.predictions(skill) if networks is None else mean_of_networks(networks),
                pd.concat(baselines, ignore_index=True),
                self.labels,
                networks,
            ),
            StrategySettings(name="topk_dropout", top_k=top_k, n_drop=min(top_k, 5)),
            CostSettings(),
            part=part,
            variants=variants,
            portfolios=portfolios,
        )


def background(experiment: str = "example") -> Background:
    return Background(
        experiment=experiment,
        market="a made-up market",
        labels=session_labels(RETURN, (1, 2)),
        settings={"name": experiment, "windows": {"input_sessions": 20}},
        provenance={"predictions": "0123abcd"},
        left_out={"L&TFH": "12 candles up to the training end, 60 are needed"},
        survivorship="The lists reach back to 2024 only, so the results carry survivorship bias.",
    )


def example() -> Example:
    rng = np.random.default_rng(1)
    returns = 0.02 * rng.standard_normal((T, N)) + 0.004 * rng.standard_normal((T, 1))
    close = np.round(300 * np.cumprod(1 + returns, axis=0), 2)
    close[100:103, 3] = np.nan  # a stock that is not quoted for a while, inside the test window
    close[150:, 4] = np.nan  # and one that is delisted
    returns = np.full((T, N), np.nan)
    returns[1:] = close[1:] / close[:-1] - 1
    panel = {
        "open": close * 0.999,
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "volume": np.where(np.isfinite(close), 1e6, np.nan),
        "segment": np.where(np.isfinite(close), 0, -1).astype(np.int32),
    }
    axes = Axes(np.busday_offset("2023-06-01", np.arange(T)), SYMBOLS)
    scope = Scope(axes, SPLIT, np.ones((T, N), dtype=bool), {}, None, slice(0, T), np.arange(N))
    return Example(panel, scope, returns, returns)
