"""What the kernels of whole blocks share: rows and matrices of a program, maps, and the weights' gradients.

Shapes: B batch, T sessions, N stocks, D width (a power of 2, 16 at least), M = B·T·N rows.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from niftyformer_assets.model.layer_kernels import sum_kernel

# Rows a program takes, and its warps: one group of those that multiply together.
ROWS, WARPS = 64, 4
# For the weights' gradients: rows at a time and how many of them are loaded ahead; warps; and programs, about
# two for each of a large GPU's multiprocessors.
GRADIENT_ROWS, STAGES, GRADIENT_WARPS, PROGRAMS = 64, 3, 8, 256
# Kernels are not built anew for other numbers of these.
SIZES = ("count", "stocks", "sessions")


@triton.jit
def load(pointer, rows, inside, stride, D: tl.constexpr):  # type: ignore[no-untyped-def]
    return tl.load(pointer + rows[:, None] * stride + tl.arange(0, D)[None, :], mask=inside[:, None], other=0.0)


@triton.jit
def store(pointer, rows, inside, value, stride, D: tl.constexpr):  # type: ignore[no-untyped-def]
    place = pointer + rows[:, None] * stride + tl.arange(0, D)[None, :]
    tl.store(place, value.to(pointer.dtype.element_ty), mask=inside[:, None])


@triton.jit
def matrix(weight, stride, D: tl.constexpr):  # type: ignore[no-untyped-def]
    return tl.load(weight + tl.arange(0, D)[:, None] * stride + tl.arange(0, D)[None, :])


@triton.jit
def mapped(x, weight, stride, D: tl.constexpr):  # type: ignore[no-untyped-def]
    """x Wᵀ in float32."""
    return tl.dot(x, tl.trans(matrix(weight, stride, D)), input_precision="ieee")


@triton.jit
def mapped_back(dy, weight, stride, D: tl.constexpr):  # type: ignore[no-untyped-def]
    """The gradient dy of a map at what was mapped, in float32."""
    return tl.dot(dy, matrix(weight, stride, D), input_precision="ieee")


@triton.jit
def row_of(pointer, D: tl.constexpr):  # type: ignore[no-untyped-def]
    return tl.load(pointer + tl.arange(0, D)).to(tl.float32)[None, :]


@triton.jit(do_not_specialize=SIZES)
def weight_gradient_kernel(  # type: ignore[no-untyped-def]
    dy0,
    x0,
    dy1,
    x1,
    dy2,
    x2,
    dy3,
    x3,
    sums,
    count,
    x_stride,
    D: tl.constexpr,
    ROWS: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Of one of the pairs dy, x and one part of their rows: dyᵀ x [D, D], and behind it the sum of dy [D]."""
    pair, part, parts = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    dy, x = dy0, x0
    if pair == 1:
        dy, x = dy1, x1
    elif pair == 2:
        dy, x = dy2, x2
    elif pair == 3:
        dy, x = dy3, x3
    each = tl.cdiv(tl.cdiv(count, parts), ROWS) * ROWS
    total, total_bias = tl.zeros([D, D], tl.float32), tl.zeros([D, 16], tl.float32)
    ones = tl.full([ROWS, 16], 1.0, dy0.dtype.element_ty)  # the narrowest product there is
    for step in tl.range(0, each, ROWS, num_stages=STAGES):
        rows = part * each + step + tl.arange(0, ROWS)
        inside = rows < count
        change = load(dy, rows, inside, D, D)
        total += tl.dot(tl.trans(change), load(x, rows, inside, x_stride, D), input_precision="ieee")
        total_bias += tl.dot(tl.trans(change), ones, input_precision="ieee")
    sums += (pair * parts + part) * (D * D + D)
    columns = tl.arange(0, D)
    tl.store(sums + columns[:, None] * D + columns[None, :], total)
    tl.store(sums + D * D + columns, tl.max(total_bias, 1))  # all 16 are the same


def launch(x: Tensor) -> tuple[tuple[int], int, dict[str, int]]:
    """Grid, rows and options for the rows of states [B, T, N, D]."""
    width, count = x.shape[-1], x.numel() // x.shape[-1]
    return (triton.cdiv(count, ROWS),), count, {"D": width, "ROWS": ROWS, "num_warps": WARPS, "num_stages": 1}


def weight_gradients(pairs: list[tuple[Tensor, Tensor]], width: int) -> list[Tensor]:
    """Of each pair of a map's gradient and what it mapped, M rows of D: the gradients of weight [D, D] and bias [D].

    All that was mapped lies equally far from row to row.
    """
    first = pairs[0][0]
    count, size = first.numel() // width, width * width + width
    padded = [array for pair in (pairs + pairs[:1] * 4)[:4] for array in pair]
    parts = min(PROGRAMS // len(pairs), triton.cdiv(count, GRADIENT_ROWS))
    sums = torch.empty(len(pairs), parts, size, dtype=torch.float32, device=first.device)
    weight_gradient_kernel[len(pairs), parts](
        *padded,
        sums,
        count,
        pairs[0][1].stride(-2),
        D=width,
        ROWS=GRADIENT_ROWS,
        STAGES=STAGES,
        num_warps=GRADIENT_WARPS,
    )
    totals = torch.empty(len(pairs), size, dtype=first.dtype, device=first.device)
    sum_kernel[triton.cdiv(size, 128), len(pairs)](sums, totals, parts, size, ROWS=64, COLUMNS=128)
    square = width * width
    return [part for total in totals for part in (total[:square].view(width, width), total[square:])]
