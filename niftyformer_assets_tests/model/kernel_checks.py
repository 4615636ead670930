"""The GPU's kernels beside what they stand for; on a machine without a GPU in Triton's interpreter.

TRITON_INTERPRET=1 python -m niftyformer_assets_tests.model.kernel_checks
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from niftyformer_assets.model import block_kernels, gpu, head_kernels, layer_kernels
from niftyformer_assets.model.attention import Projections, SpatialAttention, TemporalAttention, masks, projections
from niftyformer_assets.model.blocks import AdaptiveFusion
from niftyformer_assets.model.layers import NORM_EPSILON, causal_convolution, mlp, weights_of

# B, T, N, D: sizes that are no multiple of a tile, and more than one tile.
SHAPES = ((2, 5, 7, 16), (1, 20, 70, 32))


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-4) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def check_attention(device: torch.device) -> None:
    """Attention with all around it, over stocks and over sessions, with stocks and sessions missing."""
    for shape, block in product(SHAPES, (TemporalAttention, SpatialAttention)):
        torch.manual_seed(0)
        width, over_stocks = shape[-1], block is SpatialAttention
        addend_shape = shape[2:] if over_stocks else (*shape[:2], 1, width)
        present = (torch.rand(shape[:3]) > 0.15).to(device)
        present[0, 0] = False  # a session without anybody
        plain = block(width, 1).to(device)
        maps = Projections(*(part.detach().requires_grad_() for part in projections([plain], torch.float32)[0]))
        x, addend = (torch.randn(size, device=device).requires_grad_() for size in (shape, addend_shape))
        # Nobody looks at what the absent get, so no gradient comes from there.
        gradient = torch.randn(shape).to(device) * present.unsqueeze(-1)
        expected = plain(x, addend, maps, masks(present, torch.float32))
        found = block_kernels.attention_block(
            x, addend, present, over_stocks, maps, weights_of(plain.mlp), NORM_EPSILON
        )
        close(found[present], expected[present])
        inputs = [x, *maps, *weights_of(plain.mlp), *([] if over_stocks else [addend])]
        for mine, theirs in zip(
            torch.autograd.grad(found, inputs, gradient), torch.autograd.grad(expected, inputs, gradient), strict=True
        ):
            close(mine, theirs)


def check_convolution(device: torch.device) -> None:
    """With and without dropout, with stocks and sessions missing."""
    for shape in SHAPES:
        torch.manual_seed(0)
        width, present = shape[-1], (torch.rand(shape[:3]) > 0.15).to(device)
        x, weight, bias = (
            torch.randn(size, device=device).requires_grad_() for size in (shape, (width, 2 * width), (width,))
        )
        for dropped in (None, torch.rand(shape).to(device) < 0.3):
            expected = causal_convolution(x * present.unsqueeze(-1), weight, bias, dropped, 0.3)
            found = block_kernels.causal_convolution(x, present, weight, bias, dropped, 0.3)
            close(found, expected)
            gradient, inputs = torch.randn(shape, device=device), (x, weight, bias)
            for mine, theirs in zip(
                torch.autograd.grad(found, inputs, gradient),
                torch.autograd.grad(expected, inputs, gradient),
                strict=True,
            ):
                close(mine, theirs)


def check_fusion(device: torch.device) -> None:
    """The fusion over the output sessions, and a head behind it."""
    for shape in ((2, 2, 7, 16), (1, 5, 70, 32)):
        torch.manual_seed(0)
        plain, behind = AdaptiveFusion(shape[-1], 1).to(device), mlp(shape[-1], shape[-1], 3).to(device)
        low, high = (torch.randn(shape, device=device).requires_grad_() for _ in range(2))
        expected = plain(low, high)
        maps = [part for layer in (plain.query, plain.key, plain.value) for part in (layer.weight, layer.bias)]
        out = plain.out.weight, plain.out.bias
        found = head_kernels.fusion(low, high, maps, out, weights_of(plain.mlp), NORM_EPSILON)
        close(found, expected)
        gradient, inputs = torch.randn(shape, device=device), (low, high, *plain.parameters())
        for mine, theirs in zip(
            torch.autograd.grad(found, inputs, gradient), torch.autograd.grad(expected, inputs, gradient), strict=True
        ):
            close(mine, theirs)
        state = expected.detach().requires_grad_()
        said, plainly = head_kernels.head(state, weights_of(behind)), behind(state)
        tolerance = 1e-4 if device.type == "cpu" else 2e-2  # a GPU rounds to TF32's 10 bits
        close(said, plainly, tolerance)
        gradient, inputs = torch.randn(*shape[:-1], 3, device=device), (state, *behind.parameters())
        for mine, theirs in zip(
            torch.autograd.grad(said, inputs, gradient), torch.autograd.grad(plainly, inputs, gradient), strict=True
        ):
            # One hidden value on the other side of 0 moves a whole row of a gradient.
            error = (mine - theirs).norm() / theirs.norm()
            assert error < tolerance, f"{error:.1e}"


def check_layers(device: torch.device) -> None:
    """Norm, ReLU's gradient with the bias's, and the map over sessions."""
    for rows, width in ((300, 24), (33, 128), (17, 2)):
        torch.manual_seed(0)
        x, y, gradient = torch.randn(3, rows, width, device=device)
        total = (x + y).requires_grad_()
        expected = torch.nn.functional.layer_norm(total, (width,))
        found, scale = layer_kernels.residual_norm(x, y, 1e-5)
        close(found, expected)
        if width > 2:  # of two values the norm is a sign, whose gradient is rounding
            close(
                layer_kernels.norm_gradient(gradient, found, scale), torch.autograd.grad(expected, total, gradient)[0]
            )
        activated = torch.relu(x)
        masked = gradient * (activated > 0)
        for found, expected in zip(
            (*layer_kernels.through_relu(gradient, activated), layer_kernels.through_relu(gradient, None)[1]),
            (masked, masked.sum(0), gradient.sum(0)),
            strict=True,
        ):
            close(found, expected)
    for sessions, horizons, stocks, width in ((20, 2, 7, 40), (5, 3, 1, 16)):
        x = torch.randn(3, sessions, stocks, width, device=device, requires_grad=True)
        present = torch.rand(3, sessions, stocks, device=device) > 0.2
        weight = torch.randn(horizons, sessions, device=device, requires_grad=True)
        gradient = torch.randn(3, horizons, stocks, width, device=device)
        expected = torch.einsum("hs,bsnd->bhnd", weight, x * present.unsqueeze(-1))
        narrow = present.to(torch.uint8)
        close(layer_kernels.over_time(x.detach(), narrow, weight.detach()), expected)
        for mine, theirs in zip(
            layer_kernels.over_time_gradients(gradient, x.detach(), narrow, weight.detach()),
            torch.autograd.grad(expected, (x, weight), gradient),
            strict=True,
        ):
            close(mine, theirs)


def check_trial(device: torch.device) -> None:
    """What tries whether the kernels work calls them as they are."""
    gpu.run_layers(16, device.type)
    gpu.run_blocks(16, device.type, torch.float32)


CHECKS = (check_trial, check_attention, check_convolution, check_fusion, check_layers)

if __name__ == "__main__":
    for check in CHECKS:
        check(torch.device("cpu"))
