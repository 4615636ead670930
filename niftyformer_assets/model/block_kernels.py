"""An attention with the maps, norms and MLP around it, and the causal convolution, in few kernels, for a GPU.

A state is read once for as many maps as follow one another, so what moves through memory is what the
next part or the gradient needs. Each program takes some rows, with whole maps at hand; sums have a
fixed order, so the same inputs give the same bits.

Shapes: B batch, T sessions, N stocks, D width (a power of 2, 16 at least), M = B·T·N rows.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from niftyformer_assets.model import attention_kernels
from niftyformer_assets.model.layer_kernels import norm_change, normalised
from niftyformer_assets.model.row_kernels import (
    SIZES,
    launch,
    load,
    mapped,
    mapped_back,
    row_of,
    store,
    weight_gradients,
)


@triton.jit(do_not_specialize=SIZES)
def enter_kernel(  # type: ignore[no-untyped-def]
    x, addend, weight, bias, state, query, count, stocks, BY_STOCK: tl.constexpr, D: tl.constexpr, ROWS: tl.constexpr
):
    """state = x + addend, which has a row a stock or a session; query = its map."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = rows < count
    which = rows % stocks if BY_STOCK else rows // stocks
    total = load(x, rows, inside, D, D).to(tl.float32) + load(addend, which, inside, D, D).to(tl.float32)
    narrow = total.to(state.dtype.element_ty)
    store(state, rows, inside, narrow, D, D)
    store(query, rows, inside, mapped(narrow, weight, D, D) + row_of(bias, D), D, D)


@triton.jit(do_not_specialize=SIZES)
def leave_kernel(  # type: ignore[no-untyped-def]
    attended,
    state,
    x,
    out_weight,
    out_bias,
    first_weight,
    first_bias,
    second_weight,
    second_bias,
    z,
    z_scale,
    hidden,
    result,
    result_scale,
    count,
    epsilon,
    NORM: tl.constexpr,
    D: tl.constexpr,
    ROWS: tl.constexpr,
):
    """z = LN(state + map of what was attended); hidden = ReLU of its map; m = a map of that; LN(z + m), or x + m."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = rows < count
    total = mapped(load(attended, rows, inside, D, D), out_weight, D, D) + row_of(out_bias, D)
    total += load(state, rows, inside, D, D).to(tl.float32)
    found, scale = normalised(total, inside[:, None], D, epsilon)
    narrow = found.to(z.dtype.element_ty)
    store(z, rows, inside, narrow, D, D)
    tl.store(z_scale + rows, scale, mask=inside)
    total = mapped(narrow, first_weight, D, D) + row_of(first_bias, D)
    activated = tl.where(total < 0, 0.0, total).to(hidden.dtype.element_ty)  # so what is not a number stays so
    store(hidden, rows, inside, activated, D, D)
    total = mapped(activated, second_weight, D, D) + row_of(second_bias, D)
    if NORM:
        found, scale = normalised(total + narrow.to(tl.float32), inside[:, None], D, epsilon)
        store(result, rows, inside, found, D, D)
        tl.store(result_scale + rows, scale, mask=inside)
    else:
        store(result, rows, inside, total + load(x, rows, inside, D, D).to(tl.float32), D, D)


@triton.jit(do_not_specialize=SIZES)
def leave_gradient_kernel(  # type: ignore[no-untyped-def]
    gradient,
    result,
    result_scale,
    hidden,
    z,
    z_scale,
    out_weight,
    first_weight,
    second_weight,
    of_second,
    of_first,
    of_out,
    of_attended,
    count,
    NORM: tl.constexpr,
    D: tl.constexpr,
    ROWS: tl.constexpr,
):
    """The gradients at what each of the three maps gave, and at what was attended. Without a norm that at the
    second map's result is the gradient itself, and is not written."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = rows < count
    dy = load(gradient, rows, inside, D, D)
    if NORM:
        scale = tl.load(result_scale + rows, mask=inside, other=0.0)
        changed = norm_change(dy.to(tl.float32), load(result, rows, inside, D, D).to(tl.float32), scale, D)
        dy = changed.to(dy.dtype)
        store(of_second, rows, inside, dy, D, D)
    of_hidden = tl.where(load(hidden, rows, inside, D, D) > 0, mapped_back(dy, second_weight, D, D), 0.0).to(dy.dtype)
    store(of_first, rows, inside, of_hidden, D, D)
    of_z = mapped_back(of_hidden, first_weight, D, D)
    if NORM:
        of_z += dy.to(tl.float32)
    scale = tl.load(z_scale + rows, mask=inside, other=0.0)
    of_sum = norm_change(of_z, load(z, rows, inside, D, D).to(tl.float32), scale, D).to(dy.dtype)
    store(of_out, rows, inside, of_sum, D, D)
    store(of_attended, rows, inside, mapped_back(of_sum, out_weight, D, D), D, D)


