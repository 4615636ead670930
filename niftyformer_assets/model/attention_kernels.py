"""Attention over sessions and over stocks in few kernels, for a GPU: no L × L array is ever written.

The states are keys and values at once. Each program computes a tile of rows and goes through the
others tile by tile; sums have a fixed order, so the same inputs give the same bits.

Shapes: B batch, T sessions, N stocks, D width; L what is attended over, sessions or stocks, and G the
groups that attend by themselves, stocks or sessions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

MASKED = tl.constexpr(-1e30)


@triton.jit
def _tile(pointer, rows, length, row_stride, D: tl.constexpr):  # type: ignore[no-untyped-def]
    columns = tl.arange(0, D)
    return tl.load(pointer + rows[:, None] * row_stride + columns[None, :], mask=rows[:, None] < length, other=0.0)


@triton.jit
def _store_tile(pointer, rows, length, row_stride, value, D: tl.constexpr):  # type: ignore[no-untyped-def]
    columns = tl.arange(0, D)
    tl.store(pointer + rows[:, None] * row_stride + columns[None, :], value, mask=rows[:, None] < length)


@triton.jit
def _product(a, b):  # type: ignore[no-untyped-def]
    """a bᵀ in float32."""
    return tl.dot(a, tl.trans(b), input_precision="ieee")


@triton.jit
def _masked(score, queries, keys, present, length, CAUSAL: tl.constexpr):  # type: ignore[no-untyped-def]
    """[queries, keys]; what is beyond the length counts for nothing at all."""
    seen = present
    if CAUSAL:
        seen = seen & (keys <= queries)
    return tl.where(keys < length, tl.where(seen, score, MASKED), float("-inf"))


@triton.jit
def attend_kernel(  # type: ignore[no-untyped-def]
    query,
    state,
    present,
    out,
    lse,
    groups,
    length,
    batch_stride,
    group_stride,
    row_stride,
    present_batch_stride,
    present_group_stride,
    present_row_stride,
    D: tl.constexpr,
    TILE: tl.constexpr,
    CAUSAL: tl.constexpr,
):
    """A tile of softmax(query stateᵀ + mask) state, and of the logarithm of each row's sum."""
    group = tl.program_id(0)
    base = (group // groups) * batch_stride + (group % groups) * group_stride
    present += (group // groups) * present_batch_stride + (group % groups) * present_group_stride
    rows = tl.program_id(1) * TILE + tl.arange(0, TILE)
    q = _tile(query + base, rows, length, row_stride, D)
    highest = tl.full([TILE], float("-inf"), tl.float32)
    total = tl.zeros([TILE], tl.float32)
    sums = tl.zeros([TILE, D], tl.float32)
    for start in range(0, length, TILE):
        keys = start + tl.arange(0, TILE)
        x = _tile(state + base, keys, length, row_stride, D)
        there = tl.load(present + keys * present_row_stride, mask=keys < length, other=0) != 0
        score = _masked(_product(q, x), rows[:, None], keys[None, :], there[None, :], length, CAUSAL)
        higher = tl.maximum(highest, tl.max(score, 1))
        scale = tl.exp(highest - higher)
        weight = tl.exp(score - higher[:, None])
        total = total * scale + tl.sum(weight, 1)
        sums = sums * scale[:, None] + tl.dot(weight.to(x.dtype), x, input_precision="ieee")
        highest = higher
    _store_tile(out + base, rows, length, row_stride, (sums / total[:, None]).to(out.dtype.element_ty), D)
    tl.store(lse + group * length + rows, highest + tl.log(total), mask=rows < length)


@triton.jit
def take_kernel(  # type: ignore[no-untyped-def]
    query,
    state,
    present,
    out,
    lse,
    taken,
    chosen,
    groups,
    length,
    batch_stride,
    group_stride,
    row_stride,
    present_batch_stride,
    present_group_stride,
    present_row_stride,
    D: tl.constexpr,
    TILE: tl.constexpr,
):
    """For a tile of keys the row of `out` of the present query that attends to each most, and which it is."""
    group = tl.program_id(0)
    base = (group // groups) * batch_stride + (group % groups) * group_stride
    present += (group // groups) * present_batch_stride + (group % groups) * present_group_stride
    keys = tl.program_id(1) * TILE + tl.arange(0, TILE)
    x = _tile(state + base, keys, length, row_stride, D)
    most = tl.full([TILE], float("-inf"), tl.float32)
    who = tl.zeros([TILE], tl.int32)
    for start in range(0, length, TILE):
        rows = start + tl.arange(0, TILE)
        q = _tile(query + base, rows, length, row_stride, D)
        there = tl.load(present + rows * present_row_stride, mask=rows < length, other=0) != 0
        sums = tl.load(lse + group * length + rows, mask=rows < length, other=0.0)
        weight = tl.where(there[:, None], _product(q, x) - sums[:, None], float("-inf"))
        highest = tl.max(weight, 0)
        first = tl.min(tl.where(weight == highest[None, :], rows[:, None], 2147483647), 0)
        who = tl.where(highest > most, first, who)
        most = tl.maximum(most, highest)
    columns = tl.arange(0, D)
    inside = keys[:, None] < length
    row = tl.load(out + base + who[:, None] * row_stride + columns[None, :], mask=inside, other=0.0)
    _store_tile(taken + base, keys, length, row_stride, row, D)
    tl.store(chosen + group * length + keys, who, mask=keys < length)


@triton.jit
def query_gradient_kernel(  # type: ignore[no-untyped-def]
    query,
    state,
    present,
    out,
    gradient,
    lse,
    chosen,
    spread,
    delta,
    query_gradient,
    groups,
    length,
    batch_stride,
    group_stride,
    row_stride,
    present_batch_stride,
    present_group_stride,
    present_row_stride,
    D: tl.constexpr,
    TILE: tl.constexpr,
    CAUSAL: tl.constexpr,
    TAKEN: tl.constexpr,
):
    """A tile of the queries' gradient; and of the gradient of each row before the taking (`spread`), and its
    product with the row (`delta`), for the states' gradient."""
    group = tl.program_id(0)
    base = (group // groups) * batch_stride + (group % groups) * group_stride
    present += (group // groups) * present_batch_stride + (group % groups) * present_group_stride
    rows = tl.program_id(1) * TILE + tl.arange(0, TILE)
    if TAKEN:
        given = tl.zeros([TILE, D], tl.float32)
        for start in range(0, length, TILE):
            takers = start + tl.arange(0, TILE)
            who = tl.load(chosen + group * length + takers, mask=takers < length, other=-1)
            mine = who[None, :] == rows[:, None]
            theirs = _tile(gradient + base, takers, length, row_stride, D)
            given += tl.dot(mine.to(theirs.dtype), theirs, input_precision="ieee")
        dy = given.to(query.dtype.element_ty)
        _store_tile(spread + base, rows, length, row_stride, dy, D)
    else:
        dy = _tile(gradient + base, rows, length, row_stride, D)
    y = _tile(out + base, rows, length, row_stride, D)
    along = tl.sum(dy.to(tl.float32) * y.to(tl.float32), 1)
    tl.store(delta + group * length + rows, along, mask=rows < length)
    q = _tile(query + base, rows, length, row_stride, D)
    sums = tl.load(lse + group * length + rows, mask=rows < length, other=0.0)
    total = tl.zeros([TILE, D], tl.float32)
    for start in range(0, length, TILE):
        keys = start + tl.arange(0, TILE)
        x = _tile(state + base, keys, length, row_stride, D)
        there = tl.load(present + keys * present_row_stride, mask=keys < length, other=0) != 0
        score = _masked(_product(q, x), rows[:, None], keys[None, :], there[None, :], length, CAUSAL)
        weight = tl.exp(score - sums[:, None])
        change = weight * (_product(dy, x) - along[:, None])
        total += tl.dot(change.to(x.dtype), x, input_precision="ieee")
    _store_tile(query_gradient + base, rows, length, row_stride, total.to(query_gradient.dtype.element_ty), D)


@triton.jit
def state_gradient_kernel(  # type: ignore[no-untyped-def]
    query,
    state,
    present,
    spread,
    lse,
    delta,
    state_gradient,
    groups,
    length,
    batch_stride,
    group_stride,
    row_stride,
    present_batch_stride,
    present_group_stride,
    present_row_stride,
    D: tl.constexpr,
    TILE: tl.constexpr,
    CAUSAL: tl.constexpr,
):
    """A tile of the gradient of the states, as keys and as values."""
    group = tl.program_id(0)
    base = (group // groups) * batch_stride + (group % groups) * group_stride
    present += (group // groups) * present_batch_stride + (group % groups) * present_group_stride
    keys = tl.program_id(1) * TILE + tl.arange(0, TILE)
    x = _tile(state + base, keys, length, row_stride, D)
    there = tl.load(present + keys * present_row_stride, mask=keys < length, other=0) != 0
    total = tl.zeros([TILE, D], tl.float32)
    for start in range(0, length, TILE):
        rows = start + tl.arange(0, TILE)
        q = _tile(query + base, rows, length, row_stride, D)
        dy = _tile(spread + base, rows, length, row_stride, D)
        sums = tl.load(lse + group * length + rows, mask=rows < length, other=0.0)
        along = tl.load(delta + group * length + rows, mask=rows < length, other=0.0)
        score = _masked(_product(x, q), rows[None, :], keys[:, None], there[:, None], length, CAUSAL)
        weight = tl.where(rows[None, :] < length, tl.exp(score - sums[None, :]), 0.0)
        change = weight * (_product(x, dy) - along[None, :])
        total += tl.dot(weight.to(dy.dtype), dy, input_precision="ieee")
        total += tl.dot(change.to(q.dtype), q, input_precision="ieee")
    _store_tile(state_gradient + base, keys, length, row_stride, total.to(state_gradient.dtype.element_ty), D)


def _launch(x: Tensor, present: Tensor, over_stocks: bool) -> tuple[tuple[int, int], tuple[int, ...], dict[str, int]]:
    """Grid, sizes and strides, and the tiles of attention over the stocks or sessions of [B, T, N, D]."""
    batch, sessions, stocks, width = x.shape
    length, groups = (stocks, sessions) if over_stocks else (sessions, stocks)
    tile = 64 if length > 32 else 32
    row, group = (2, 1) if over_stocks else (1, 2)
    strides = tuple(array.stride(axis) for array in (x, present) for axis in (0, group, row))
    grid = (batch * groups, -(-length // tile))
    return (
        grid,
        (groups, length, *strides),
        {"D": width, "TILE": tile, "num_warps": 4 if tile == 64 else 2, "num_stages": 2},
    )


class Attention(NamedTuple):
    """What an attention found, and what its gradient needs.

    present: uint8 [B, T, N].
    out: [B, T, N, D], each row's average of the states.
    taken: [B, T, N, D], over stocks the row of `out` that each takes; over sessions `out` itself.
    lse: float32 [B·G, L], the logarithm of each row's sum of weights.
    chosen: int32 [B·G, L], over stocks whose row each took.
    """

    present: Tensor
    out: Tensor
    taken: Tensor
    lse: Tensor
    chosen: Tensor


def attend(query: Tensor, x: Tensor, present: Tensor, over_stocks: bool) -> Attention:
    """States [B, T, N, D] averaged over the sessions present up to each; or over the stocks present in each session,
    of these averages each stock that of the one that attends to it most.

    Args:
        query, x: [B, T, N, D], contiguous.
        present: bool [B, T, N].
    """
    present = present.to(torch.uint8)
    grid, sizes, options = _launch(x, present, over_stocks)
    out = torch.empty_like(x)
    lse = torch.empty(grid[0], sizes[1], dtype=torch.float32, device=x.device)
    attend_kernel[grid](query, x, present, out, lse, *sizes, CAUSAL=not over_stocks, **options)
    if not over_stocks:
        return Attention(present, out, out, lse, lse)
    taken, chosen = torch.empty_like(x), torch.empty_like(lse, dtype=torch.int32)
    take_kernel[grid](query, x, present, out, lse, taken, chosen, *sizes, **options)
    return Attention(present, out, taken, lse, chosen)


def gradients(gradient: Tensor, query: Tensor, x: Tensor, found: Attention, over_stocks: bool) -> tuple[Tensor, Tensor]:
    """The gradients at the queries and the states, of that at what was `taken`, all [B, T, N, D], contiguous."""
    grid, sizes, options = _launch(x, found.present, over_stocks)
    spread = torch.empty_like(x) if over_stocks else gradient
    delta, query_gradient, state_gradient = torch.empty_like(found.lse), torch.empty_like(x), torch.empty_like(x)
    query_gradient_kernel[grid](
        query,
        x,
        found.present,
        found.out,
        gradient,
        found.lse,
        found.chosen,
        spread,
        delta,
        query_gradient,
        *sizes,
        CAUSAL=not over_stocks,
        TAKEN=over_stocks,
        **options,
    )
    state_gradient_kernel[grid](
        query, x, found.present, spread, found.lse, delta, state_gradient, *sizes, CAUSAL=not over_stocks, **options
    )
    return query_gradient, state_gradient
