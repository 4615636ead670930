"""The Multitask-Stockformer.

Ma, Xue, Lu, Chen (2025), "Stockformer: A price-volume factor stock selection model based on wavelet
transform and multi-task self-attention networks", Expert Systems with Applications 273, 126803.

Shapes: B batch, T1 input sessions, T2 output sessions, N stocks, F factors, D width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from niftyformer_assets.model.attention import isolating_mask, mlp
from niftyformer_assets.model.blocks import (
    AdaptiveFusion,
    BandEmbedding,
    CalendarEmbedding,
    DualEncoder,
    PredictionOverTime,
)
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

    def forward(self, inputs: Inputs) -> Outputs:
        """See `Inputs` and `Outputs` for shapes. A stock that is nowhere present gets outputs without meaning."""
        calendar = self.embed_calendar(inputs.calendar)  # [B, T1 + T2, 1, D]
        past, future = calendar[:, : self.input_sessions], calendar[:, self.input_sessions :]
        low = self.embed_low(inputs.low, inputs.trend, inputs.factors_low)
        high = self.embed_high(inputs.high, inputs.trend, inputs.factors_high)
        # Under autocast the states are narrower than the weights; one wide summand would widen them all.
        graph, mask = self.graph.to(low.dtype), masks(inputs.present, low.dtype)
        for layer in self.encoder:
            low, high = layer(low, high, past, graph, mask)
        low = (self.predict_low(low * mask[0]) + future).transpose(1, 2)  # [B, N, T2, D]
        high = (self.predict_high(high * mask[0]) + future).transpose(1, 2)
        every = torch.ones(low.shape[2], dtype=torch.bool, device=low.device)
        fused = self.fusion(low, high, isolating_mask(every, causal=True, dtype=low.dtype))
        both = torch.stack([fused, low]).transpose(2, 3)  # [2, B, T2, N, D]: the heads are shared
        # Not narrower than the weights: bfloat16 would give many stocks the same value.
        with torch.autocast(both.device.type, enabled=False):
            both = both.to(self.graph.dtype)
            value, logits = self.regress(both).squeeze(-1), self.classify(both)
        return Outputs(value[0], value[1], logits[0], logits[1])


def masks(present: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Everything the layers need to know about what is missing.

    Args:
        present: bool [B, T1, N].

    Returns:
        present as numbers [B, T1, N, 1];
        the mask of the attention over sessions [B, N, 1, T1, T1];
        the mask of the attention over stocks [B, T1, 1, N, N].
    """
    over_sessions = isolating_mask(present.transpose(1, 2), causal=True, dtype=dtype)
    over_stocks = isolating_mask(present, causal=False, dtype=dtype)
    return present.unsqueeze(-1).to(dtype), over_sessions, over_stocks
