"""LSTM and GRU over each stock's own window of returns and factors: the plan's neural baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from niftyformer_assets.model.baseline_registry import Baseline, Forecast, Learned, Run, baseline
from niftyformer_assets.require import require

if TYPE_CHECKING:
    from niftyformer_assets.model.baseline_inputs import BaselineInputs


@dataclass(frozen=True)
class RecurrentBaseline(Baseline):
    """A recurrent network.

    epochs, patience: of the recurrent networks; they stop early on the validation loss.
    sequences_per_epoch: stock windows drawn for an epoch, so that its length does not grow with
        the universe and the years of training.
    recurrent_width, recurrent_layers: of the LSTM and the GRU (the plan: 128 and 2).
    """

    cell: ClassVar[Literal["lstm", "gru"]]

    epochs: int = 10
    patience: int = 3
    sequences_per_epoch: int = 20_000
    recurrent_width: int = 128
    recurrent_layers: int = 2

    def __post_init__(self) -> None:
        require(
            min(self.epochs, self.patience, self.sequences_per_epoch) >= 1,
            "epochs, patience and sequences_per_epoch must be at least 1",
        )
        require(
            min(self.recurrent_width, self.recurrent_layers) >= 1,
            "recurrent_width and recurrent_layers must be at least 1",
        )

    def fit(self, inputs: BaselineInputs, run: Run) -> Learned:
        # torch takes seconds to load, and the other baselines do without it.
        from niftyformer_assets.model.recurrent import fit_recurrent

        scale, deviation = float(np.nanstd(inputs.known_returns[inputs.split.train])), inputs.deviation
        labels = inputs.training / deviation, inputs.validation / deviation
        weights = fit_recurrent(self.cell, _channels(inputs, scale), *labels, inputs.windows.input_sessions, self, run)
        return {**weights, "scale": np.array(scale), "deviation": np.array(deviation)}

    def predict(self, learned: Learned, inputs: BaselineInputs, run: Run) -> Forecast:
        from niftyformer_assets.model.recurrent import predict_recurrent

        weights = {name: value for name, value in learned.items() if name not in ("scale", "deviation")}
        wanted, windows = np.any(inputs.wanted, axis=-1), inputs.windows
        channels = _channels(inputs, learned["scale"])
        value, p_up = predict_recurrent(self.cell, weights, channels, wanted, windows, self)
        return Forecast(value * learned["deviation"], p_up)


@baseline("lstm")
@dataclass(frozen=True)
class Lstm(RecurrentBaseline):
    """Long short-term memory."""

    cell = "lstm"


@baseline("gru")
@dataclass(frozen=True)
class Gru(RecurrentBaseline):
    """Gated recurrent units."""

    cell = "gru"


def _channels(inputs: BaselineInputs, scale: float) -> np.ndarray:
    """float32 [T, N, 2 + F]: the return in units of `scale`, whether it rose, and the factors."""
    returns = np.nan_to_num(inputs.known_returns)[..., None]
    return np.concatenate([returns / scale, returns > 0, inputs.factors], axis=-1, dtype=np.float32)
