"""What each kind of dropout drops, and that what is not there changes no draw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from niftyformer_assets.model import attention
from niftyformer_assets.model.attention import PlainSpatialAttention, TemporalAttention, attend_most, masks, projections
from niftyformer_assets.model.blocks import head
from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.dropout import Dropped
from niftyformer_assets.model.layers import mlp
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.model.step import TrainingStep
from niftyformer_assets_tests.model.test_network import make_inputs, make_model
from niftyformer_assets_tests.model.test_step import trained_step

SHARES = {"dropout": 0.1, "attention_dropout": 0.2, "head_dropout": 0.3, "input_dropout": 0.4}
PLACES = {"states": 0.1, "over_sessions": 0.2, "over_stocks": 0.2, "heads": 0.3, "factors": 0.4}


def with_model(dataset: Dataset, **changes: Any) -> Dataset:
    model: Any = dataset.settings.model
    other = replace(model, model=replace(model.model, **changes))
    return replace(dataset, settings=replace(dataset.settings, model=other))


def test_each_place_drops_its_share() -> None:
    model = make_model(ModelSettings(8, 2, 2, **SHARES), 10, 2, 30, 40)
    dropped = Dropped(model.dropouts(50, 30, 40), torch.device("cpu"))
    assert list(dropped.at) == list(PLACES)
    torch.manual_seed(0)
    dropped.draw(30, 40)
    for name, share in PLACES.items():
        assert dropped.at[name].float().mean() == pytest.approx(share, abs=0.02), name


def test_without_a_share_nothing_is_drawn() -> None:
    model = make_model(ModelSettings(8, 1, 1, dropout=0), 10, 2, 5, 4)
    assert Dropped(model.dropouts(3, 5, 4), torch.device("cpu")).at == {}
    alone = make_model(ModelSettings(8, 1, 1, stock_attention="none", **SHARES), 10, 2, 5, 4)
    assert "over_stocks" not in alone.dropouts(3, 5, 4)


def test_what_fills_up_a_size_changes_no_draw() -> None:
    drawn = []
    for stocks, factors in ((5, 3), (8, 6)):
        places = make_model(ModelSettings(4, 2, 1, **SHARES), 6, 2, stocks, factors).dropouts(3, stocks, factors)
        dropped = Dropped(places, torch.device("cpu"))
        torch.manual_seed(0)
        dropped.draw(5, 3)
        real = {name: array[places[name].real(5, 3)] for name, array in dropped.at.items()}
        drawn.append(({name: (array, real[name]) for name, array in dropped.at.items()}, torch.rand(1)))
    (small, after), (large, after_too) = drawn
    assert torch.equal(after, after_too)
    for name, (whole, _) in small.items():
        assert torch.equal(whole, large[name][1]) and large[name][0].sum() == whole.sum(), name


@pytest.mark.parametrize("kind", ["sparse", "plain", "none"])
def test_absent_stocks_and_channels_change_nothing_but_rounding(dataset: Dataset, cpu: Device, kind: str) -> None:
    of = with_model(dataset, stock_attention=kind, **SHARES)
    (plain, record), (padded, padded_record) = trained_step(of, cpu), trained_step(of, cpu, multiple=8)
    assert padded.data.sizes[1:] == (16, 6)
    torch.testing.assert_close(padded_record, record, rtol=1e-3, atol=1e-5)
    for name, weight in plain.kept()()[0].items():
        torch.testing.assert_close(padded.kept()()[0][name], weight, rtol=1e-2, atol=1e-3, msg=name)


def plainly(query: Tensor, x: Tensor, mask: Tensor, dropped: Tensor, share: float) -> Tensor:
    """Attention, dropout of its weights and the copy as they are published, for torch to differentiate."""
    score = query @ x.transpose(-1, -2).unsqueeze(-3) + mask.unsqueeze(-3)
    attended = (score.softmax(-1) * ~dropped / (1 - share)) @ x.unsqueeze(-3)
    most = (score.detach().log_softmax(-1) + mask.transpose(-1, -2).unsqueeze(-3)).argmax(-2)
    return torch.gather(attended, -2, most.unsqueeze(-1).expand_as(attended))


@pytest.mark.parametrize("at_hand", [1, 10_000])
def test_sparse_attention_with_dropped_weights_and_its_gradient(at_hand: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "SCORES_AT_HAND", at_hand)
    torch.manual_seed(0)
    query = torch.randn(2, 3, 2, 7, 4, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 3, 7, 4, dtype=torch.float64, requires_grad=True)
    present, dropped = torch.rand(2, 3, 7) > 0.3, torch.rand(2, 3, 2, 7, 7) < 0.4
    mask = masks(present, torch.float64).over_stocks
    there = present[:, :, None, :, None]
    found, expected = attend_most(query, x, mask, dropped, 0.4), plainly(query, x, mask, dropped, 0.4)
    torch.testing.assert_close(found * there, expected * there)
    assert not torch.allclose(found * there, attend_most(query, x, mask) * there)
    gradient = torch.randn_like(found) * there
    for ours, theirs in zip(
        torch.autograd.grad(found, (query, x), gradient),
        torch.autograd.grad(expected, (query, x), gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", [TemporalAttention, PlainSpatialAttention])
def test_attention_averages_with_the_weights_that_are_left(kind: type) -> None:
    torch.manual_seed(0)
    sessions, stocks, width, heads, share = 4, 5, 6, 2, 0.3
    block = kind(width, heads, share).double()
    x, nothing = torch.randn(1, sessions, stocks, width).double(), torch.zeros(1).double()
    mask, maps = masks(torch.ones(1, sessions, stocks).bool(), x.dtype), projections([block], x.dtype)[0]
    over_sessions = kind is TemporalAttention
    seen, length = (x.transpose(1, 2), sessions) if over_sessions else (x, stocks)  # [1, others, L, D]
    dropped = torch.rand(*seen.shape[:2], heads, length, length) < share
    found = block(x, nothing, maps, mask, dropped)

    expected = torch.zeros_like(seen)
    for other in range(seen.shape[1]):
        state = seen[0, other]
        attended = torch.zeros(length, width).double()
        for number in range(heads):
            part = slice(number * 3, number * 3 + 3)
            q, k = block.query(state)[:, part], block.key(state)[:, part]
            v = state @ block.value.weight[part].t()  # its bias is not dropped
            score = q @ k.t() / 3**0.5
            if over_sessions:
                score = score.masked_fill(torch.ones(length, length).triu(1).bool(), -torch.inf)
            weights = score.softmax(-1) * ~dropped[0, other, number] / (1 - share)
            attended[:, part] = weights @ v + block.value.bias[part]
        z = torch.nn.functional.layer_norm(state + block.out(attended), (width,))
        last = z if over_sessions else state
        made = last + block.mlp(z)
        expected[0, other] = torch.nn.functional.layer_norm(made, (width,)) if over_sessions else made
    torch.testing.assert_close(found, expected.transpose(1, 2) if over_sessions else expected)


def test_a_head_drops_what_lies_between_its_maps() -> None:
    torch.manual_seed(0)
    layers, x, dropped = mlp(6, 6, 2).double(), torch.randn(3, 4, 6).double(), torch.rand(3, 4, 6) < 0.4
    first, _, second = layers
    expected = second(first(x) * ~dropped / 0.6)
    torch.testing.assert_close(head(x, layers, dropped, 0.4), expected)
    torch.testing.assert_close(head(x, layers), layers(x))


def test_a_hidden_factor_reaches_nothing_and_the_others_are_raised() -> None:
    model = make_model(ModelSettings(8, 1, 1, input_dropout=0.25), 6, 2, 5, 3)
    inputs = make_inputs(2, 6, 2, 5, 3)
    hidden = torch.tensor([[False, True, False], [True, False, False]])
    said = model(inputs, {"factors": hidden})
    other = inputs.factors_low.clone()
    other[0, ..., 1] += torch.randn(6, 5).double()
    other[1, ..., 0] += torch.randn(6, 5).double()
    again = model(inputs._replace(factors_low=other, factors_high=other), {"factors": hidden})
    raised = inputs.factors_low * (~hidden)[:, None, None] / 0.75
    by_hand = model(inputs._replace(factors_low=raised, factors_high=raised))
    for one, two, three, whole in zip(said, again, by_hand, model(inputs), strict=True):
        assert torch.equal(one, two)
        torch.testing.assert_close(one, three)
        assert not torch.allclose(one, whole)


def test_factors_of_both_bands_are_hidden_together(dataset: Dataset) -> None:
    model = make_model(ModelSettings(8, 1, 1, input_dropout=0.25), 6, 2, 5, 3)
    inputs = make_inputs(2, 6, 2, 5, 3)
    inputs = inputs._replace(factors_high=torch.randn_like(inputs.factors_high))
    hidden = torch.tensor([[False, True, False], [True, False, False]])
    seen = model._without_factors(inputs, hidden)
    for array in (seen.factors_low, seen.factors_high):
        assert not array[0, ..., 1].any() and not array[1, ..., 0].any() and array[0, ..., 0].all()
    assert torch.equal(seen.low, inputs.low) and torch.equal(seen.trend, inputs.trend)


@pytest.mark.parametrize("name", ["attention_dropout", "head_dropout", "input_dropout"])
def test_a_step_drops_and_inference_does_not(dataset: Dataset, cpu: Device, name: str) -> None:
    of, made_on = with_model(dataset, dropout=0.0, **{name: 0.5}), torch.arange(20, 32)
    step = TrainingStep(of, cpu, "plain")
    torch.manual_seed(0)
    state, lost = build_model(of).state_dict(), []
    for seed in (1, 1, 2):
        step.begin(of, state)
        said = step.inference(made_on)
        torch.manual_seed(seed)
        list(step.epoch(made_on))
        lost.append(step.recorded()[0])
    assert torch.equal(lost[0], lost[1]) and not torch.equal(lost[0], lost[2])
    whole = TrainingStep(with_model(dataset, dropout=0.0), cpu, "plain")
    whole.begin(of, state)
    assert all((one == other).all() for one, other in zip(whole.inference(made_on), said, strict=True))
