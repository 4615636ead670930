"""The fusion of the bands over the output sessions, and the heads, in few kernels, for a GPU.

Shapes: B batch, T2 output sessions, N stocks, D width (a power of 2, 16 at least), K numbers a head gives,
M rows.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from niftyformer_assets.model.block_kernels import leave, leave_gradients
from niftyformer_assets.model.layer_kernels import sum_kernel
from niftyformer_assets.model.row_kernels import (
    launch,
    load,
    mapped,
    mapped_back,
    matrix,
    row_of,
    store,
    weight_gradients,
)

# Rows a program takes: of a head, and its warps; and of the attention.
HEAD_ROWS, HEAD_WARPS, STOCKS = 64, 4, 16
# More output sessions than these are left to plain operations: each pair of them is written out.
MOST_SESSIONS = 8


@triton.jit
def _hidden(x, weight, bias, D: tl.constexpr):  # type: ignore[no-untyped-def]
    """ReLU of a map. The states were bfloat16, which TF32 holds as they are; the weights lose their last 13 bits."""
    found = tl.dot(x, tl.trans(matrix(weight, D, D)), input_precision="tf32") + row_of(bias, D)
    return tl.where(found < 0, 0.0, found)


@triton.jit(do_not_specialize=["count"])
def head_kernel(  # type: ignore[no-untyped-def]
    x,
    first_weight,
    first_bias,
    second_weight,
    second_bias,
    result,
    count,
    K: tl.constexpr,
    D: tl.constexpr,
    ROWS: tl.constexpr,
):
    """K numbers of each row: a map of the ReLU of a map, float32."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = rows < count
    hidden = _hidden(load(x, rows, inside, D, D).to(tl.float32), first_weight, first_bias, D)
    for number in tl.static_range(K):
        found = tl.sum(hidden * row_of(second_weight + number * D, D), 1) + tl.load(second_bias + number)
        tl.store(result + rows * K + number, found, mask=inside)


@triton.jit(do_not_specialize=["count"])
def head_gradient_kernel(  # type: ignore[no-untyped-def]
    gradient,
    x,
    first_weight,
    first_bias,
    second_weight,
    of_x,
    sums,
    count,
    K: tl.constexpr,
    D: tl.constexpr,
    ROWS: tl.constexpr,
):
    """The gradient at x; and a program's share of those at both weights and biases, one behind the other."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = rows < count
    columns = tl.arange(0, D)
    state = load(x, rows, inside, D, D).to(tl.float32)
    hidden = _hidden(state, first_weight, first_bias, D)
    sums += tl.program_id(0) * (D * D + D + K * D + K)
    change = tl.zeros([ROWS, D], tl.float32)
    for number in tl.static_range(K):
        dy = tl.load(gradient + rows * K + number, mask=inside, other=0.0)
        change += dy[:, None] * row_of(second_weight + number * D, D)
        tl.store(sums + D * D + D + number * D + columns, tl.sum(dy[:, None] * hidden, 0))
        tl.store(sums + D * D + D + K * D + number, tl.sum(dy, 0))
    change = tl.where(hidden > 0, change, 0.0)
    of_weight = tl.dot(tl.trans(change), state, input_precision="tf32")
    tl.store(sums + columns[:, None] * D + columns[None, :], of_weight)
    tl.store(sums + D * D + columns, tl.sum(change, 0))
    found = tl.dot(change, matrix(first_weight, D, D), input_precision="tf32")
    store(of_x, rows, inside, found, D, D)


@triton.jit(do_not_specialize=["count"])
def ask_kernel(  # type: ignore[no-untyped-def]
    low,
    high,
    query_weight,
    query_bias,
    key_weight,
    key_bias,
    value_weight,
    value_bias,
    query,
    key,
    value,
    count,
    D: tl.constexpr,
    ROWS: tl.constexpr,
):
    """The queries, a map of the low band; keys and values, the ReLU of maps of the high band."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = rows < count
    store(query, rows, inside, mapped(load(low, rows, inside, D, D), query_weight, D, D) + row_of(query_bias, D), D, D)
    state = load(high, rows, inside, D, D)
    found = mapped(state, key_weight, D, D) + row_of(key_bias, D)
    store(key, rows, inside, tl.where(found < 0, 0.0, found), D, D)
    found = mapped(state, value_weight, D, D) + row_of(value_bias, D)
    store(value, rows, inside, tl.where(found < 0, 0.0, found), D, D)


