"""The GPU's kernels beside what they stand for; on a machine without a GPU in Triton's interpreter.

TRITON_INTERPRET=1 python -m niftyformer_assets_tests.model.kernel_checks
"""

from __future__ import annotations

import torch
from torch import Tensor

from niftyformer_assets.model import attention_kernels, layer_kernels
from niftyformer_assets.model.attention import attend, attend_most, masks, scores

# B, T, N, D: sizes that are no multiple of a tile, and more than one tile.
SHAPES = ((2, 5, 7, 16), (1, 20, 70, 32))


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def check_attention(device: torch.device) -> None:
    """Forward and gradient over stocks and over sessions, with stocks and sessions missing."""
    for shape in SHAPES:
        torch.manual_seed(0)
        present = (torch.rand(shape[:3]) > 0.15).to(device)
        present[0, 0] = False  # a session without anybody
        query, x = (torch.randn(shape).to(device).requires_grad_() for _ in range(2))
        # Nobody looks at what the absent get, so no gradient comes from there.
        gradient = torch.randn(shape).to(device) * present.unsqueeze(-1)
        mask = masks(present, torch.float32)

        def over_stocks(query: Tensor, x: Tensor, mask: Tensor = mask.over_stocks) -> Tensor:
            return attend_most(query.unsqueeze(2), x, mask).squeeze(2)

        def over_sessions(query: Tensor, x: Tensor, mask: Tensor = mask.over_sessions) -> Tensor:
            by_stock = x.transpose(1, 2)
            score = scores(query.transpose(1, 2).unsqueeze(2), by_stock, mask)
            return attend(score, by_stock).squeeze(2).transpose(1, 2)

        for plain, kernel in (
            (over_stocks, attention_kernels.attend_over_stocks),
            (over_sessions, attention_kernels.attend_over_sessions),
        ):
            expected, found = plain(query, x), kernel(query, x, present)
            close(found[present], expected[present])
            for mine, theirs in zip(
                torch.autograd.grad(found, (query, x), gradient),
                torch.autograd.grad(expected, (query, x), gradient),
                strict=True,
            ):
                close(mine, theirs)


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
    for sessions, horizons, columns in ((20, 2, 300), (5, 3, 16)):
        x = torch.randn(3, sessions, columns, device=device, requires_grad=True)
        weight = torch.randn(horizons, sessions, device=device, requires_grad=True)
        gradient, expected = torch.randn(3, horizons, columns, device=device), torch.matmul(weight, x)
        close(layer_kernels.over_time(x.detach(), weight.detach()), expected)
        for mine, theirs in zip(
            layer_kernels.over_time_gradients(gradient, x.detach(), weight.detach()),
            torch.autograd.grad(expected, (x, weight), gradient),
            strict=True,
        ):
            close(mine, theirs)


CHECKS = (check_attention, check_layers)

if __name__ == "__main__":
    for check in CHECKS:
        check(torch.device("cpu"))
