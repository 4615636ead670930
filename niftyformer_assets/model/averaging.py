"""The exponential mean of the weights over the steps of a training.

Shapes: P weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


class WeightMean:
    """The exponential mean of the weights after each step, on tensors that stay in place.

    After n steps the weights of step i count as decay^(n - i), in parts of the sum of these: the first weights, which
    are drawn, do not count at all.

    Attributes:
        mean: float32 [P].
    """

    def __init__(self, flat: Tensor, decay: float) -> None:
        self.decay = decay
        self.mean = torch.zeros_like(flat, requires_grad=False)

    @torch.no_grad()
    def take(self, flat: Tensor, steps: Tensor) -> None:
        """Take up the weights [P] after so many `steps`, float32 [], these among them."""
        # 1 - decay^n, to the last bit also where that is near 0.
        share = (1 - self.decay) / -torch.expm1(steps * math.log(self.decay))
        self.mean.lerp_(flat, share.clamp(max=1))
