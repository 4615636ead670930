"""The layers that everything else is made of, each with a gradient that keeps and moves little.

What is written out here is what torch would do by itself with more passes over the states: a bias
is added where the product is written, a ReLU taken in place, a normalised state is kept instead of what
was normalised. On a GPU the passes are single kernels (`layer_kernels`), where whole blocks are not
(`block_kernels`). Where torch.compile comes, it gets the plain form of most, and finds what to join.

Shapes: B batch, T sessions, N stocks, M rows, D width.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from niftyformer_assets.model import gpu

NORM_EPSILON = 1e-5  # of torch's LayerNorm


def gpu_kernels(x: Tensor) -> ModuleType | None:
    """`layer_kernels` where they can be used for states [..., D]: on a GPU, in float32 or bfloat16."""
    if not (gpu.kernels_work and x.is_cuda) or x.dtype == torch.float64:
        return None
    from niftyformer_assets.model import layer_kernels

    return layer_kernels


class Linear(nn.Linear):
    """x Wᵀ + b, and its ReLU if asked for."""

    def __init__(self, width_in: int, width_out: int, relu: bool = False) -> None:
        super().__init__(width_in, width_out)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias, self.relu)


def mlp(width_in: int, width: int, width_out: int) -> nn.Sequential:
    """Linear-ReLU-Linear."""
    # The empty place is the ReLU's in the published numbering.
    return nn.Sequential(Linear(width_in, width, relu=True), nn.Identity(), Linear(width, width_out))


def weights_of(layers: nn.Sequential) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weight and bias of the first map of an `mlp`, and of its second."""
    first, _, second = layers
    assert isinstance(first, nn.Linear)
    assert isinstance(second, nn.Linear)
    return first.weight, first.bias, second.weight, second.bias


def linear(x: Tensor, weight: Tensor, bias: Tensor, relu: bool = False) -> Tensor:
    """x Wᵀ + b, and its ReLU if asked for."""
    if torch.compiler.is_compiling():
        y = functional.linear(x, weight, bias)
        return torch.relu(y) if relu else y
    found: Tensor = _Linear.apply(x, weight, bias, relu)
    return found


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, relu: bool) -> Tensor:
        y = product(x, weight, bias, relu)
        ctx.save_for_backward(x, weight, *([y] if relu else []))
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, weight, *activated = ctx.saved_tensors
        rows, of_bias = through_relu(gradients[0], activated[0] if activated else None)
        of_x = product(rows, weight.t()).view_as(x) if ctx.needs_input_grad[0] else None
        return of_x, rows.t() @ x.reshape(-1, x.shape[-1]), of_bias, None


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None, relu: bool = False) -> Tensor:
    """x Wᵀ + b and its ReLU, the bias added where the product is written if there is a way; without a gradient."""
    if _in_one_pass(x):
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight.contiguous(), bias, "none", [], "")
    else:
        y = functional.linear(x, weight, bias)
    return y.relu_() if relu else y  # oneDNN's own ReLU would make 0 of what is not a number


def _in_one_pass(x: Tensor) -> bool:
    # torch's own product copies the bias into place first, which on a CPU costs a third of the product.
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.bfloat16):
        return False
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def through_relu(gradient: Tensor, activated: Tensor | None) -> tuple[Tensor, Tensor]:
    """The gradient [..., D] as rows [M, D], 0 where `activated` [..., D] is, and the sum of the rows [D]."""
    rows = gradient.reshape(-1, gradient.shape[-1])
    if kernels := gpu_kernels(rows):
        return kernels.through_relu(rows, activated)
    if activated is not None:
        rows = torch.ops.aten.threshold_backward(rows, activated.reshape(rows.shape), 0)
    return rows, rows.sum(0)


def norm(x: Tensor) -> Tensor:
    """LayerNorm of x over the last dimension, without affine parameters."""
    return functional.layer_norm(x, x.shape[-1:], eps=NORM_EPSILON)


def residual_norm(x: Tensor, y: Tensor) -> Tensor:
    """LayerNorm(x + y) over the last dimension, without affine parameters."""
    if torch.compiler.is_compiling():
        return functional.layer_norm(x + y, x.shape[-1:])
    found: Tensor = _ResidualNorm.apply(x, y)
    return found