@triton.jit(do_not_specialize=SIZES)
def enter_gradient_kernel(  # type: ignore[no-untyped-def]
    gradient,
    of_query,
    of_state,
    of_out,
    weight,
    of_x,
    count,
    RESIDUAL: tl.constexpr,
    D: tl.constexpr,
    ROWS: tl.constexpr,
):
    """The gradient at x: through the query, the states attended to, the norm and what was added at the end."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = rows < count
    total = mapped_back(load(of_query, rows, inside, D, D), weight, D, D)
    total += load(of_state, rows, inside, D, D).to(tl.float32) + load(of_out, rows, inside, D, D).to(tl.float32)
    if RESIDUAL:
        total += load(gradient, rows, inside, D, D).to(tl.float32)
    store(of_x, rows, inside, total, D, D)


@triton.jit
def _present(present, rows, inside):  # type: ignore[no-untyped-def]
    return (tl.load(present + rows, mask=inside, other=0) != 0)[:, None]


@triton.jit(do_not_specialize=SIZES)
def convolve_kernel(  # type: ignore[no-untyped-def]
    x,
    present,
    weight,
    bias,
    dropped,
    both,
    y,
    count,
    stocks,
    sessions,
    scale,
    DROP: tl.constexpr,
    D: tl.constexpr,
    ROWS: tl.constexpr,
):
    """both = the states of the session before and of the session, 0 where absent; y = dropout of ReLU of their map."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = rows < count
    earlier = rows - stocks
    later = inside & (rows // stocks % sessions > 0)
    before = load(x, earlier, later, D, D)
    before = tl.where(_present(present, earlier, later), before, 0.0).to(before.dtype)
    now = load(x, rows, inside, D, D)
    now = tl.where(_present(present, rows, inside), now, 0.0).to(now.dtype)
    store(both, rows, inside, before, 2 * D, D)
    store(both + D, rows, inside, now, 2 * D, D)
    total = mapped(before, weight, 2 * D, D) + mapped(now, weight + D, 2 * D, D) + row_of(bias, D)
    total = tl.where(total < 0, 0.0, total)
    if DROP:
        gone = tl.load(dropped + rows[:, None] * D + tl.arange(0, D)[None, :], mask=inside[:, None], other=0) != 0
        total = tl.where(gone, 0.0, total * scale)
    store(y, rows, inside, total, D, D)


@triton.jit
def _through_relu(gradient, y, rows, inside, scale, D: tl.constexpr):  # type: ignore[no-untyped-def]
    dy = load(gradient, rows, inside, D, D)
    return tl.where(load(y, rows, inside, D, D) > 0, dy.to(tl.float32) * scale, 0.0).to(dy.dtype)


@triton.jit(do_not_specialize=SIZES)
def convolve_gradient_kernel(  # type: ignore[no-untyped-def]
    gradient,
    y,
    present,
    weight,
    of_map,
    of_x,
    count,
    stocks,
    sessions,
    scale,
    D: tl.constexpr,
    ROWS: tl.constexpr,
):
    """The gradients at what the map gave, and at x: a state counts for its session and for the one after it."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = rows < count
    dy = _through_relu(gradient, y, rows, inside, scale, D)
    store(of_map, rows, inside, dy, D, D)
    followed = inside & (rows // stocks % sessions < sessions - 1)
    after = _through_relu(gradient, y, rows + stocks, followed, scale, D)
    total = mapped_back(dy, weight + D, 2 * D, D) + mapped_back(after, weight, 2 * D, D)
    store(of_x, rows, inside, tl.where(_present(present, rows, inside), total, 0.0), D, D)


def attention_block(
    x: Tensor,
    addend: Tensor,
    present: Tensor,
    over_stocks: bool,
    maps: tuple[Tensor, Tensor, Tensor, Tensor],
    mlp: tuple[Tensor, Tensor, Tensor, Tensor],
    epsilon: float,
) -> Tensor:
    """An attention over stocks, with x added at its end, or over sessions, with a norm there: [B, T, N, D].

    Args:
        x: [B, T, N, D].
        addend: what is added to x first, [N, D] for each stock or [B, T, 1, D] for each session.
        present: bool [B, T, N].
        maps: weight and bias of the query and of what was attended, `Projections`.
        mlp: weights and biases of its two maps.
        epsilon: of the norms.
    """
    found: Tensor = _AttentionBlock.apply(x, addend, present, over_stocks, epsilon, *maps, *mlp)
    return found


class _AttentionBlock(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        addend: Tensor,
        present: Tensor,
        over_stocks: bool,
        epsilon: float,
        query_weight: Tensor,
        query_bias: Tensor,
        out_weight: Tensor,
        out_bias: Tensor,
        first_weight: Tensor,
        first_bias: Tensor,
        second_weight: Tensor,
        second_bias: Tensor,
    ) -> Tensor:
        x, addend = x.contiguous(), addend.contiguous()
        grid, count, options = launch(x)
        state, query = torch.empty_like(x), torch.empty_like(x)
        enter_kernel[grid](
            x, addend, query_weight, query_bias, state, query, count, x.shape[2], BY_STOCK=over_stocks, **options
        )
        attention = attention_kernels.attend(query, state, present, over_stocks)
        behind = (out_weight, out_bias, first_weight, first_bias, second_weight, second_bias)
        z, hidden, result, scales = leave(attention.taken, state, x, behind, epsilon, norm=not over_stocks)
        ctx.save_for_backward(
            query, state, *attention, z, hidden, result, scales, query_weight, out_weight, first_weight, second_weight
        )
        ctx.over_stocks = over_stocks
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, state, *kept, z, hidden, result, scales, query_weight, out_weight, first, second = ctx.saved_tensors
        attention, over_stocks = attention_kernels.Attention(*kept), ctx.over_stocks
        gradient = gradients[0].contiguous()
        grid, count, options = launch(gradient)
        of_second, of_first, of_out, of_attended = leave_gradients(
            gradient, z, hidden, result, scales, (out_weight, first, second), norm=not over_stocks
        )
        of_x = torch.empty_like(gradient)
        of_query, of_state = attention_kernels.gradients(of_attended, query, state, attention, over_stocks)
        enter_gradient_kernel[grid](
            gradient, of_query, of_state, of_out, query_weight, of_x, count, RESIDUAL=over_stocks, **options
        )
        of_weights = weight_gradients(
            [(of_query, state), (of_out, attention.taken), (of_first, z), (of_second, hidden)], gradient.shape[-1]
        )
        # The graph's embedding is not trained; a session's addend is that of all its stocks.
        of_addend = None if over_stocks else of_x.sum(2, keepdim=True)
        return of_x, of_addend, None, None, None, *of_weights


def leave(
    attended: Tensor, state: Tensor, x: Tensor, weights: tuple[Tensor, ...], epsilon: float, norm: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What `leave_kernel` makes of states [..., D]: z, hidden, result, and 1 / standard deviation of both norms [2, M].

    Args:
        weights: weight and bias of the map of what was attended, and of the MLP's two.
    """
    grid, count, options = launch(x)
    z, hidden, result = (torch.empty_like(x) for _ in range(3))
    scales = torch.empty(2, count, dtype=torch.float32, device=x.device)
    leave_kernel[grid](
        attended, state, x, *weights, z, scales[0], hidden, result, scales[1], count, epsilon, NORM=norm, **options
    )
    return z, hidden, result, scales


def leave_gradients(
    gradient: Tensor,
    z: Tensor,
    hidden: Tensor,
    result: Tensor,
    scales: Tensor,
    weights: tuple[Tensor, Tensor, Tensor],
    norm: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of the gradient at `leave`'s result: those at what its last, its first and its outer map gave, and at what was
    attended. Without a norm the first of them is the gradient itself."""
    grid, count, options = launch(gradient)
    of_second = torch.empty_like(gradient) if norm else gradient
    of_first, of_out, of_attended = (torch.empty_like(gradient) for _ in range(3))
    leave_gradient_kernel[grid](
        gradient,
        result,
        scales[1],
        hidden,
        z,
        scales[0],
        *weights,
        of_second,
        of_first,
        of_out,
        of_attended,
        count,
        NORM=norm,
        **options,
    )
    return of_second, of_first, of_out, of_attended


def causal_convolution(
    x: Tensor, present: Tensor, weight: Tensor, bias: Tensor, dropped: Tensor | None, share: float
) -> Tensor:
    """`layers.causal_convolution` of states [B, T, N, D] that are 0 where not `present`, bool [B, T, N]."""
    found: Tensor = _CausalConvolution.apply(x, present, weight, bias, dropped, share)
    return found


class _CausalConvolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, present: Tensor, weight: Tensor, bias: Tensor, dropped: Tensor | None, share: float
    ) -> Tensor:
        x, present, weight = x.contiguous(), present.to(torch.uint8), weight.contiguous()
        grid, count, options = launch(x)
        both, y = torch.empty(count, 2 * x.shape[3], dtype=x.dtype, device=x.device), torch.empty_like(x)
        ctx.scale = 1.0 if dropped is None else 1 / (1 - share)
        gone = present if dropped is None else dropped.contiguous()
        convolve_kernel[grid](
            x,
            present,
            weight,
            bias,
            gone,
            both,
            y,
            count,
            x.shape[2],
            x.shape[1],
            ctx.scale,
            DROP=dropped is not None,
            **options,
        )
        ctx.save_for_backward(present, weight, both, y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        present, weight, both, y = ctx.saved_tensors
        gradient, width = gradients[0].contiguous(), y.shape[3]
        grid, count, options = launch(y)
        of_map, of_x = torch.empty_like(y), torch.empty_like(y)
        convolve_gradient_kernel[grid](
            gradient, y, present, weight, of_map, of_x, count, y.shape[2], y.shape[1], ctx.scale, **options
        )
        before, bias, now, _ = weight_gradients([(of_map, both), (of_map, both[:, width:])], width)
        return of_x, None, torch.cat([before, now], dim=1), bias, None, None
