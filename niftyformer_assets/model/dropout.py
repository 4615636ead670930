"""What dropout sets to 0 in a step, drawn before the network is run.

So a step plain, captured and compiled drops the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Values that one number of 64 bits is enough for: the generator of the CPU draws one at a time.
A_DRAW = 4


def draw(dropped: Tensor, share: float, stocks: int) -> None:
    """Fill bool [L, B, T, N, D] with a `share` of the values, in place.

    On a CPU only the first `stocks` are drawn for, so that the others, which are nowhere present,
    change no draw. On a GPU, where the order of draws depends on how many there are, all are.
    """
    if dropped.device.type != "cpu":
        dropped.bernoulli_(share)
        return
    layers, batch, sessions, _, width = dropped.shape
    count = layers * batch * sessions * stocks * width
    draws = torch.empty(-(-count // A_DRAW), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    found = draws[:count].view(layers, batch, sessions, stocks, width) < round(share * 2**16) - 2**15
    dropped[..., :stocks, :] = found
