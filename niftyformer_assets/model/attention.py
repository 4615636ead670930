"""Attention over sessions and over stocks.

Shapes: B batch, T sessions, N stocks, D width, H heads, d = D / H.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# The least a masked score is set to: finite, so that a row in which everything is masked has no NaN.
MASKED = -1e30


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[..., L, D] -> [..., H, L, d]; a view."""
    return x.unflatten(-1, (heads, -1)).transpose(-2, -3)


def merge_heads(x: Tensor) -> Tensor:
    """[..., H, L, d] -> [..., L, D]"""
    return x.transpose(-2, -3).flatten(-2)


def scores(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """Scaled dot products with the mask added.

    Args:
        q: [..., H, L, d] queries.
        k: [..., H, L, d] keys.
        mask: [..., 1, L, L] of `isolating_mask`.

    Returns:
        [..., H, L, L]
    """
    shape = (*q.shape[:-1], k.shape[-2])
    added = mask.expand(shape).flatten(0, -3)
    product = torch.baddbmm(added, q.flatten(0, -3), k.flatten(0, -3).transpose(1, 2), alpha=q.shape[-1] ** -0.5)
    return product.view(shape)


def isolating_mask(present: Tensor, causal: bool, dtype: torch.dtype) -> Tensor:
    """Who may see whom: the present see the present (of the past and now, if causal), and each itself.

    What is absent is so cut off from everything else, in both directions.

    Args:
        present: bool [..., L].

    Returns:
        [..., 1, L, L]: 0 or MASKED. The unit dimension is for the heads.
    """
    itself = torch.eye(present.shape[-1], dtype=torch.bool, device=present.device)
    visible = (present.unsqueeze(-2) & present.unsqueeze(-1)) | itself
    if causal:
        visible = visible.tril()
    return torch.zeros(visible.shape, dtype=dtype, device=present.device).masked_fill_(~visible, MASKED).unsqueeze(-3)


def residual_norm(x: Tensor, y: Tensor) -> Tensor:
    """LayerNorm(x + y) over the last dimension, without affine parameters."""
    # Autocast on a GPU normalises in float32; the states stay as narrow as they were.
    return nn.functional.layer_norm(x + y, x.shape[-1:]).to(x.dtype)


def mlp(width_in: int, width: int, width_out: int) -> nn.Sequential:
    """Linear-ReLU-Linear."""
    return nn.Sequential(nn.Linear(width_in, width), nn.ReLU(), nn.Linear(width, width_out))


class TemporalAttention(nn.Module):
    """Causal self-attention over the sessions of each stock, with a residual MLP.

    a = softmax(QKᵀ/√d + mask) V;  z = LN(out(a) + x);  LN(z + MLP(z)).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.mlp = mlp(width, width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """
        Args:
            x: [B, N, T, D].
            mask: [B, N, 1, T, T], of `isolating_mask`.

        Returns:
            [B, N, T, D]
        """
        q, k, v = (split_heads(part(x), self.heads) for part in (self.query, self.key, self.value))
        attended = torch.matmul(scores(q, k, mask).softmax(-1), v)
        z = residual_norm(x, self.out(merge_heads(attended)))
        return residual_norm(z, self.mlp(z))


class SpatialAttention(nn.Module):
    """Sparse attention over the stocks of each session.

    x' = x + graph embedding;  A = softmax(QKᵀ/√d);  O = AV;  each stock j takes the row of O of
    the stock that attends to it most, argmax over i of A[i, j], without a gradient through the
    argmax;  y = LN(out(taken) + x');  Linear-ReLU-Linear of y, without a residual.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.mlp = mlp(width, width, width)

    def forward(self, x: Tensor, graph: Tensor, mask: Tensor) -> Tensor:
        """
        Args:
            x: [B, T, N, D].
            graph: [N, D] static embedding of the correlation graph.
            mask: [B, T, 1, N, N], of `isolating_mask`.

        Returns:
            [B, T, N, D]
        """
        x = x + graph
        q, k, v = (split_heads(part(x), self.heads) for part in (self.query, self.key, self.value))
        score = scores(q, k, mask)
        taken = take_rows(torch.matmul(score.softmax(-1), v), most_attentive(score))
        return self.mlp(residual_norm(x, self.out(merge_heads(taken))))


@torch.no_grad()
def most_attentive(score: Tensor) -> Tensor:
    """For each key j the query i with the largest softmax(score)[i, j].

    In float32 at least and in logarithms, so that rounding makes no ties.

    Args:
        score: [..., L, L].

    Returns:
        int64 [..., L]
    """
    wide = torch.promote_types(score.dtype, torch.float32)
    return score.log_softmax(-1, dtype=wide).max(-2).indices


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """out[..., j, :] = x[..., rows[..., j], :]

    Args:
        x: [..., N, d].
        rows: int64 [..., N].
    """
    count, width = x.shape[-2:]
    first = torch.arange(0, rows.numel(), count, device=rows.device).view(*rows.shape[:-1], 1)
    return x.reshape(-1, width).index_select(0, (rows + first).flatten()).view_as(x)
