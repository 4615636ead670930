"""The algorithm as it is published, written out for the benchmark, and the steps from it to ours."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from niftyformer_assets.model.attention import (
    Masks,
    Projections,
    SpatialAttention,
    TemporalAttention,
    merge_heads,
    split_heads,
)
from niftyformer_assets.model.batches import DeviceData
from niftyformer_assets.model.blocks import CausalConvolution, PredictionOverTime
from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.layers import Linear
from niftyformer_assets.model.loss import Targets, loss_parts
from niftyformer_assets.model.network import Inputs
from niftyformer_assets.model.stockformer import Stockformer
from niftyformer_assets.model.weights import FlatWeights


class PlainLinear(Linear):
    """torch's own product, bias and ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.linear(x, self.weight, self.bias)
        return torch.relu(y) if self.relu else y


class PlainConvolution(CausalConvolution):
    """A copy of both sessions side by side, a product, a ReLU, dropout."""

    def forward(self, x: Tensor, mask: Masks, dropped: Tensor | None) -> Tensor:
        x = x * mask.there
        before = nn.functional.pad(x[:, :-1], (0, 0, 0, 0, 1, 0))
        return nn.functional.dropout(torch.relu(self.taps(torch.cat([before, x], dim=-1))), self.share, self.training)


class PlainOverTime(PredictionOverTime):
    """The map over sessions as a product of the weight with each sample."""

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        x = x * present.unsqueeze(-1).to(x.dtype)
        weight, bias = self.over_sessions.weight, self.over_sessions.bias
        return torch.matmul(weight, x.flatten(2)).unflatten(-1, x.shape[2:]) + bias[:, None, None]


def plain_norm(x: Tensor, y: Tensor) -> Tensor:
    return nn.functional.layer_norm(x + y, x.shape[-1:])


class PlainTemporal(TemporalAttention):
    """Four maps, step by step."""

    def forward(
        self, x: Tensor, calendar: Tensor, maps: Projections, mask: Masks, dropped: Tensor | None = None
    ) -> Tensor:
        x = (x + calendar).transpose(1, 2).contiguous()
        q, k, v = (split_heads(part(x), self.heads) for part in (self.query, self.key, self.value))
        weights = (torch.matmul(q, k.transpose(-1, -2)) / q.shape[-1] ** 0.5 + mask.over_sessions).softmax(-1)
        z = plain_norm(x, self.out(merge_heads(torch.matmul(weights, v))))
        return plain_norm(z, self.mlp(z)).transpose(1, 2).contiguous()


class PlainAttention(SpatialAttention):
    """Four maps, step by step; `expanded` copies rows as the published code does."""

    expanded = False

    def forward(
        self, x: Tensor, graph: Tensor, maps: Projections, mask: Masks, dropped: Tensor | None = None
    ) -> Tensor:
        before, x = x, x + graph
        q, k, v = (split_heads(part(x), self.heads) for part in (self.query, self.key, self.value))
        score = torch.matmul(q, k.transpose(-1, -2)) / q.shape[-1] ** 0.5 + mask.over_stocks.unsqueeze(2)
        weights = score.softmax(-1)
        attended = torch.matmul(weights, v)
        most = weights.argmax(-2)
        if self.expanded:
            stocks, width = attended.shape[-2:]
            every = attended.unsqueeze(-3).expand(*attended.shape[:-2], stocks, stocks, width)
            index = most[..., None, None].expand(*most.shape, 1, width)
            taken = torch.gather(every, -2, index).squeeze(-2)
        else:
            taken = torch.gather(attended, -2, most.unsqueeze(-1).expand_as(attended))
        return before + self.mlp(plain_norm(x, self.out(merge_heads(taken))))


class ExpandedAttention(PlainAttention):
    expanded = True


