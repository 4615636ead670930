"""The loss of both tasks on both paths, over known labels only.

Shapes: B batch, T2 output sessions, N stocks.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from niftyformer_assets.model.network import Outputs


class Targets(NamedTuple):
    """Labels of a batch; 0 where not known.

    value, value_low: [B, T2, N] label, and its low band where the labels are a series over T2 sessions, else itself.
    up: bool [B, T2, N], where the label is above 0.
    known: bool [B, T2, N].
    known_low: bool [B, T2, N]: a low band mixes the T2 labels, so it is known where all of them are.
    """

    value: Tensor
    value_low: Tensor
    up: Tensor
    known: Tensor
    known_low: Tensor


LOSS_PARTS = ("mae", "mae_low", "cross_entropy", "cross_entropy_low")
# What may come beside these (`ranking.py`).
RANKING = "ranking"


def loss_parts(outputs: Outputs, targets: Targets) -> Tensor:
    """The four parts [4] in the order of LOSS_PARTS; their sum is the loss.

    Each is a mean over known labels, and 0 where none is known or nothing is said.
    """
    parts = [_mean_error(outputs.value, targets.value, targets.known)]
    parts.append(
        torch.zeros_like(parts[0])
        if outputs.value_low is None
        else _mean_error(outputs.value_low, targets.value_low, targets.known_low)
    )
    parts += [
        torch.zeros_like(parts[0]) if logits is None else _mean(_cross_entropy(logits, targets.up), targets.known)
        for logits in (outputs.logits, outputs.logits_low)
    ]
    return torch.stack(parts)


def _mean_error(value: Tensor, target: Tensor, known: Tensor) -> Tensor:
    return _mean((value - target.where(known, 0.0)).abs(), known)


def _cross_entropy(logits: Tensor, up: Tensor) -> Tensor:
    # Written out for two classes: the library's has no deterministic form on every device.
    down_logit, up_logit = logits.unbind(-1)
    return torch.logaddexp(down_logit, up_logit) - torch.where(up, up_logit, down_logit)


def _mean(values: Tensor, known: Tensor) -> Tensor:
    # Selected, not multiplied by 0: a value that is not finite must not reach the sum.
    return values.where(known, 0.0).sum() / known.sum().clamp(min=1)
