"""The other blocks of the network: embeddings, the dual encoder, the prediction over time, the fusion.

Shapes: B batch, T1 input sessions, T2 output sessions, N stocks, F factors, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from niftyformer_assets.model.attention import (
    Attention,
    Masks,
    Projections,
    TemporalAttention,
    causal,
    gpu_kernels,
    merge_heads,
    over_stocks,
    split_heads,
    suit_kernels,
)
from niftyformer_assets.model.calendar_features import SESSIONS_OF_MONTH, WEEKDAYS
from niftyformer_assets.model.dropout import without
from niftyformer_assets.model.layers import (
    NORM_EPSILON,
    Linear,
    causal_convolution,
    mlp,
    over_time,
    residual_norm,
    weights_of,
)


class BandEmbedding(nn.Module):
    """One band of the returns, the trend and the factors of each stock and session -> D."""

    def __init__(self, factors: int, width: int) -> None:
        super().__init__()
        self.mlp = mlp(factors + 2, width, width)

    def forward(self, band: Tensor, trend: Tensor, factors: Tensor) -> Tensor:
        """
        Args:
            band, trend: [B, T1, N].
            factors: [B, T1, N, F].

        Returns:
            [B, T1, N, D]
        """
        return self.mlp(torch.cat([band.unsqueeze(-1), trend.unsqueeze(-1), factors], dim=-1))


class CalendarEmbedding(nn.Module):
    """Weekday and session of the month, one-hot, -> D."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = mlp(WEEKDAYS + SESSIONS_OF_MONTH, width, width)

    def forward(self, calendar: Tensor) -> Tensor:
        """
        Args:
            calendar: int64 [B, T, 2], in 0..4 and 0..49.

        Returns:
            [B, T, 1, D]
        """
        # Comparing with the numbers is a one-hot encoding that never waits for the device.
        weekday = calendar[..., :1] == torch.arange(WEEKDAYS, device=calendar.device)
        session = calendar[..., 1:] == torch.arange(SESSIONS_OF_MONTH, device=calendar.device)
        one_hot = torch.cat([weekday, session], dim=-1).to(next(self.parameters()).dtype)
        return self.mlp(one_hot).unsqueeze(2)


class CausalConvolution(nn.Module):
    """ReLU of a convolution over a session and the one before it, then dropout."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.taps = Linear(2 * width, width)
        self.share = dropout

    def forward(self, x: Tensor, mask: Masks, dropped: Tensor | None) -> Tensor:
        """[B, T1, N, D] -> [B, T1, N, D]; before the first session, and where a stock is absent, lies zero.

        Args:
            dropped: bool [B, T1, N, D], what dropout sets to 0; None is nothing.
        """
        if kernels := gpu_kernels(x):
            return kernels.causal_convolution(x, mask.present, self.taps.weight, self.taps.bias, dropped, self.share)
        return causal_convolution(x * mask.there, self.taps.weight, self.taps.bias, dropped, self.share)


class LayerDropped(NamedTuple):
    """What a layer sets to 0 in a step, bool; None is nothing.

    states: [B, T1, N, D], of the convolution.
    over_sessions: [B, N, H, T1, T1], weights of the attention over sessions.
    over_stocks: [2, B, T1, H, N, N], weights of those over stocks, in the low and the high band.
    """

    states: Tensor | None = None
    over_sessions: Tensor | None = None
    over_stocks: Tensor | None = None


class DualEncoder(nn.Module):
    """One layer: the low band through attention over sessions, the high band through a convolution,
    then each through its own attention over stocks, with a residual.

    Args:
        stock_attention, attention_dropout: as `ModelSettings` has them.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        dropout: float,
        stock_attention: str = "sparse",
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.temporal = TemporalAttention(width, heads, attention_dropout)
        self.convolution = CausalConvolution(width, dropout)
        self.spatial_low = over_stocks(stock_attention, width, heads, attention_dropout)
        self.spatial_high = over_stocks(stock_attention, width, heads, attention_dropout)

    @property
    def attentions(self) -> tuple[Attention, ...]:
        """Over sessions, over stocks in the low band, over stocks in the high band; those that there are."""
        return tuple(
            block for block in (self.temporal, self.spatial_low, self.spatial_high) if isinstance(block, Attention)
        )

    def forward(
        self,
        low: Tensor,
        high: Tensor,
        calendar: Tensor,
        graph: Tensor,
        maps: Sequence[Projections],
        mask: Masks,
        dropped: LayerDropped,
    ) -> tuple[Tensor, Tensor]:
        """
        Args:
            low, high: [B, T1, N, D].
            calendar: [B, T1, 1, D].
            graph: [N, D].
            maps: of `attentions`.

        Returns:
            low, high: [B, T1, N, D]
        """
        low = self.temporal(low, calendar, maps[0], mask, dropped.over_sessions)
        high = self.convolution(high, mask, dropped.states)
        if len(maps) == 1:
            return self.spatial_low(low), self.spatial_high(high)
        of_low, of_high = (None, None) if dropped.over_stocks is None else dropped.over_stocks.unbind()
        return self.spatial_low(low, graph, maps[1], mask, of_low), self.spatial_high(
            high, graph, maps[2], mask, of_high
        )


