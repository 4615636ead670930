"""The layers' passes over the states as single kernels, for a GPU.

Each program takes some rows; sums have a fixed order, so the same inputs give the same bits.

Shapes: M rows, D width, B batch, T1 and T2 sessions in and out, C columns.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

NORM_ROWS = 16
SUM_ROWS = 128
TIME_STOCKS = 4


@triton.jit
def _place(count, D, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Where a program's rows lie, and which of its places are inside [count, D]."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.arange(0, COLUMNS)
    return rows[:, None] * D + columns[None, :], (rows[:, None] < count) & (columns[None, :] < D)


@triton.jit
def normalised(total, inside, D, epsilon):  # type: ignore[no-untyped-def]
    """Rows of D values in float32 with mean 0 and variance 1, and 1 / standard deviation of each before."""
    centred = tl.where(inside, total - (tl.sum(total, 1) / D)[:, None], 0.0)
    one_over = 1 / tl.sqrt(tl.sum(centred * centred, 1) / D + epsilon)
    return centred * one_over[:, None], one_over


@triton.jit
def norm_change(dy, y, one_over, D):  # type: ignore[no-untyped-def]
    """The gradient dy at the normalised rows y, at what was normalised; all float32."""
    along = tl.sum(dy * y, 1) / D
    return (dy - (tl.sum(dy, 1) / D)[:, None] - y * along[:, None]) * one_over[:, None]


@triton.jit
def residual_norm_kernel(  # type: ignore[no-untyped-def]
    x, y, out, scale, count, D, epsilon, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    place, inside = _place(count, D, ROWS, COLUMNS)
    total = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    total += tl.load(y + place, mask=inside, other=0.0).to(tl.float32)
    found, one_over = normalised(total, inside, D, epsilon)
    tl.store(out + place, found.to(out.dtype.element_ty), mask=inside)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    tl.store(scale + rows, one_over, mask=rows < count)


@triton.jit
def norm_gradient_kernel(  # type: ignore[no-untyped-def]
    gradient, out, scale, result, count, D, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    place, inside = _place(count, D, ROWS, COLUMNS)
    dy = tl.load(gradient + place, mask=inside, other=0.0).to(tl.float32)
    y = tl.load(out + place, mask=inside, other=0.0).to(tl.float32)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    one_over = tl.load(scale + rows, mask=rows < count, other=0.0)
    tl.store(result + place, norm_change(dy, y, one_over, D).to(result.dtype.element_ty), mask=inside)


@triton.jit
def through_relu_kernel(  # type: ignore[no-untyped-def]
    gradient, activated, result, sums, count, D, RELU: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    place, inside = _place(count, D, ROWS, COLUMNS)
    dy = tl.load(gradient + place, mask=inside, other=0.0)
    if RELU:
        y = tl.load(activated + place, mask=inside, other=0.0)
        dy = tl.where(y > 0, dy, 0.0).to(dy.dtype)
        tl.store(result + place, dy, mask=inside)
    columns = tl.arange(0, COLUMNS)
    tl.store(sums + tl.program_id(0) * D + columns, tl.sum(dy.to(tl.float32), 0), mask=columns < D)


@triton.jit(do_not_specialize=["count"])
def sum_kernel(sums, total, count, D, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Of each of several arrays [count, D] that lie behind one another the sum of its rows."""
    sums += tl.program_id(1) * count * D
    total += tl.program_id(1) * D
    columns = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    found = tl.zeros([ROWS, COLUMNS], tl.float32)
    for start in range(0, count, ROWS):
        rows = start + tl.arange(0, ROWS)
        inside = (rows[:, None] < count) & (columns[None, :] < D)
        found += tl.load(sums + rows[:, None] * D + columns[None, :], mask=inside, other=0.0)
    tl.store(total + columns, tl.sum(found, 0).to(total.dtype.element_ty), mask=columns < D)


