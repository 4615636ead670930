"""Attention over sessions and over stocks.

Shapes: B batch, T sessions, N stocks, D width, H heads, d = D / H.

An attention is published as four maps: queries, keys and values, and a map of what was attended to.
Two of each follow one another without anything in between, so each pair is multiplied first, which
halves the products over all sessions and stocks. For a head with rows q, k, v of the maps:

    q_i·k_j = x_i (Wqᵀ Wk) x_j + (Wkᵀ bq) x_j + what is the same for every j, and so for the softmax nothing;
    out(Σ_j A_ij (Wv x_j + bv)) = (Wo Wv) Σ_j A_ij x_j + Wo bv + bo, as the rows of A sum to 1.

The states themselves are then the keys and the values. For the same reason a key's bias has no
gradient, here as in the published form, where it is zero but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from niftyformer_assets.model import gpu
from niftyformer_assets.model.dropout import without
from niftyformer_assets.model.layers import NORM_EPSILON, Linear, linear, mlp, norm, residual_norm, weights_of

# What is added to a masked score: finite, so that a row in which everything is masked has no NaN.
MASKED = -1e30
# How many scores a processor works on at a time: 2 MiB of them.
SCORES_AT_HAND = 1 << 19


class Projections(NamedTuple):
    """The two maps of an attention, of H heads one below the other.

    query_weight [H·D, D] and query_bias [H·D]: from the states to what is multiplied with the states.
    out_weight [D, H·D] and out_bias [D]: of the attended states.
    """

    query_weight: Tensor
    query_bias: Tensor
    out_weight: Tensor
    out_bias: Tensor


class Masks(NamedTuple):
    """What the layers need to know about what is missing.

    present: bool [B, T, N].
    there: [B, T, N, 1], the same as 0 and 1.
    over_sessions: [B, N, 1, T, T], 0 or MASKED: a session sees those present up to itself.
    over_stocks: [B, T, 1, N], 0 or MASKED: everybody sees those present.

    What an absent stock sees does not matter, as nobody sees it.
    """

    present: Tensor
    there: Tensor
    over_sessions: Tensor
    over_stocks: Tensor


def masks(present: Tensor, dtype: torch.dtype) -> Masks:
    """The masks of the stocks and sessions that are `present`, bool [B, T, N]."""
    absent = torch.zeros(present.shape, dtype=dtype, device=present.device).masked_fill_(~present, MASKED)
    return Masks(
        present,
        present.unsqueeze(-1).to(dtype),
        absent.transpose(1, 2)[:, :, None, None] + causal(present.shape[1], dtype, present.device),
        absent.unsqueeze(2),
    )


def causal(length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """[L, L]: 0 up to the diagonal, MASKED above it."""
    return torch.full((length, length), MASKED, dtype=dtype, device=device).triu(1)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[..., L, H·d] -> [..., H, L, d]; a view."""
    return x.unflatten(-1, (heads, -1)).transpose(-2, -3)


def merge_heads(x: Tensor) -> Tensor:
    """[..., H, L, d] -> [..., L, H·d]"""
    return x.transpose(-2, -3).flatten(-2)


