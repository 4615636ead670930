"""The other blocks of the network: embeddings, the dual encoder, the prediction over time, the fusion.

Shapes: B batch, T1 input sessions, T2 output sessions, N stocks, F factors, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from niftyformer_assets.model.attention import (
    SpatialAttention,
    TemporalAttention,
    merge_heads,
    mlp,
    residual_norm,
    scores,
    split_heads,
)
from niftyformer_assets.model.calendar_features import SESSIONS_OF_MONTH, WEEKDAYS


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
        self.taps = nn.Linear(2 * width, width)
        self.dropped_share = dropout

    def forward(self, x: Tensor) -> Tensor:
        """[B, T1, N, D] -> [B, T1, N, D]; before the first session lies zero."""
        before = nn.functional.pad(x[:, :-1], (0, 0, 0, 0, 1, 0))
        return dropout(torch.relu(self.taps(torch.cat([before, x], dim=-1))), self.dropped_share, self.training)


def dropout(x: Tensor, share: float, training: bool) -> Tensor:
    """Set a share of the values to 0 and scale the others up, in training only."""
    if x.device.type != "cpu" or not training:
        return nn.functional.dropout(x, share, training)
    # The generator of the CPU draws one number at a time: one draw of 64 bits is enough for four values.
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    kept = draws[: x.numel()].view(x.shape) >= round(share * 2**16) - 2**15
    return x * kept.to(x.dtype).mul_(1 / (1 - share))


class DualEncoder(nn.Module):
    """One layer: the low band through attention over sessions, the high band through a convolution,
    then each through its own attention over stocks, with a residual."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.temporal = TemporalAttention(width, heads)
        self.convolution = CausalConvolution(width, dropout)
        self.spatial_low = SpatialAttention(width, heads)
        self.spatial_high = SpatialAttention(width, heads)

    def forward(
        self, low: Tensor, high: Tensor, calendar: Tensor, graph: Tensor, masks: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """
        Args:
            low, high: [B, T1, N, D].
            calendar: [B, T1, 1, D].
            graph: [N, D].
            masks: of `stockformer.masks`.

        Returns:
            low, high: [B, T1, N, D]
        """
        present, over_sessions, over_stocks = masks
        # Sessions next to the width: the attention over sessions is then a plain batched product.
        by_stock = (low + calendar).transpose(1, 2).contiguous()
        low = self.temporal(by_stock, over_sessions).transpose(1, 2).contiguous()
        high = self.convolution(high * present)
        low = low + self.spatial_low(low, graph, over_stocks)
        high = high + self.spatial_high(high, graph, over_stocks)
        return low, high


class PredictionOverTime(nn.Module):
    """A linear map from the T1 sessions of a window to the T2 that follow, for each stock and width."""

    def __init__(self, input_sessions: int, output_sessions: int) -> None:
        super().__init__()
        self.over_sessions = nn.Linear(input_sessions, output_sessions)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T1, N, D] -> [B, T2, N, D]"""
        weight, bias = self.over_sessions.weight, self.over_sessions.bias
        return torch.matmul(weight, x.flatten(2)).unflatten(-1, x.shape[2:]) + bias[:, None, None]


class AdaptiveFusion(nn.Module):
    """The low band asks, the high band answers: causal attention over the T2 output sessions.

    q = W·low;  k, v = ReLU(W·high);  z = LN(out(a) + low);  LN(z + MLP(z)).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.mlp = mlp(width, width, width)

    def forward(self, low: Tensor, high: Tensor, mask: Tensor) -> Tensor:
        """
        Args:
            low, high: [B, N, T2, D].
            mask: [1, T2, T2], causal, of `isolating_mask`.

        Returns:
            [B, N, T2, D]
        """
        k, v = (split_heads(torch.relu(part(high)), self.heads) for part in (self.key, self.value))
        weights = scores(split_heads(self.query(low), self.heads), k, mask).softmax(-1)
        z = residual_norm(low, self.out(merge_heads(torch.matmul(weights, v))))
        return residual_norm(z, self.mlp(z))
