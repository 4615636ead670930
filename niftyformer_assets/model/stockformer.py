"""The Multitask-Stockformer.

Ma, Xue, Lu, Chen (2025), "Stockformer: A price-volume factor stock selection model based on wavelet
transform and multi-task self-attention networks", Expert Systems with Applications 273, 126803.

Shapes: B batch, T1 input sessions, T2 output sessions, N stocks, F factors, D width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from niftyformer_assets.model.attention import Attention, masks, projections
from niftyformer_assets.model.blocks import (
    AdaptiveFusion,
    BandEmbedding,
    CalendarEmbedding,
    DualEncoder,
    PredictionOverTime,
    head,
)
from niftyformer_assets.model.data import Dataset, RunSettings
from niftyformer_assets.model.layers import mlp
from niftyformer_assets.model.settings import ModelSettings


class Inputs(NamedTuple):
    """A batch of windows; whatever is missing is 0 and not `present`.

    low, high: [B, T1, N] bands of the returns.
    trend: [B, T1, N], 1 where the return is above 0.
    factors_low, factors_high: [B, T1, N, F]; the same array unless factors are decomposed too.
    present: bool [B, T1, N]: the return is there, and the stock has enough of them in the window.
    calendar: int64 [B, T1 + T2, 2]: weekday and session of the month.
    """

    low: Tensor
    high: Tensor
    trend: Tensor
    factors_low: Tensor
    factors_high: Tensor
    present: Tensor
    calendar: Tensor


class Outputs(NamedTuple):
    """What the heads say about each output session, from the fused path and from the low band alone.

    value, value_low: [B, T2, N] returns (or scores, where the label is a rank or z-score).
    logits, logits_low: [B, T2, N, 2], down and up.
    """

    value: Tensor
    value_low: Tensor
    logits: Tensor
    logits_low: Tensor


class Stockformer(nn.Module):
    """Two bands of returns and the factors of all stocks -> their returns and directions.

    Args:
        factors: F.
        graph: [N, D] embedding of the correlation graph, kept with the weights but not trained.
    """

    graph: Tensor

    def __init__(
        self, settings: ModelSettings, factors: int, input_sessions: int, output_sessions: int, graph: Tensor
    ) -> None:
        super().__init__()
        width, heads = settings.width, settings.heads
        if graph.shape[-1] != width:
            raise ValueError(f"the graph embedding is {graph.shape[-1]} wide, the model {width}")
        self.input_sessions = input_sessions
        self.register_buffer("graph", graph)
        self.embed_low = BandEmbedding(factors, width)
        self.embed_high = BandEmbedding(factors, width)
        self.embed_calendar = CalendarEmbedding(width)
        self.encoder = nn.ModuleList(DualEncoder(width, heads, settings.dropout) for _ in range(settings.layers))
        self.predict_low = PredictionOverTime(input_sessions, output_sessions)
        self.predict_high = PredictionOverTime(input_sessions, output_sessions)
        self.fusion = AdaptiveFusion(width, heads)
        self.classify = mlp(width, width, 2)
        self.regress = mlp(width, width, 1)

    def attentions(self) -> list[Attention]:
        """Of each layer: over sessions, over stocks in the low band, over stocks in the high band."""
        return [block for layer in self.encoder if isinstance(layer, DualEncoder) for block in layer.attentions]

    def wide_weights(self) -> frozenset[str]:
        """Names of the weights that are not narrowed for the products: those of the heads, since
        bfloat16 would give many stocks the same value, and those that are multiplied with each other first."""
        maps = {id(getattr(block, name)) for block in self.attentions() for name in ("query", "key", "value", "out")}
        wide = {id(layer) for head in (self.classify, self.regress) for layer in head.children()} | maps
        modules = {name: module for name, module in self.named_modules() if id(module) in wide}
        return frozenset(f"{name}.{part}" for name, module in modules.items() for part, _ in module.named_parameters())

    def forward(self, inputs: Inputs, dropped: Tensor | None = None) -> Outputs:
        """See `Inputs` and `Outputs` for shapes. A stock that is nowhere present gets outputs without meaning.

        Args:
            inputs: as wide as the products are wished, which is as wide as the weights but `wide_weights`.
            dropped: bool [layers, B, T1, N, D], what dropout sets to 0; None is nothing, as in inference.
        """
        width = inputs.low.dtype
        calendar = self.embed_calendar(inputs.calendar)  # [B, T1 + T2, 1, D]
        past, future = calendar[:, : self.input_sessions], calendar[:, self.input_sessions :]
        low = self.embed_low(inputs.low, inputs.trend, inputs.factors_low)
        high = self.embed_high(inputs.high, inputs.trend, inputs.factors_high)
        graph, mask = self.graph.to(width), masks(inputs.present, width)
        maps = projections(self.attentions(), width)
        for number, layer in enumerate(self.encoder):
            mine = None if dropped is None else dropped[number]
            low, high = layer(low, high, past, graph, maps[3 * number : 3 * number + 3], mask, mine)
        low = self.predict_low(low, mask.present) + future  # [B, T2, N, D]
        high = self.predict_high(high, mask.present) + future
        both = torch.stack([self.fusion(low, high), low])  # the heads are shared
        value, logits = head(both, self.regress).squeeze(-1), head(both, self.classify)
        return Outputs(value[0], value[1], logits[0], logits[1])


def network_of(settings: RunSettings, stocks: int, factors: int) -> Stockformer:
    """The network of an experiment's settings for so many stocks and factors, without a graph embedding."""
    windows, graph = settings.windows, torch.zeros(stocks, settings.model.width)
    return Stockformer(settings.model, factors, windows.input_sessions, windows.output_sessions, graph)


def build_model(dataset: Dataset) -> Stockformer:
    """The network of a dataset, with weights drawn from torch's generator, on the CPU."""
    network = network_of(dataset.settings, len(dataset.axes.symbols), len(dataset.factor_names))
    network.graph.copy_(torch.from_numpy(dataset.graph))
    return network
