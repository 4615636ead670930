"""The Multitask-Stockformer: the published setting's model, which is traded where an experiment names no other.

Ma, Xue, Lu, Chen (2025), "Stockformer: A price-volume factor stock selection model based on wavelet
transform and multi-task self-attention networks", Expert Systems with Applications 273, 126803.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from niftyformer_assets.dataset.settings import WaveletSettings
from niftyformer_assets.model.baseline_registry import NetworkModel, baseline
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.model.training_settings import TrainingSettings

if TYPE_CHECKING:
    from niftyformer_assets.dataset.settings import WindowSettings
    from niftyformer_assets.model.network import Network


@baseline("stockformer", "Stockformer")
@dataclass(frozen=True)
class MultitaskStockformer(NetworkModel):
    """Two bands of returns, the factors and the correlation graph of all stocks."""

    reads_graph: ClassVar[bool] = True
    wants_gpu: ClassVar[bool] = True

    model: ModelSettings = field(default_factory=ModelSettings)
    wavelet: WaveletSettings = field(default_factory=WaveletSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def trained_with(self) -> TrainingSettings:
        return self.training

    @property
    def temporal_features(self) -> Literal["calendar", "published"]:
        return self.model.temporal_features

    @property
    def decomposes_factors(self) -> bool:
        return self.wavelet.factors

    def network(self, windows: WindowSettings, stocks: int, factors: int) -> Network:
        import torch  # takes seconds to load, and the settings do without it

        from niftyformer_assets.model.stockformer import Stockformer

        graph = torch.zeros(stocks, self.model.width)
        return Stockformer(
            self.model, factors, windows.input_sessions, len(windows.labels), graph, windows.over_sessions
        )
