"""The Multitask-Stockformer.

Ma, Xue, Lu, Chen (2025), "Stockformer: A price-volume factor stock selection model based on wavelet
transform and multi-task self-attention networks", Expert Systems with Applications 273, 126803.

Shapes: B batch, T1 input sessions, T2 output sessions, N stocks, F factors, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from niftyformer_assets.model.attention import Attention, masks, projections
from niftyformer_assets.model.blocks import (
    AdaptiveFusion,
    BandEmbedding,
    CalendarEmbedding,
    DualEncoder,
    LayerDropped,
    PredictionOverTime,
    head,
)
from niftyformer_assets.model.dropout import Dropout, without
from niftyformer_assets.model.layers import mlp
from niftyformer_assets.model.network import Inputs, Network, Outputs
from niftyformer_assets.model.settings import ModelSettings

if TYPE_CHECKING:
    from niftyformer_assets.model.batches import DeviceData
    from niftyformer_assets.model.data import Dataset


class Stockformer(Network):
    """Two bands of returns and the factors of all stocks -> their returns and directions.

    Args:
        factors: F.
        output_sessions: T2, how many labels it says.
        graph: [N, D] embedding of the correlation graph, kept with the weights but not trained.
        over_sessions: whether the labels are a series over sessions, of which none sees a later one.
    """

    graph: Tensor

    def __init__(
        self,
        settings: ModelSettings,
        factors: int,
        input_sessions: int,
        output_sessions: int,
        graph: Tensor,
        over_sessions: bool = True,
    ) -> None:
        super().__init__()
        width, heads = settings.width, settings.heads
        self.settings, self.width, self.kernel_width = settings, width, width
        if graph.shape[-1] != width:
            raise ValueError(f"the graph embedding is {graph.shape[-1]} wide, the model {width}")
        self.input_sessions, self.output_sessions = input_sessions, output_sessions
        self.register_buffer("graph", graph)
        self.embed_low = BandEmbedding(factors, width)
        self.embed_high = BandEmbedding(factors, width)
        self.embed_calendar = CalendarEmbedding(width)
        self.encoder = nn.ModuleList(
            DualEncoder(width, heads, settings.dropout, settings.stock_attention, settings.attention_dropout)
            for _ in range(settings.layers)
        )
        self.predict_low = PredictionOverTime(input_sessions, output_sessions)
        self.predict_high = PredictionOverTime(input_sessions, output_sessions)
        self.fusion = AdaptiveFusion(width, heads, over_sessions)
        self.classify = mlp(width, width, 2)
        self.regress = mlp(width, width, 1)

    def attentions(self) -> list[Attention]:
        """Of each layer after the other its `attentions`."""
        return [block for layer in self._layers() for block in layer.attentions]

    def _layers(self) -> list[DualEncoder]:
        return [layer for layer in self.encoder if isinstance(layer, DualEncoder)]

    def wide_weights(self) -> frozenset[str]:
        """Names of the weights that are not narrowed for the products: those of the heads, since
        bfloat16 would give many stocks the same value, and those that are multiplied with each other first."""
        maps = {id(getattr(block, name)) for block in self.attentions() for name in ("query", "key", "value", "out")}
        wide = {id(layer) for head in (self.classify, self.regress) for layer in head.children()} | maps
        modules = {name: module for name, module in self.named_modules() if id(module) in wide}
        return frozenset(f"{name}.{part}" for name, module in modules.items() for part, _ in module.named_parameters())

    def sees(self, data: DeviceData, made_on: Tensor, dtype: torch.dtype) -> Inputs:
        return data.inputs(made_on, dtype)

    def take_constants(self, dataset: Dataset) -> None:
        self.graph.copy_(torch.from_numpy(dataset.graph))

    def dropouts(self, batch: int, stocks: int, factors: int) -> Mapping[str, Dropout]:
        of, sessions = self.settings, self.input_sessions
        per_layer = {
            "states": Dropout(of.dropout, (batch, sessions, stocks, of.width), stocks=(2,)),
            "over_sessions": Dropout(of.attention_dropout, (batch, stocks, of.heads, sessions, sessions), stocks=(1,)),
        }
        if of.stock_attention != "none":
            shape = (2, batch, sessions, of.heads, stocks, stocks)
            per_layer["over_stocks"] = Dropout(of.attention_dropout, shape, stocks=(4, 5))
        heads = (2, 2, batch, self.output_sessions, stocks, of.width)
        return {
            **{name: place.repeated(of.layers) for name, place in per_layer.items()},
            "heads": Dropout(of.head_dropout, heads, stocks=(4,)),
            "factors": Dropout(of.input_dropout, (batch, factors), factors=(1,)),
        }

    def forward(self, inputs: Inputs, dropped: Mapping[str, Tensor] | None = None) -> Outputs:
        """See `Inputs` and `Outputs` for shapes. A stock that is nowhere present gets outputs without meaning.

        Args:
            inputs: as wide as the products are wished, which is as wide as the weights but `wide_weights`.
            dropped: what dropout sets to 0: of each layer, [L, ...], what `LayerDropped` names; `heads`, bool
                [2, 2, B, T2, N, D], of both heads and paths; `factors`, bool [B, F]. What is not given stays, all of
                it in inference.
        """
        width, dropped = inputs.low.dtype, dropped or {}
        inputs = self._without_factors(inputs, dropped.get("factors"))
        calendar = self.embed_calendar(inputs.calendar)  # [B, T1 + T2, 1, D]
        past, future = calendar[:, : self.input_sessions], calendar[:, self.input_sessions :]
        low = self.embed_low(inputs.low, inputs.trend, inputs.factors_low)
        high = self.embed_high(inputs.high, inputs.trend, inputs.factors_high)
        graph, mask = self.graph.to(width), masks(inputs.present, width)
        layers, maps = self._layers(), projections(self.attentions(), width)
        attentions = len(maps) // len(layers)
        for number, layer in enumerate(layers):
            mine = LayerDropped(*(dropped[name][number] if name in dropped else None for name in LayerDropped._fields))
            of_layer = maps[attentions * number : attentions * (number + 1)]
            low, high = layer(low, high, past, graph, of_layer, mask, mine)
        low = self.predict_low(low, mask.present) + future  # [B, T2, N, D]
        high = self.predict_high(high, mask.present) + future
        both = torch.stack([self.fusion(low, high), low])  # the heads are shared
        of_value, of_class = dropped.get("heads", (None, None))
        value = head(both, self.regress, of_value, self.settings.head_dropout).squeeze(-1)
        logits = head(both, self.classify, of_class, self.settings.head_dropout)
        return Outputs(value[0], value[1], logits[0], logits[1])

    def _without_factors(self, inputs: Inputs, dropped: Tensor | None) -> Inputs:
        """The inputs without the factors that are dropped, bool [B, F]."""
        if dropped is None:
            return inputs
        share, of_all = self.settings.input_dropout, dropped[:, None, None]
        factors = (without(array, of_all, share) for array in (inputs.factors_low, inputs.factors_high))
        return inputs._replace(**dict(zip(("factors_low", "factors_high"), factors, strict=True)))