@triton.jit(do_not_specialize=["count"])
def ask_gradient_kernel(  # type: ignore[no-untyped-def]
    of_query,
    of_key,
    of_value,
    of_out,
    query_weight,
    key_weight,
    value_weight,
    of_low,
    of_high,
    count,
    D: tl.constexpr,
    ROWS: tl.constexpr,
):
    """The gradients at both bands; the low one also was added to what was attended (`of_out`)."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = rows < count
    found = mapped_back(load(of_query, rows, inside, D, D), query_weight, D, D)
    store(of_low, rows, inside, found + load(of_out, rows, inside, D, D).to(tl.float32), D, D)
    found = mapped_back(load(of_key, rows, inside, D, D), key_weight, D, D)
    store(of_high, rows, inside, found + mapped_back(load(of_value, rows, inside, D, D), value_weight, D, D), D, D)


@triton.jit
def _weights(query, key, rows, inside, session, scale, N, T2: tl.constexpr, D: tl.constexpr):  # type: ignore[no-untyped-def]
    """For each row the logarithm of the sum of a session's weights over the sessions up to it."""
    highest = tl.full([rows.shape[0]], float("-inf"), tl.float32)
    total = tl.zeros([rows.shape[0]], tl.float32)
    for other in tl.static_range(T2):
        if other <= session:
            score = _score(query, key, rows, inside, other, scale, N, D)
            higher = tl.maximum(highest, score)
            total = total * tl.exp(highest - higher) + tl.exp(score - higher)
            highest = higher
    return highest + tl.log(total)


@triton.jit
def _score(query, key, rows, inside, other, scale, N, D: tl.constexpr):  # type: ignore[no-untyped-def]
    return tl.sum(query * load(key + other * N * D, rows, inside, D, D).to(tl.float32), 1) * scale


@triton.jit(do_not_specialize=["N"])
def look_kernel(  # type: ignore[no-untyped-def]
    query, key, value, attended, N, scale, T2: tl.constexpr, D: tl.constexpr, ROWS: tl.constexpr
):
    """For each output session the values averaged over the sessions up to it, for some stocks."""
    start = tl.program_id(0) * T2 * N * D
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    inside = rows < N
    for session in tl.static_range(T2):
        here = start + session * N * D
        q = load(query + here, rows, inside, D, D).to(tl.float32)
        logarithm = _weights(q, key + start, rows, inside, session, scale, N, T2, D)
        total = tl.zeros([ROWS, D], tl.float32)
        for other in tl.static_range(T2):
            if other <= session:
                weight = tl.exp(_score(q, key + start, rows, inside, other, scale, N, D) - logarithm)
                total += weight[:, None] * load(value + start + other * N * D, rows, inside, D, D).to(tl.float32)
        store(attended + here, rows, inside, total, D, D)


@triton.jit(do_not_specialize=["N"])
def look_gradient_kernel(  # type: ignore[no-untyped-def]
    gradient,
    query,
    key,
    value,
    attended,
    of_query,
    of_key,
    of_value,
    N,
    scale,
    T2: tl.constexpr,
    D: tl.constexpr,
    ROWS: tl.constexpr,
):
    """The gradients at the queries, and, through their ReLU, at the maps of keys and values."""
    start = tl.program_id(0) * T2 * N * D
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    inside = rows < N
    for session in tl.static_range(T2):
        here = start + session * N * D
        q = load(query + here, rows, inside, D, D).to(tl.float32)
        dy = load(gradient + here, rows, inside, D, D).to(tl.float32)
        along = tl.sum(dy * load(attended + here, rows, inside, D, D).to(tl.float32), 1)
        logarithm = _weights(q, key + start, rows, inside, session, scale, N, T2, D)
        total = tl.zeros([ROWS, D], tl.float32)
        for other in tl.static_range(T2):
            if other <= session:
                there = start + other * N * D
                weight = tl.exp(_score(q, key + start, rows, inside, other, scale, N, D) - logarithm)
                v = load(value + there, rows, inside, D, D).to(tl.float32)
                change = weight * (tl.sum(dy * v, 1) - along) * scale
                total += change[:, None] * load(key + there, rows, inside, D, D).to(tl.float32)
        store(of_query + here, rows, inside, total, D, D)
    for other in tl.static_range(T2):
        there = start + other * N * D
        k = load(key + there, rows, inside, D, D).to(tl.float32)
        v = load(value + there, rows, inside, D, D).to(tl.float32)
        total_key, total_value = tl.zeros([ROWS, D], tl.float32), tl.zeros([ROWS, D], tl.float32)
        for session in tl.static_range(T2):
            if other <= session:
                here = start + session * N * D
                q = load(query + here, rows, inside, D, D).to(tl.float32)
                dy = load(gradient + here, rows, inside, D, D).to(tl.float32)
                along = tl.sum(dy * load(attended + here, rows, inside, D, D).to(tl.float32), 1)
                logarithm = _weights(q, key + start, rows, inside, session, scale, N, T2, D)
                weight = tl.exp(tl.sum(q * k, 1) * scale - logarithm)
                total_value += weight[:, None] * dy
                total_key += (weight * (tl.sum(dy * v, 1) - along) * scale)[:, None] * q
        store(of_key + there, rows, inside, tl.where(k > 0, total_key, 0.0), D, D)
        store(of_value + there, rows, inside, tl.where(v > 0, total_value, 0.0), D, D)