class Attention(nn.Module):
    """The published four maps and the MLP behind them; `projections` makes of them what is used.

    Args:
        dropout: share of the weights that a step drops, before the states are averaged with them.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = Linear(width, width)
        self.key = Linear(width, width)
        self.value = Linear(width, width)
        self.out = Linear(width, width)
        self.mlp = mlp(width, width, width)


def projections(blocks: Sequence[Attention], dtype: torch.dtype) -> list[Projections]:
    """Each block's two maps, all blocks in one product; the scores' factor 1/√d is in the query's.

    Args:
        blocks: of one width and number of heads, with weights as wide as is wished for the product.
        dtype: of what is returned.
    """

    def stacked(name: str, part: str) -> Tensor:
        return torch.stack([getattr(getattr(block, name), part) for block in blocks])

    heads, width = blocks[0].heads, blocks[0].query.weight.shape[1]
    query, key, value = (stacked(name, "weight").unflatten(1, (heads, -1)) for name in ("query", "key", "value"))
    scaled_key = key.transpose(2, 3) * (width // heads) ** -0.5  # [A, H, D, d]
    query_bias = scaled_key @ stacked("query", "bias").unflatten(1, (heads, -1)).unsqueeze(-1)
    out = stacked("out", "weight")
    out_bias = out @ stacked("value", "bias").unsqueeze(-1) + stacked("out", "bias").unsqueeze(-1)
    by_head = out.unflatten(2, (heads, -1)).transpose(1, 2) @ value  # [A, H, D, D]
    found = (
        (scaled_key @ query).flatten(1, 2),
        query_bias.flatten(1),
        by_head.transpose(1, 2).flatten(2),
        out_bias.squeeze(-1),
    )
    return [Projections(*parts) for parts in zip(*(array.to(dtype).unbind() for array in found), strict=True)]


class TemporalAttention(Attention):
    """Causal self-attention over the sessions of each stock, with a residual MLP.

    x' = x + calendar;  a = softmax(QKᵀ/√d + mask) V;  z = LN(out(a) + x');  LN(z + MLP(z)).
    """

    def forward(
        self, x: Tensor, calendar: Tensor, maps: Projections, mask: Masks, dropped: Tensor | None = None
    ) -> Tensor:
        """
        Args:
            x: [B, T, N, D].
            calendar: [B, T, 1, D].
            dropped: bool [B, N, H, T, T], the weights that are dropped; None is none.

        Returns:
            [B, T, N, D]
        """
        if (kernels := gpu_kernels(x, self.heads)) and dropped is None:
            return kernels.attention_block(x, calendar, mask.present, False, maps, weights_of(self.mlp), NORM_EPSILON)
        # Sessions next to the width: the attention is then a plain batched product.
        x = (x + calendar).transpose(1, 2).contiguous()
        query = split_heads(linear(x, maps.query_weight, maps.query_bias), self.heads)
        attended = merge_heads(attend(scores(query, x, mask.over_sessions), x, dropped, self.dropout))
        z = residual_norm(x, linear(attended, maps.out_weight, maps.out_bias))
        return residual_norm(z, self.mlp(z)).transpose(1, 2).contiguous()


class SpatialAttention(Attention):
    """Sparse attention over the stocks of each session.

    x' = x + graph embedding;  A = softmax(QKᵀ/√d);  O = AV;  each stock j takes the row of O of
    the stock that attends to it most, argmax over i of A[i, j], without a gradient through the
    argmax;  y = LN(out(taken) + x');  x + Linear-ReLU-Linear of y.
    """

    def forward(
        self, x: Tensor, graph: Tensor, maps: Projections, mask: Masks, dropped: Tensor | None = None
    ) -> Tensor:
        """
        Args:
            x: [B, T, N, D].
            graph: [N, D] static embedding of the correlation graph.
            dropped: bool [B, T, H, N, N], the weights that are dropped; None is none. Who attends to whom most is
                decided by the weights as they are.

        Returns:
            [B, T, N, D]
        """
        if (kernels := gpu_kernels(x, self.heads)) and dropped is None:
            return kernels.attention_block(x, graph, mask.present, True, maps, weights_of(self.mlp), NORM_EPSILON)
        state = x + graph
        query = split_heads(linear(state, maps.query_weight, maps.query_bias), self.heads)
        taken = merge_heads(attend_most(query, state, mask.over_stocks, dropped, self.dropout))
        return x + self.mlp(residual_norm(state, linear(taken, maps.out_weight, maps.out_bias)))


class PlainSpatialAttention(Attention):
    """Softmax attention over the stocks of each session, without a graph and without taking another's row.

    A = softmax(QKᵀ/√d);  y = LN(out(AV) + x);  x + Linear-ReLU-Linear of y.
    """

    def forward(
        self, x: Tensor, _graph: Tensor, maps: Projections, mask: Masks, dropped: Tensor | None = None
    ) -> Tensor:
        """As `SpatialAttention`, on plain operations everywhere."""
        query = split_heads(linear(x, maps.query_weight, maps.query_bias), self.heads)
        score = scores(query, x, mask.over_stocks.unsqueeze(-2))
        attended = merge_heads(attend(score, x, dropped, self.dropout))
        return x + self.mlp(residual_norm(x, linear(attended, maps.out_weight, maps.out_bias)))


class NoAttention(nn.Module):
    """What is left of an attention over stocks where each is by itself: x + Linear-ReLU-Linear of LN(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = mlp(width, width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, N, D] -> [B, T, N, D]"""
        return x + self.mlp(norm(x))


def over_stocks(
    kind: str, width: int, heads: int, dropout: float
) -> SpatialAttention | PlainSpatialAttention | NoAttention:
    """What lies over the stocks of a session, by `ModelSettings.stock_attention`."""
    if kind == "none":
        return NoAttention(width)
    return (SpatialAttention if kind == "sparse" else PlainSpatialAttention)(width, heads, dropout)


def suit_kernels(x: Tensor, heads: int = 1) -> bool:
    """Whether the kernels can be used for states [..., D]: on a GPU, in bfloat16, with one head."""
    narrow = x.is_cuda and x.dtype == torch.bfloat16
    return narrow and heads == 1 and x.shape[-1] in gpu.widths_that_work


def gpu_kernels(x: Tensor, heads: int = 1) -> ModuleType | None:
    """`block_kernels` where they can be used for states [..., D]."""
    if not suit_kernels(x, heads):
        return None
    from niftyformer_assets.model import block_kernels

    return block_kernels


def scores(query: Tensor, x: Tensor, mask: Tensor) -> Tensor:
    """Each head's products of queries [..., H, L, D] and states [..., L, D], and the mask: [..., H, L, L]."""
    return torch.matmul(query.flatten(-3, -2), x.transpose(-1, -2)).unflatten(-2, query.shape[-3:-1]) + mask


def attend(score: Tensor, x: Tensor, dropped: Tensor | None = None, share: float = 0.0) -> Tensor:
    """The states [..., L, D] averaged with the softmax of scores [..., H, L, L]: [..., H, L, D].

    Args:
        dropped: bool [..., H, L, L], which weights are dropped; the others are scaled by 1 / (1 - share). None is none.
    """
    weights = without(score.softmax(-1), dropped, share)
    return torch.matmul(weights.flatten(-3, -2), x).unflatten(-2, weights.shape[-3:-1])


def attend_most(query: Tensor, x: Tensor, mask: Tensor, dropped: Tensor | None = None, share: float = 0.0) -> Tensor:
    """For each key j the row of softmax(query xᵀ + mask) x of the query that attends to it most.

    Groups are gone through a few at a time, and their scores computed again for the gradient: a
    processor then has them at hand, and they are never all in memory.

    Args:
        query: [..., H, L, D].
        x: [..., L, D], keys and values.
        mask: [..., 1, L], 0 or MASKED: neither as keys nor as queries are masked ones chosen.
        dropped, share: as in `attend`.

    Returns:
        [..., H, L, D]
    """
    groups, (heads, length, width) = query.shape[:-3], query.shape[-3:]
    found: Tensor = _AttendMost.apply(
        query.reshape(-1, heads * length, width),
        x.reshape(-1, length, width),
        mask.reshape(-1, 1, length),
        None if dropped is None else dropped.reshape(-1, heads * length, length),
        share,
    )
    return found.view(*groups, heads, length, width)


class _AttendMost(torch.autograd.Function):
    """query [G, H·L, D], x [G, L, D], mask [G, 1, L], dropped [G, H·L, L] or None"""

    @staticmethod
    def forward(ctx: Any, query: Tensor, x: Tensor, mask: Tensor, dropped: Tensor | None, share: float) -> Tensor:
        rows = torch.empty(query.shape[:2], dtype=torch.int64, device=x.device)
        taken = torch.empty_like(query)
        for part in _few(query, x):
            logarithms = _log_weights(query[part], x[part], mask[part])
            weights = without(logarithms.exp().to(x.dtype), None if dropped is None else dropped[part], share)
            rows[part] = most_attentive(logarithms, mask[part])
            taken[part] = take_rows(torch.bmm(weights, x[part]), rows[part])
        ctx.save_for_backward(query, x, mask, rows, *([] if dropped is None else [dropped]))
        ctx.share = share
        return taken

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, x, mask, rows, *given = ctx.saved_tensors
        of_query, of_x = torch.empty_like(query), torch.empty_like(x)
        for part in _few(query, x):
            dropped = given[0][part] if given else None
            weights = _log_weights(query[part], x[part], mask[part]).exp_().to(x.dtype)
            of_attended = give_rows(gradients[0][part], rows[part])
            of_score = without(torch.bmm(of_attended, x[part].transpose(1, 2)), dropped, ctx.share)
            of_score = of_score.sub_((of_score * weights).sum(-1, keepdim=True)).mul_(weights)
            torch.bmm(of_score, x[part], out=of_query[part])
            torch.bmm(of_score.transpose(1, 2), query[part], out=of_x[part])
            of_x[part].baddbmm_(without(weights, dropped, ctx.share).transpose(1, 2), of_attended)
        return of_query, of_x, None, None, None


def _few(query: Tensor, x: Tensor) -> list[slice]:
    """Slices over the groups whose scores fit beside the processor; all of them on a GPU."""
    count = len(x) if x.is_cuda else max(1, SCORES_AT_HAND // (query.shape[1] * x.shape[1]))
    return [slice(start, start + count) for start in range(0, len(x), count)]


def _log_weights(query: Tensor, x: Tensor, mask: Tensor) -> Tensor:
    """log softmax(query xᵀ + mask), in float32 at least: [G, H·L, L]."""
    score = torch.bmm(query, x.transpose(1, 2)).add_(mask)
    return score.log_softmax(-1, dtype=torch.promote_types(score.dtype, torch.float32))


def most_attentive(logarithms: Tensor, mask: Tensor) -> Tensor:
    """For each key j of each head the row of the query i, of those present, with the largest weight.

    Args:
        logarithms: [G, H·L, L], so that rounding makes no ties.
        mask: [G, 1, L].

    Returns:
        int64 [G, H·L], rows of H·L
    """
    groups, count, length = logarithms.shape
    by_head = (logarithms.view(groups, -1, length, length) + mask.view(groups, 1, length, 1)).max(-2).indices
    return (by_head + torch.arange(0, count, length, device=by_head.device)[:, None]).flatten(1)


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """out[g, j, :] = x[g, rows[g, j], :] for x [G, L, D] and int64 rows [G, L]."""
    return x.flatten(0, 1).index_select(0, _flat(rows)).view_as(x)


def give_rows(taken: Tensor, rows: Tensor) -> Tensor:
    """The gradient of `take_rows`: out[g, i, :] is the sum of taken[g, j, :] over those j whose row is i."""
    out = torch.zeros_like(taken)
    out.view(-1, taken.shape[-1]).index_add_(0, _flat(rows), taken.flatten(0, 1))
    return out


def _flat(rows: Tensor) -> Tensor:
    groups, count = rows.shape
    return (rows + torch.arange(0, groups * count, count, device=rows.device)[:, None]).flatten()