class PredictionOverTime(nn.Module):
    """A linear map from the T1 sessions of a window to the T2 that follow, for each stock and width."""

    def __init__(self, input_sessions: int, output_sessions: int) -> None:
        super().__init__()
        self.over_sessions = nn.Linear(input_sessions, output_sessions)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """[B, T1, N, D] -> [B, T2, N, D]; what is not `present`, bool [B, T1, N], counts as 0."""
        return over_time(x, present, self.over_sessions.weight) + self.over_sessions.bias[:, None, None]


class AdaptiveFusion(nn.Module):
    """The low band asks, the high band answers: attention over the T2 labels, causal where they are of sessions.

    q = W·low;  k, v = ReLU(W·high);  z = LN(out(a) + low);  LN(z + MLP(z)).
    """

    def __init__(self, width: int, heads: int, over_sessions: bool = True) -> None:
        super().__init__()
        self.heads, self.over_sessions = heads, over_sessions
        self.query = Linear(width, width)
        self.key = Linear(width, width, relu=True)
        self.value = Linear(width, width, relu=True)
        self.out = Linear(width, width)
        self.mlp = mlp(width, width, width)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """[B, T2, N, D], [B, T2, N, D] -> [B, T2, N, D]"""
        if self.over_sessions and (kernels := head_kernels(low, self.heads)) and low.shape[1] <= kernels.MOST_SESSIONS:
            maps = [part for layer in (self.query, self.key, self.value) for part in (layer.weight, layer.bias)]
            out = self.out.weight, self.out.bias
            return kernels.fusion(low, high, maps, out, weights_of(self.mlp), NORM_EPSILON)
        low, high = low.transpose(1, 2), high.transpose(1, 2)
        query = split_heads(self.query(low), self.heads)
        key, value = (split_heads(part(high), self.heads) for part in (self.key, self.value))
        score = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-1, -2))
        if self.over_sessions:
            score = score + causal(score.shape[-1], score.dtype, score.device)
        z = residual_norm(low, self.out(merge_heads(torch.matmul(score.softmax(-1), value))))
        return residual_norm(z, self.mlp(z)).transpose(1, 2)


def head(x: Tensor, layers: nn.Sequential, dropped: Tensor | None = None, share: float = 0.0) -> Tensor:
    """What an MLP says of states [..., D], in the precision of its weights.

    Args:
        dropped: bool [..., D], which states between its two maps are set to 0; the others are scaled by
            1 / (1 - share). None is none.
    """
    if (kernels := head_kernels(x)) and dropped is None:
        return kernels.head(x, weights_of(layers))
    first, _, second = layers
    found: Tensor = second(without(first(x.to(weights_of(layers)[0].dtype)), dropped, share))
    return found


def head_kernels(x: Tensor, heads: int = 1) -> ModuleType | None:
    """`head_kernels` where they can be used for states [..., D]."""
    if not suit_kernels(x, heads):
        return None
    from niftyformer_assets.model import head_kernels

    return head_kernels