class MaterialisedWindows(DeviceData):
    """Every window of every array, as the published loader keeps them; batches are rows of these."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        data = DeviceData(dataset, device)
        first, last = dataset.all_samples.start, len(dataset.axes.dates) - 2
        self.first = first
        made_on = torch.arange(first, last, device=device)
        self.all_inputs = Inputs(
            *(torch.cat(parts) for parts in zip(*map(data.inputs, made_on.split(16)), strict=True))
        )
        self.all_targets = data.targets(made_on)

    def inputs(self, made_on: Tensor, dtype: torch.dtype = torch.float32) -> Inputs:
        return Inputs(*(array[made_on - self.first] for array in self.all_inputs))

    def targets(self, made_on: Tensor, counted: Tensor | None = None) -> Targets:
        return Targets(*(array[made_on - self.first] for array in self.all_targets))


class Variant(NamedTuple):
    """What a row of the table computes with.

    spatial: the attention over stocks; ours where None, and then two maps an attention and our layers.
    way: how our own step is run; None is a plain loop over torch's modules.
    """

    spatial: type[SpatialAttention] | None = None
    materialised: bool = False
    way: Literal["plain", "captured", "compiled"] | None = None
    precision: Literal["float32", "bfloat16"] = "float32"

    @property
    def maps(self) -> int:
        """That an attention has."""
        return 2 if self.spatial is None else 4


VARIANTS = {
    "published algorithm": Variant(ExpandedAttention, materialised=True),
    "+ rows gathered, not expanded": Variant(PlainAttention, materialised=True),
    "+ windows gathered on demand": Variant(PlainAttention),
    "+ two maps an attention, layers that keep little": Variant(way="plain"),
    "+ products in bfloat16": Variant(way="plain", precision="bfloat16"),
    "+ captured": Variant(way="captured", precision="bfloat16"),
    "+ compiled and captured": Variant(way="compiled", precision="bfloat16"),
}
PLAIN = {
    Linear: PlainLinear,
    CausalConvolution: PlainConvolution,
    PredictionOverTime: PlainOverTime,
    TemporalAttention: PlainTemporal,
}


def build_plain(
    variant: Variant, dataset: Dataset, device: Device
) -> tuple[Stockformer, DeviceData, torch.optim.Optimizer]:
    """The network in training, its data and an optimiser over its weights, without anything of ours."""
    torch.manual_seed(0)
    network = build_model(dataset)
    for module in network.modules():
        if isinstance(module, SpatialAttention) and variant.spatial is not None:
            module.__class__ = variant.spatial
        elif type(module) in PLAIN:
            module.__class__ = PLAIN[type(module)]
    data = (MaterialisedWindows if variant.materialised else DeviceData)(dataset, device.torch_device)
    network = network.to(device.torch_device).train()
    return network, data, torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)


def plain_step(network: Stockformer, data: DeviceData, optimizer: torch.optim.Optimizer, made_on: Tensor) -> Tensor:
    """One step on samples made on the sessions `made_on`; returns the loss parts."""
    optimizer.zero_grad(set_to_none=True)
    parts = loss_parts(network(data.inputs(made_on)), data.targets(made_on))
    parts.sum().backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5, foreach=True)
    optimizer.step()
    return parts


def gradients_of_plain(variant: Variant, dataset: Dataset, device: Device, made_on: Tensor) -> dict[str, Tensor]:
    """The loss parts and each weight's gradient, without dropout."""
    network, data, _ = build_plain(variant, dataset, device)
    parts = loss_parts(network.eval()(data.inputs(made_on)), data.targets(made_on))
    parts.sum().backward()
    found = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in network.named_parameters()}
    return {"loss": parts.detach(), **found}


def gradients_of_ours(dataset: Dataset, device: Device, made_on: Tensor) -> dict[str, Tensor]:
    """The same with our layers and weights."""
    torch.manual_seed(0)
    weights, data = FlatWeights(build_model(dataset), device.torch_device), DeviceData(dataset, device.torch_device)
    views = weights.views(torch.float32)
    parts = loss_parts(functional_call(weights.network, views, (data.inputs(made_on),)), data.targets(made_on))
    found = torch.autograd.grad(parts.sum(), list(views.values()), materialize_grads=True)
    return {"loss": parts.detach(), **dict(zip(views, found, strict=True))}
