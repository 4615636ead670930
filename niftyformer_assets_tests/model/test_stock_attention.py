"""Attention over stocks as published, plain, or none: who sees whom."""

from __future__ import annotations

import pytest
import torch

from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets_tests.model.test_network import make_inputs, make_model

SIZES = (6, 2, 5, 3)  # sessions, labels, stocks, factors


@pytest.mark.parametrize(("kind", "mixes"), [("sparse", True), ("plain", True), ("none", False)])
@pytest.mark.parametrize("heads", [1, 2])
def test_a_stock_reaches_the_others_where_there_is_attention_over_them(kind: str, mixes: bool, heads: int) -> None:
    model = make_model(ModelSettings(8, 2, heads, stock_attention=kind), *SIZES)  # type: ignore[arg-type]
    inputs = make_inputs(2, *SIZES)
    torch.manual_seed(5)
    changed = inputs._replace(**{name: getattr(inputs, name).clone() for name in inputs._fields[:5]})
    for name in inputs._fields[:5]:
        array = getattr(changed, name)
        array[:, :, 3] = torch.randn_like(array[:, :, 3])
    present = inputs.present.clone()
    present[:, :2, 3] = False
    others = [0, 1, 2, 4]
    for other in (changed, inputs._replace(present=present)):
        for before, after in zip(model(inputs), model(other), strict=True):
            assert torch.equal(before[:, :, others], after[:, :, others]) != mixes
            assert not torch.allclose(before[:, :, 3], after[:, :, 3])


@pytest.mark.parametrize(("kind", "sees"), [("sparse", True), ("plain", False), ("none", False)])
def test_only_the_sparse_one_sees_the_graph(kind: str, sees: bool) -> None:
    model = make_model(ModelSettings(8, 2, 1, stock_attention=kind), *SIZES)  # type: ignore[arg-type]
    inputs = make_inputs(2, *SIZES)
    before = model(inputs)
    model.graph += torch.randn_like(model.graph)
    assert all(torch.equal(a, b) != sees for a, b in zip(before, model(inputs), strict=True))


@pytest.mark.parametrize("kind", ["sparse", "plain", "none"])
def test_what_is_missing_reaches_nothing(kind: str) -> None:
    model = make_model(ModelSettings(8, 2, 2, stock_attention=kind), *SIZES)  # type: ignore[arg-type]
    inputs = make_inputs(2, *SIZES)
    inputs.present[:, :, 3] = False
    inputs.present[:, 2, 1] = False
    inputs.present[1, 0] = False
    absent = ~inputs.present
    torch.manual_seed(6)
    garbage = {}
    for name in inputs._fields[:5]:
        garbage[name] = getattr(inputs, name).clone()
        garbage[name][absent] = torch.randn_like(garbage[name][absent]) * 1e3
    others = [0, 1, 2, 4]
    for before, after in zip(model(inputs), model(inputs._replace(**garbage)), strict=True):
        assert torch.equal(before[:, :, others], after[:, :, others]) and torch.isfinite(after).all()


def test_plain_attention_is_the_softmax_over_the_stocks_that_are_there() -> None:
    model = make_model(ModelSettings(8, 1, 2, stock_attention="plain"), *SIZES)
    block = model.encoder[0].spatial_low
    seen: list[torch.Tensor] = []
    block.mlp.register_forward_pre_hook(lambda _module, given: seen.append(given[0].detach()))
    states: list[torch.Tensor] = []
    block.register_forward_pre_hook(lambda _module, given: states.append(given[0].detach()))
    inputs = make_inputs(1, *SIZES)
    inputs.present[:, :, 2] = False
    model(inputs)
    there = [0, 1, 3, 4]
    for session in range(6):
        x = states[0][0, session]
        attended = torch.zeros(5, 8).double()
        for part in (slice(0, 4), slice(4, 8)):
            q, k, v = (layer(x)[:, part] for layer in (block.query, block.key, block.value))
            for i in range(5):
                weights = torch.softmax(torch.stack([q[i] @ k[j] / 2.0 for j in there]), 0)
                attended[i, part] = sum(w * v[j] for w, j in zip(weights, there, strict=True))
        expected = torch.nn.functional.layer_norm(x + block.out(attended), (8,))
        torch.testing.assert_close(seen[0][0, session, there], expected[there])


@pytest.mark.parametrize("kind", ["sparse", "plain", "none"])
def test_every_weight_has_a_part_in_what_is_said(kind: str) -> None:
    model = make_model(ModelSettings(8, 2, 1, stock_attention=kind), *SIZES)  # type: ignore[arg-type]
    outputs = model(make_inputs(2, *SIZES))
    sum(output.square().sum() for output in outputs).backward()
    # The bias of a key is the same for every state that is looked at, and so for the softmax nothing.
    idle = {name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert idle == {name for name, _ in model.named_parameters() if name.endswith("key.bias") and "encoder" in name}
