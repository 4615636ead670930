"""The settings of an experiment's baselines."""

from __future__ import annotations

from dataclasses import dataclass

from niftyformer_assets.store.checks import require

BASELINES = (
    "ridge",
    "gradient_boosting",
    "random_forest",
    "lstm",
    "gru",
    "reversal",
    "momentum",
    "equal_weight",
    "zero",
    "majority",
    "random",
)


@dataclass(frozen=True)
class BaselineSettings:
    """Which baselines are predicted beside the model, and how long they are fitted.

    names: any of `BASELINES`.
    epochs, patience: of the recurrent networks; they stop early on the validation loss.
    sequences_per_epoch: stock windows drawn for an epoch, so that its length does not grow with
        the universe and the years of training.
    recurrent_width, recurrent_layers: of the LSTM and the GRU (the plan: 128 and 2).
    trees: of the random forest (the plan: 200).
    boosting_rounds: trees of the gradient boosting.
    ridge_penalty: in units of one observation, on features of unit variance.
    reversal_sessions, momentum_sessions: what the two signals look back on.
    """

    __pydantic_config__ = {"extra": "forbid"}

    names: tuple[str, ...] = BASELINES
    epochs: int = 10
    patience: int = 3
    sequences_per_epoch: int = 20_000
    recurrent_width: int = 128
    recurrent_layers: int = 2
    trees: int = 200
    boosting_rounds: int = 200
    ridge_penalty: float = 1000.0
    reversal_sessions: int = 5
    momentum_sessions: int = 20

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in BASELINES]
        require(not unknown, f"unknown baselines {', '.join(unknown)}: choose from {', '.join(BASELINES)}")
        require(len(set(self.names)) == len(self.names), "names of baselines must be distinct")
        require(
            min(self.epochs, self.patience, self.sequences_per_epoch, self.trees, self.boosting_rounds) >= 1,
            "epochs, patience, sequences_per_epoch, trees and boosting_rounds must be at least 1",
        )
        require(
            min(self.recurrent_width, self.recurrent_layers) >= 1,
            "recurrent_width and recurrent_layers must be at least 1",
        )
        require(self.ridge_penalty >= 0, "ridge_penalty must be at least 0")
        require(
            min(self.reversal_sessions, self.momentum_sessions) >= 1,
            "reversal_sessions and momentum_sessions must be at least 1",
        )
