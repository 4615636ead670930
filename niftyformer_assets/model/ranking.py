"""Losses of the order in which a network puts the stocks of a session, over known labels only.

What it says is compared in units of the deviation of the batch's labels within their sessions, so that a loss weighs
the same whether labels are returns or ranks.

Shapes: B batch, T2 output sessions, N stocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from niftyformer_assets.model.loss import LOSS_PARTS, RANKING, Targets, loss_parts
from niftyformer_assets.model.network import Outputs
from niftyformer_assets.model.training_settings import TrainingSettings


def names_of_losses(settings: TrainingSettings) -> tuple[str, ...]:
    """The parts of a training's loss, in their order."""
    return LOSS_PARTS if settings.ranking_loss == "none" else (*LOSS_PARTS, RANKING)


def losses(outputs: Outputs, targets: Targets, settings: TrainingSettings) -> Tensor:
    """What `names_of_losses` names, each as it counts in the loss, which is their sum.

    The order is that of the fused path alone: it is by this that stocks are chosen.
    """
    parts = loss_parts(outputs, targets)
    if settings.ranking_loss == "none":
        return parts
    ranking = settings.ranking_weight * ranking_loss(settings.ranking_loss, outputs.value, targets)
    return torch.cat([parts, ranking.view(1)])


def ranking_loss(name: str, value: Tensor, targets: Targets) -> Tensor:
    """The mean over the sessions and labels that have an order, float32 []; 0 where none has.

    Args:
        name: of `RANKING_LOSSES`.
        value: [B, T2, N], what is said of the label.
    """
    known = targets.known
    label = targets.value.where(known, 0.0)
    ordered = label.where(known, -torch.inf).amax(-1) > label.where(known, torch.inf).amin(-1)
    there = known & ordered.unsqueeze(-1)
    count = there.sum(-1, keepdim=True)
    centred = (label - label.where(there, 0.0).sum(-1, keepdim=True) / count.clamp(min=1)).where(there, 0.0)
    # Of the whole batch: two stocks of a session may be as good as equal.
    deviation = ((centred**2).sum((0, 2), keepdim=True) / count.sum((0, 2), keepdim=True).clamp(min=1)).sqrt()
    unit = deviation.where(deviation > 0, 1.0)
    # Selected before they are computed with: what is not finite must not reach a gradient.
    found = RANKING_LOSSES[name](value.where(there, 0.0) / unit, centred / unit, there)
    return found.where(ordered, 0.0).sum() / ordered.sum().clamp(min=1)


def pairwise(value: Tensor, label: Tensor, known: Tensor) -> Tensor:
    """[B, T2]: the mean of log(1 + exp(v_j - v_i)) over each two stocks of which i has the higher label.

    Burges et al. (2005), "Learning to rank using gradient descent".
    """
    higher = (label.unsqueeze(-1) > label.unsqueeze(-2)) & known.unsqueeze(-1) & known.unsqueeze(-2)  # [B, T2, i, j]
    lost = functional.softplus(value.unsqueeze(-2) - value.unsqueeze(-1)).where(higher, 0.0)
    return lost.sum((-2, -1)) / higher.sum((-2, -1)).clamp(min=1)


def listnet(value: Tensor, label: Tensor, known: Tensor) -> Tensor:
    """[B, T2]: the cross entropy of which stock comes first, with probabilities exp(label) and exp(value) in parts of
    their sum.

    Cao et al. (2007), "Learning to rank: from pairwise approach to listwise approach".
    """
    lowest = torch.finfo(value.dtype).min
    first = label.masked_fill(~known, lowest).softmax(-1)
    said = value.masked_fill(~known, lowest).log_softmax(-1)
    return -(first * said).where(known, 0.0).sum(-1)


RANKING_LOSSES: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"pairwise": pairwise, "listnet": listnet}