def head(x: Tensor, weights: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """K numbers, float32 [..., K], of states [..., D]: a map of the ReLU of a map, with their weights and biases."""
    found: Tensor = _Head.apply(x.contiguous(), *weights)
    return found


class _Head(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, first: Tensor, first_bias: Tensor, second: Tensor, second_bias: Tensor) -> Tensor:
        (numbers, width), count = second.shape, x.numel() // x.shape[-1]
        result = torch.empty(*x.shape[:-1], numbers, dtype=torch.float32, device=x.device)
        head_kernel[(triton.cdiv(count, HEAD_ROWS),)](
            x,
            first,
            first_bias,
            second,
            second_bias,
            result,
            count,
            K=numbers,
            D=width,
            ROWS=HEAD_ROWS,
            num_warps=HEAD_WARPS,
        )
        ctx.save_for_backward(x, first, first_bias, second)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        x, first, first_bias, second = ctx.saved_tensors
        (numbers, width), count = second.shape, x.numel() // x.shape[-1]
        parts = triton.cdiv(count, HEAD_ROWS)
        sizes = [width * width, width, numbers * width, numbers]
        of_x, sums = torch.empty_like(x), torch.empty(parts, sum(sizes), dtype=torch.float32, device=x.device)
        head_gradient_kernel[(parts,)](
            gradients[0].contiguous(),
            x,
            first,
            first_bias,
            second,
            of_x,
            sums,
            count,
            K=numbers,
            D=width,
            ROWS=HEAD_ROWS,
            num_warps=HEAD_WARPS,
        )
        totals = torch.empty(sum(sizes), dtype=torch.float32, device=x.device)
        sum_kernel[triton.cdiv(len(totals), 128), 1](sums, totals, parts, len(totals), ROWS=64, COLUMNS=128)
        of_first, of_first_bias, of_second, of_second_bias = totals.split(sizes)
        return of_x, of_first.view_as(first), of_first_bias, of_second.view_as(second), of_second_bias


def fusion(
    low: Tensor,
    high: Tensor,
    maps: tuple[Tensor, ...],
    out: tuple[Tensor, Tensor],
    mlp: tuple[Tensor, Tensor, Tensor, Tensor],
    epsilon: float,
) -> Tensor:
    """The causal attention of `AdaptiveFusion` with all around it: [B, T2, N, D].

    Args:
        low, high: [B, T2, N, D].
        maps: weights and biases of queries, keys and values.
        out: weight and bias of the map of what was attended.
        mlp: weights and biases of its two maps.
        epsilon: of the norms.
    """
    found: Tensor = _Fusion.apply(low.contiguous(), high.contiguous(), epsilon, *maps, *out, *mlp)
    return found


class _Fusion(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, low: Tensor, high: Tensor, epsilon: float, *weights: Tensor) -> Tensor:
        asking, leaving, (batch, sessions, stocks, width) = weights[:6], weights[6:], low.shape
        grid, count, options = launch(low)
        query, key, value, attended = (torch.empty_like(low) for _ in range(4))
        ask_kernel[grid](low, high, *asking, query, key, value, count, **options)
        ctx.sizes = {"N": stocks, "scale": width**-0.5, "T2": sessions, "D": width, "ROWS": STOCKS}
        ctx.grid = batch, triton.cdiv(stocks, STOCKS)
        look_kernel[ctx.grid](query, key, value, attended, **ctx.sizes)
        z, hidden, result, scales = leave(attended, low, low, leaving, epsilon, norm=True)
        ctx.save_for_backward(
            low, high, query, key, value, attended, z, hidden, result, scales, *asking[::2], *leaving[::2]
        )
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        low, high, query, key, value, attended, z, hidden, result, scales, *weights = ctx.saved_tensors
        query_weight, key_weight, value_weight, out_weight, first, second = weights
        gradient = gradients[0].contiguous()
        grid, count, options = launch(low)
        of_second, of_first, of_out, of_attended = leave_gradients(
            gradient, z, hidden, result, scales, (out_weight, first, second), norm=True
        )
        of_low, of_high = torch.empty_like(low), torch.empty_like(low)
        of_query, of_key, of_value = (torch.empty_like(low) for _ in range(3))
        look_gradient_kernel[ctx.grid](
            of_attended, query, key, value, attended, of_query, of_key, of_value, **ctx.sizes
        )
        ask_gradient_kernel[grid](
            of_query,
            of_key,
            of_value,
            of_out,
            query_weight,
            key_weight,
            value_weight,
            of_low,
            of_high,
            count,
            **options,
        )
        width = low.shape[-1]
        of_asking = weight_gradients([(of_query, low), (of_key, high), (of_value, high)], width)
        of_leaving = weight_gradients([(of_out, attended), (of_first, z), (of_second, hidden)], width)
        return of_low, of_high, None, *of_asking, *of_leaving