class _ResidualNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        if kernels := gpu_kernels(x):
            out, scale = kernels.residual_norm(x, y, NORM_EPSILON)
        else:
            out, _, scale = torch.native_layer_norm(x + y, x.shape[-1:], None, None, NORM_EPSILON)
        ctx.save_for_backward(out, scale)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        out, scale = ctx.saved_tensors
        if kernels := gpu_kernels(out):
            of_sum = kernels.norm_gradient(gradients[0], out, scale)
        else:
            # The gradient at what is normalised already, which has mean 0 and scale 1, times the scale.
            nothing, one = torch.zeros_like(scale), torch.ones_like(scale)
            of_sum, _, _ = torch.ops.aten.native_layer_norm_backward(
                gradients[0], out, out.shape[-1:], nothing, one, None, None, [True, False, False]
            )
            of_sum = of_sum.mul_(scale.to(of_sum.dtype))
        return of_sum, of_sum


def causal_convolution(x: Tensor, weight: Tensor, bias: Tensor, dropped: Tensor | None, share: float) -> Tensor:
    """ReLU of a map of each session and the one before it, then dropout.

    Args:
        x: [B, T, N, D]; before the first session lies zero.
        weight: [D, 2·D], of the session before and of the session.
        dropped: bool [B, T, N, D], what is set to 0; the others are scaled by 1 / (1 - share). None is nothing.
    """
    if torch.compiler.is_compiling():
        before = functional.pad(x[:, :-1], (0, 0, 0, 0, 1, 0))
        y = torch.relu(functional.linear(torch.cat([before, x], dim=-1), weight, bias))
        return y if dropped is None else y.masked_fill(dropped, 0) * (1 / (1 - share))
    found: Tensor = _CausalConvolution.apply(x, weight, bias, dropped, share)
    return found


class _CausalConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dropped: Tensor | None, share: float) -> Tensor:
        before, now = weight.chunk(2, dim=1)
        y = product(x, now, bias)
        y[:, 1:] += product(x[:, :-1], before)
        y.relu_()
        ctx.scale = 1.0
        if dropped is not None:
            ctx.scale = 1 / (1 - share)
            y.masked_fill_(dropped, 0).mul_(ctx.scale)
        ctx.save_for_backward(x, weight, y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, weight, y = ctx.saved_tensors
        before, now = weight.chunk(2, dim=1)
        rows, of_bias = through_relu(gradients[0], y)
        width = rows.shape[1]
        later, earlier = rows.view_as(x)[:, 1:].reshape(-1, width), x[:, :-1].reshape(-1, width)
        of_x = product(rows, now.t()).view_as(x)
        of_x[:, :-1] += product(later, before.t()).view_as(x[:, :-1])
        of_weight = torch.cat([later.t() @ earlier, rows.t() @ x.reshape(-1, width)], dim=1)
        if ctx.scale != 1:
            of_x, of_weight, of_bias = (part.mul_(ctx.scale) for part in (of_x, of_weight, of_bias))
        return of_x, of_weight, of_bias, None, None


def over_time(x: Tensor, present: Tensor, weight: Tensor) -> Tensor:
    """A linear map over sessions: [B, T1, N, D] and [T2, T1] -> [B, T2, N, D]; what is not `present` counts as 0.

    Args:
        present: bool [B, T1, N].
    """
    # Not left to the compiler either: so thin a product suits no kernel for products.
    found: Tensor = _OverTime.apply(x, present, weight)
    return found


class _OverTime(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, present: Tensor, weight: Tensor) -> Tensor:
        if kernels := gpu_kernels(x):
            present = present.to(torch.uint8)
            ctx.save_for_backward(x, present, weight)
            return kernels.over_time(x, present, weight)
        there = present.unsqueeze(-1).to(x.dtype)
        x = x * there
        ctx.save_for_backward(x, there, weight)
        return torch.matmul(weight, x.flatten(2)).unflatten(-1, x.shape[2:])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor]:
        x, present, weight = ctx.saved_tensors
        if kernels := gpu_kernels(x):
            of_x, of_weight = kernels.over_time_gradients(gradients[0], x, present, weight)
            return of_x, None, of_weight
        gradient = gradients[0].flatten(2)
        of_x = torch.matmul(weight.t(), gradient).view_as(x).mul_(present)
        return of_x, None, torch.matmul(gradient, x.flatten(2).transpose(1, 2)).sum(0)