@triton.jit(do_not_specialize=["N", "T2"])
def over_time_kernel(  # type: ignore[no-untyped-def]
    x,
    present,
    weight,
    out,
    N,
    D,
    T2,
    T1: tl.constexpr,
    HORIZONS: tl.constexpr,
    STOCKS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    batch, later, columns = tl.program_id(0), tl.arange(0, HORIZONS), tl.arange(0, COLUMNS)
    for number in tl.static_range(STOCKS):
        stock = tl.program_id(1) * STOCKS + number
        inside = (columns < D) & (stock < N)
        total = tl.zeros([HORIZONS, COLUMNS], tl.float32)
        for session in tl.static_range(T1):
            row = (batch * T1 + session) * N + stock
            there = tl.load(present + row, mask=stock < N, other=0) != 0
            given = tl.load(x + row * D + columns, mask=inside & there, other=0.0).to(tl.float32)
            share = tl.load(weight + later * T1 + session, mask=later < T2, other=0.0).to(tl.float32)
            total += share[:, None] * given[None, :]
        place = out + ((batch * T2 + later[:, None]) * N + stock) * D + columns[None, :]
        tl.store(place, total.to(out.dtype.element_ty), mask=(later[:, None] < T2) & inside[None, :])


@triton.jit(do_not_specialize=["N", "T2"])
def over_time_gradient_kernel(  # type: ignore[no-untyped-def]
    gradient,
    x,
    present,
    weight,
    of_x,
    sums,
    N,
    D,
    T2,
    T1: tl.constexpr,
    HORIZONS: tl.constexpr,
    SESSIONS: tl.constexpr,
    STOCKS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    batch, sessions, columns = tl.program_id(0), tl.arange(0, SESSIONS), tl.arange(0, COLUMNS)
    later = tl.arange(0, HORIZONS)
    of_weight = tl.zeros([HORIZONS, SESSIONS], tl.float32)
    for number in tl.static_range(STOCKS):
        stock = tl.program_id(1) * STOCKS + number
        rows = (batch * T1 + sessions) * N + stock
        there = tl.load(present + rows, mask=(sessions < T1) & (stock < N), other=0) != 0
        inside = there[:, None] & (columns[None, :] < D)
        place = rows[:, None] * D + columns[None, :]
        given = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
        total = tl.zeros([SESSIONS, COLUMNS], tl.float32)
        for horizon in tl.static_range(HORIZONS):
            known = (horizon < T2) & (stock < N)
            share = tl.load(weight + horizon * T1 + sessions, mask=(sessions < T1) & known, other=0.0).to(tl.float32)
            row = gradient + ((batch * T2 + horizon) * N + stock) * D
            dy = tl.load(row + columns, mask=(columns < D) & known, other=0.0).to(tl.float32)
            total += share[:, None] * dy[None, :]
            of_weight += tl.where(later[:, None] == horizon, tl.sum(given * dy[None, :], 1)[None, :], 0.0)
        written = (sessions[:, None] < T1) & (columns[None, :] < D) & (stock < N)
        tl.store(of_x + place, tl.where(there[:, None], total, 0.0).to(of_x.dtype.element_ty), mask=written)
    part = (batch * tl.num_programs(1) + tl.program_id(1)) * T2
    place = sums + (part + later[:, None]) * T1 + sessions[None, :]
    tl.store(place, of_weight, mask=(later[:, None] < T2) & (sessions[None, :] < T1))


def residual_norm(x: Tensor, y: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """LayerNorm(x + y) of [..., D], and 1 / standard deviation of each row [..., 1], float32."""
    x, y, width = x.contiguous(), y.contiguous(), x.shape[-1]
    out, scale = torch.empty_like(x), torch.empty(*x.shape[:-1], 1, dtype=torch.float32, device=x.device)
    grid, count = (triton.cdiv(scale.numel(), NORM_ROWS),), scale.numel()
    columns = triton.next_power_of_2(width)
    residual_norm_kernel[grid](x, y, out, scale, count, width, epsilon, ROWS=NORM_ROWS, COLUMNS=columns)
    return out, scale


def norm_gradient(gradient: Tensor, out: Tensor, scale: Tensor) -> Tensor:
    """The gradient at what was normalised to `out`, [..., D]."""
    gradient, width, count = gradient.contiguous(), out.shape[-1], scale.numel()
    result = torch.empty_like(out)
    grid, columns = (triton.cdiv(count, NORM_ROWS),), triton.next_power_of_2(width)
    norm_gradient_kernel[grid](gradient, out, scale, result, count, width, ROWS=NORM_ROWS, COLUMNS=columns)
    return result


def through_relu(rows: Tensor, activated: Tensor | None) -> tuple[Tensor, Tensor]:
    """Rows [M, D], 0 where `activated` is (None is nowhere), and their sum [D]."""
    rows, (count, width) = rows.contiguous(), rows.shape
    result = rows if activated is None else torch.empty_like(rows)
    grid, columns = (triton.cdiv(count, SUM_ROWS),), triton.next_power_of_2(width)
    sums = torch.empty(grid[0], width, dtype=torch.float32, device=rows.device)
    given = rows if activated is None else activated.contiguous()
    through_relu_kernel[grid](
        rows, given, result, sums, count, width, RELU=activated is not None, ROWS=SUM_ROWS, COLUMNS=columns
    )
    total = torch.empty(width, dtype=rows.dtype, device=rows.device)
    sum_kernel[(triton.cdiv(width, 32),)](sums, total, grid[0], width, ROWS=64, COLUMNS=32)
    return result, total


def over_time(x: Tensor, present: Tensor, weight: Tensor) -> Tensor:
    """[T2, T1] applied to the sessions of [B, T1, N, D], what is not `present` (uint8 [B, T1, N]) being 0."""
    x, weight, (batch, length, stocks, width) = x.contiguous(), weight.contiguous(), x.shape
    out = torch.empty(batch, len(weight), stocks, width, dtype=x.dtype, device=x.device)
    over_time_kernel[batch, triton.cdiv(stocks, TIME_STOCKS)](
        x, present, weight, out, stocks, width, len(weight), T1=length, **_over_time_sizes(len(weight), width)
    )
    return out


def over_time_gradients(gradient: Tensor, x: Tensor, present: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Of the gradient [B, T2, N, D] at `over_time`: that at x [B, T1, N, D] and at weight [T2, T1]."""
    gradient, x, weight = gradient.contiguous(), x.contiguous(), weight.contiguous()
    batch, length, stocks, width = x.shape
    of_x, grid = torch.empty_like(x), (batch, triton.cdiv(stocks, TIME_STOCKS))
    sums = torch.empty(grid[0] * grid[1], *weight.shape, dtype=torch.float32, device=x.device)
    over_time_gradient_kernel[grid](
        gradient,
        x,
        present,
        weight,
        of_x,
        sums,
        stocks,
        width,
        len(weight),
        T1=length,
        SESSIONS=triton.next_power_of_2(length),
        **_over_time_sizes(len(weight), width),
    )
    return of_x, sums.sum(0).to(weight.dtype)


def _over_time_sizes(horizons: int, width: int) -> dict[str, int]:
    powers = {"HORIZONS": triton.next_power_of_2(horizons), "COLUMNS": triton.next_power_of_2(width)}
    return {**powers, "STOCKS": TIME_STOCKS}
