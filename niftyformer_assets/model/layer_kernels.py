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
TIME_COLUMNS = 256


@triton.jit
def _place(count, D, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Where a program's rows lie, and which of its places are inside [count, D]."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.arange(0, COLUMNS)
    return rows[:, None] * D + columns[None, :], (rows[:, None] < count) & (columns[None, :] < D)


@triton.jit
def residual_norm_kernel(  # type: ignore[no-untyped-def]
    x, y, out, scale, count, D, epsilon, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    place, inside = _place(count, D, ROWS, COLUMNS)
    total = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    total += tl.load(y + place, mask=inside, other=0.0).to(tl.float32)
    centred = tl.where(inside, total - (tl.sum(total, 1) / D)[:, None], 0.0)
    one_over = 1 / tl.sqrt(tl.sum(centred * centred, 1) / D + epsilon)
    tl.store(out + place, (centred * one_over[:, None]).to(out.dtype.element_ty), mask=inside)
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
    along = tl.sum(dy * y, 1) / D
    change = (dy - (tl.sum(dy, 1) / D)[:, None] - y * along[:, None]) * one_over[:, None]
    tl.store(result + place, change.to(result.dtype.element_ty), mask=inside)


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


@triton.jit
def sum_kernel(sums, total, count, D, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # type: ignore[no-untyped-def]
    columns = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    found = tl.zeros([ROWS, COLUMNS], tl.float32)
    for start in range(0, count, ROWS):
        rows = start + tl.arange(0, ROWS)
        inside = (rows[:, None] < count) & (columns[None, :] < D)
        found += tl.load(sums + rows[:, None] * D + columns[None, :], mask=inside, other=0.0)
    tl.store(total + columns, tl.sum(found, 0).to(total.dtype.element_ty), mask=columns < D)


@triton.jit
def over_time_kernel(  # type: ignore[no-untyped-def]
    x, weight, out, T1, T2, C, SESSIONS: tl.constexpr, COLUMNS: tl.constexpr
):
    batch, sessions = tl.program_id(0), tl.arange(0, SESSIONS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (sessions[:, None] < T1) & (columns[None, :] < C)
    given = tl.load(x + (batch * T1 + sessions[:, None]) * C + columns[None, :], mask=inside, other=0.0).to(tl.float32)
    for later in range(T2):
        share = tl.load(weight + later * T1 + sessions, mask=sessions < T1, other=0.0).to(tl.float32)
        total = tl.sum(share[:, None] * given, 0)
        tl.store(out + (batch * T2 + later) * C + columns, total.to(out.dtype.element_ty), mask=columns < C)


@triton.jit
def over_time_gradient_kernel(  # type: ignore[no-untyped-def]
    gradient, x, weight, of_x, sums, T1, T2, C, SESSIONS: tl.constexpr, COLUMNS: tl.constexpr
):
    batch, sessions = tl.program_id(0), tl.arange(0, SESSIONS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (sessions[:, None] < T1) & (columns[None, :] < C)
    place = (batch * T1 + sessions[:, None]) * C + columns[None, :]
    given = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    total = tl.zeros([SESSIONS, COLUMNS], tl.float32)
    part = (batch * tl.num_programs(1) + tl.program_id(1)) * T2
    for later in range(T2):
        share = tl.load(weight + later * T1 + sessions, mask=sessions < T1, other=0.0).to(tl.float32)
        dy = tl.load(gradient + (batch * T2 + later) * C + columns, mask=columns < C, other=0.0).to(tl.float32)
        total += share[:, None] * dy[None, :]
        tl.store(sums + (part + later) * T1 + sessions, tl.sum(given * dy[None, :], 1), mask=sessions < T1)
    tl.store(of_x + place, total.to(of_x.dtype.element_ty), mask=inside)


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


def over_time(x: Tensor, weight: Tensor) -> Tensor:
    """weight x: [T2, T1] and [B, T1, C] -> [B, T2, C]."""
    x, weight, (batch, length, count) = x.contiguous(), weight.contiguous(), x.shape
    out = torch.empty(batch, len(weight), count, dtype=x.dtype, device=x.device)
    grid, sessions = (batch, triton.cdiv(count, TIME_COLUMNS)), triton.next_power_of_2(length)
    over_time_kernel[grid](x, weight, out, length, len(weight), count, SESSIONS=sessions, COLUMNS=TIME_COLUMNS)
    return out


def over_time_gradients(gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Of the gradient [B, T2, C] at `over_time`: that at x [B, T1, C] and at weight [T2, T1]."""
    gradient, x, weight = gradient.contiguous(), x.contiguous(), weight.contiguous()
    batch, length, count = x.shape
    of_x, grid = torch.empty_like(x), (batch, triton.cdiv(count, TIME_COLUMNS))
    sums = torch.empty(grid[0] * grid[1], *weight.shape, dtype=torch.float32, device=x.device)
    over_time_gradient_kernel[grid](
        gradient,
        x,
        weight,
        of_x,
        sums,
        length,
        len(weight),
        count,
        SESSIONS=triton.next_power_of_2(length),
        COLUMNS=TIME_COLUMNS,
    )
    return of_x, sums.sum(0).to(weight.dtype)
