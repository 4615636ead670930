"""The network beside plain loops: heads, the copy, and what is missing."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from niftyformer_assets.model import attention
from niftyformer_assets.model.attention import (
    SpatialAttention,
    TemporalAttention,
    attend_most,
    give_rows,
    masks,
    projections,
    take_rows,
)
from niftyformer_assets.model.blocks import CausalConvolution
from niftyformer_assets.model.dropout import draw
from niftyformer_assets.model.layers import causal_convolution, linear, over_time, residual_norm
from niftyformer_assets.model.loss import Targets, loss_parts
from niftyformer_assets.model.network import Inputs, Outputs
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.model.stockformer import Stockformer
from niftyformer_assets.model.weights import FlatWeights


def make_inputs(batch: int, sessions: int, horizons: int, stocks: int, factors: int, seed: int = 0) -> Inputs:
    torch.manual_seed(seed)
    low, high = torch.randn(2, batch, sessions, stocks).double()
    both = torch.randn(batch, sessions, stocks, factors).double()
    calendar = torch.stack(
        [torch.randint(0, 5, (batch, sessions + horizons)), torch.randint(0, 23, (batch, sessions + horizons))], -1
    )
    present = torch.ones(batch, sessions, stocks, dtype=torch.bool)
    return Inputs(low, high, (low + high > 0).double(), both, both, present, calendar)


def make_model(settings: ModelSettings, sessions: int, horizons: int, stocks: int, factors: int) -> Stockformer:
    torch.manual_seed(1)
    return Stockformer(settings, factors, sessions, horizons, torch.randn(stocks, settings.width)).double().eval()


@pytest.mark.parametrize(
    ("width", "layers", "heads", "sessions", "horizons", "stocks", "factors"),
    [(8, 1, 1, 20, 2, 7, 3), (12, 3, 4, 5, 1, 4, 1), (6, 2, 3, 2, 6, 1, 9)],
)
def test_any_sizes(
    width: int, layers: int, heads: int, sessions: int, horizons: int, stocks: int, factors: int
) -> None:
    model = make_model(ModelSettings(width, layers, heads), sessions, horizons, stocks, factors)
    outputs = model(make_inputs(3, sessions, horizons, stocks, factors))
    assert outputs.value.shape == outputs.value_low.shape == (3, horizons, stocks)
    assert outputs.logits.shape == outputs.logits_low.shape == (3, horizons, stocks, 2)
    assert all(torch.isfinite(output).all() for output in outputs)


def softmax(row: np.ndarray) -> np.ndarray:
    exponentials = np.exp(row - row.max())
    return exponentials / exponentials.sum()


def by_hand(
    x: np.ndarray, block: SpatialAttention | TemporalAttention, heads: int, causal: bool, copy: bool
) -> np.ndarray:
    """Attention of [L, D], a loop a head; returns what goes into the output map."""

    def linear(layer: torch.nn.Module) -> np.ndarray:
        return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()

    q, k, v = linear(block.query), linear(block.key), linear(block.value)
    size = x.shape[1] // heads
    result = np.zeros_like(x)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        weights = np.zeros((len(x), len(x)))
        for i in range(len(x)):
            seen = i + 1 if causal else len(x)
            weights[i, :seen] = softmax(k[:seen, part] @ q[i, part] / np.sqrt(size))
        attended = weights @ v[:, part]
        for j in range(len(x)):
            result[j, part] = attended[np.argmax(weights[:, j])] if copy else attended[j]
    return result


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("kind", ["sessions", "stocks"])
def test_each_head_attends_by_itself(kind: str, heads: int) -> None:
    torch.manual_seed(heads)
    length, width = 6, 8
    x = torch.randn(1, 1, length, width).double()
    block = (SpatialAttention if kind == "stocks" else TemporalAttention)(width, heads).double()
    maps, mask = projections([block], torch.float64)[0], masks(torch.ones(1, 1, length, dtype=torch.bool), x.dtype)
    if kind == "sessions":
        x = x.transpose(1, 2)
        mask = masks(torch.ones(1, length, 1, dtype=torch.bool), x.dtype)
    seen: list[Tensor] = []
    block.mlp.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    nothing = torch.zeros(length, width) if kind == "stocks" else torch.zeros(1, length, 1, width)
    block(x, nothing.double(), maps, mask)
    x = x.flatten(0, 2)
    attended = by_hand(x.numpy(), block, heads, causal=kind == "sessions", copy=kind == "stocks")
    expected = torch.nn.functional.layer_norm(x + block.out(torch.from_numpy(attended)), (width,))
    np.testing.assert_allclose(seen[0].flatten(0, 2).detach().numpy(), expected.detach().numpy(), atol=1e-12)


def test_taking_rows_is_the_published_gather_and_giving_them_its_gradient() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 5, 4, dtype=torch.float64, requires_grad=True)
    rows = torch.randint(0, 5, (6, 5))
    expected = torch.gather(x, -2, rows.unsqueeze(-1).expand_as(x))
    assert torch.equal(take_rows(x, rows), expected)
    gradient = torch.randn_like(expected)
    torch.testing.assert_close(give_rows(gradient, rows), torch.autograd.grad(expected, x, gradient)[0])


def plainly(query: Tensor, x: Tensor, mask: Tensor) -> Tensor:
    """Attention and the copy as they are published, for torch to differentiate."""
    score = query @ x.transpose(-1, -2).unsqueeze(-3) + mask.unsqueeze(-3)
    attended = score.softmax(-1) @ x.unsqueeze(-3)
    most = (score.detach().log_softmax(-1) + mask.transpose(-1, -2).unsqueeze(-3)).argmax(-2)
    return torch.gather(attended, -2, most.unsqueeze(-1).expand_as(attended))


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("at_hand", [1, 100, 10_000])
def test_attention_a_few_sessions_at_a_time_is_all_at_once(
    heads: int, at_hand: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "SCORES_AT_HAND", at_hand)
    torch.manual_seed(0)
    query = torch.randn(2, 3, heads, 7, 4, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 3, 7, 4, dtype=torch.float64, requires_grad=True)
    present = torch.rand(2, 3, 7) > 0.3
    mask = masks(present, torch.float64).over_stocks
    gradient = torch.randn(2, 3, heads, 7, 4, dtype=torch.float64) * present[:, :, None, :, None]
    found, expected = attend_most(query, x, mask), plainly(query, x, mask)
    torch.testing.assert_close(found * present[:, :, None, :, None], expected * present[:, :, None, :, None])
    for ours, theirs in zip(
        torch.autograd.grad(found, (query, x), gradient),
        torch.autograd.grad(expected, (query, x), gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_layers_gradients_are_those_of_the_layers_written_plainly(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(2, 2, 4, 3, 6, dtype=dtype)
    weight, bias = torch.randn(6, 6, dtype=dtype), torch.randn(6, dtype=dtype)
    taps, dropped = torch.randn(6, 12, dtype=dtype), torch.rand(2, 4, 3, 6) < 0.3
    present = torch.rand(2, 4, 3) < 0.8

    def convolution(x: Tensor, taps: Tensor, bias: Tensor) -> Tensor:
        both = torch.cat([torch.nn.functional.pad(x[:, :-1], (0, 0, 0, 0, 1, 0)), x], -1)
        return torch.relu(both @ taps.t() + bias) * ~dropped / 0.7

    for ours, theirs, given in (
        (linear, lambda x, w, b: x @ w.t() + b, (x, weight, bias)),
        (partial(linear, relu=True), lambda x, w, b: torch.relu(x @ w.t() + b), (x, weight, bias)),
        (residual_norm, lambda x, y: torch.nn.functional.layer_norm(x + y, (6,)), (x, y)),
        (partial(causal_convolution, dropped=dropped, share=0.3), convolution, (x, taps, bias)),
        (
            lambda x, w: over_time(x, present, w),
            lambda x, w: torch.einsum("btnd,st->bsnd", x * present.unsqueeze(-1), w),
            (x, weight[:3, :4]),
        ),
    ):
        inputs = [array.clone().requires_grad_() for array in given]
        found, expected = ours(*inputs), theirs(*inputs)
        torch.testing.assert_close(found, expected)
        gradient = torch.randn_like(found)
        for mine, plain in zip(
            torch.autograd.grad(found, inputs, gradient), torch.autograd.grad(expected, inputs, gradient), strict=True
        ):
            torch.testing.assert_close(mine, plain)


def test_what_is_missing_reaches_nothing() -> None:
    sessions, horizons, stocks, factors = 6, 2, 5, 3
    model = make_model(ModelSettings(8, 2, 2), sessions, horizons, stocks, factors)
    inputs = make_inputs(2, sessions, horizons, stocks, factors)
    inputs.present[:, :, 3] = False  # a stock without enough returns
    inputs.present[:, 2, 1] = False  # a single missing return
    inputs.present[:, -1, 0] = False  # the last one
    inputs.present[1, 0] = False  # a session without any return
    absent = ~inputs.present

    def garbage(array: Tensor) -> Tensor:
        changed = array.clone()
        changed[absent] = torch.randn_like(changed[absent]) * 1e3
        return changed

    changed = inputs._replace(**{name: garbage(getattr(inputs, name)) for name in inputs._fields[:5]})
    others = [0, 1, 2, 4]
    for before, after in zip(model(inputs), model(changed), strict=True):
        assert torch.equal(before[:, :, others], after[:, :, others])
        assert torch.isfinite(after).all()


def test_a_present_stock_does_reach_the_others() -> None:
    model = make_model(ModelSettings(8, 2, 2), 6, 2, 5, 3)
    inputs = make_inputs(2, 6, 2, 5, 3)
    changed = inputs._replace(low=inputs.low.clone())
    changed.low[:, :, 3] += 1
    assert not torch.allclose(model(inputs).value[:, :, 0], model(changed).value[:, :, 0])


def test_a_later_session_does_not_reach_the_attention_over_earlier_ones() -> None:
    torch.manual_seed(0)
    block = TemporalAttention(8, 2).double()
    x = torch.randn(2, 3, 6, 8).double()
    x = x.transpose(1, 2)
    maps, mask = projections([block], x.dtype)[0], masks(torch.ones(2, 6, 3, dtype=torch.bool), x.dtype)
    changed = x.clone()
    changed[:, 4] += 1
    calendar = torch.randn(2, 6, 1, 8).double()
    before, after = block(x, calendar, maps, mask), block(changed, calendar, maps, mask)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_unknown_labels_reach_neither_loss_nor_gradient() -> None:
    torch.manual_seed(0)
    outputs = [torch.randn(2, 2, 4, requires_grad=True), torch.randn(2, 2, 4, requires_grad=True)]
    outputs += [torch.randn(2, 2, 4, 2, requires_grad=True), torch.randn(2, 2, 4, 2, requires_grad=True)]
    value, value_low = torch.randn(2, 2, 2, 4)
    known = torch.rand(2, 2, 4) > 0.4
    known_low = known.all(1, keepdim=True).expand_as(known)
    clean = Targets(value, value_low, value > 0, known, known_low)
    broken = Targets(
        value.where(known, torch.nan), value_low.where(known_low, torch.inf), (value > 0) ^ ~known, known, known_low
    )
    losses, gradients = [], []
    for targets in (clean, broken):
        parts = loss_parts(Outputs(*outputs), targets)
        losses.append(parts)
        gradients.append(torch.autograd.grad(parts.sum(), outputs))
    assert torch.equal(*losses)
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)
    expected = (outputs[0] - value).abs()[known].mean()
    torch.testing.assert_close(losses[0][0], expected)
    cross_entropy = torch.nn.functional.cross_entropy(outputs[2][known], (value > 0).long()[known])
    torch.testing.assert_close(losses[0][2], cross_entropy)


def test_a_label_of_zero_counts() -> None:
    outputs = Outputs(torch.ones(1, 1, 2), torch.ones(1, 1, 2), torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
    known = torch.ones(1, 1, 2, dtype=torch.bool)
    zero = torch.zeros(1, 1, 2)
    assert loss_parts(outputs, Targets(zero, zero, zero > 0, known, known))[0] == 1


def test_no_known_label_is_no_loss() -> None:
    outputs = Outputs(torch.ones(1, 1, 2), torch.ones(1, 1, 2), torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
    unknown = torch.zeros(1, 1, 2, dtype=torch.bool)
    zero = torch.zeros(1, 1, 2)
    assert loss_parts(outputs, Targets(zero, zero, zero > 0, unknown, unknown)).tolist() == [0, 0, 0, 0]


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropped = torch.zeros(2, 3, 5, 101, 101, dtype=torch.bool)
    draw(dropped, 0.3, (slice(None),) * 5)
    assert dropped.float().mean() == pytest.approx(0.3, abs=0.006)
    convolution = CausalConvolution(101, 0.3)
    x, mask = torch.randn(3, 5, 101, 101), masks(torch.ones(3, 5, 101, dtype=torch.bool), torch.float32)
    torch.testing.assert_close(convolution(x, mask, dropped[0]), convolution(x, mask, None) * ~dropped[0] / 0.7)
    draw(dropped, 0.0, (slice(None),) * 5)
    assert not dropped.any()


def test_stocks_that_are_not_there_change_no_draw() -> None:
    drawn = []
    for stocks in (5, 8):
        torch.manual_seed(0)
        dropped = torch.zeros(2, 3, 4, stocks, 6, dtype=torch.bool)
        draw(dropped, 0.5, (*(slice(None),) * 3, slice(5), slice(None)))
        drawn.append((dropped[..., :5, :], torch.rand(1)))
    assert torch.equal(drawn[0][0], drawn[1][0]) and torch.equal(drawn[0][1], drawn[1][1])


def test_heads_and_predictions_stay_wide_where_products_are_narrow() -> None:
    model = make_model(ModelSettings(8, 1, 1), 6, 2, 5, 3).float()
    inputs = make_inputs(2, 6, 2, 5, 3)
    wide, narrow = (
        Inputs(*(array.to(dtype) if array.is_floating_point() else array for array in inputs))
        for dtype in (torch.float32, torch.bfloat16)
    )
    weights = FlatWeights(model, torch.device("cpu")).views(torch.bfloat16)
    assert {weight.dtype for weight in weights.values()} == {torch.float32, torch.bfloat16}
    outputs = functional_call(model, weights, (narrow,))
    assert all(output.dtype == torch.float32 for output in outputs)
    torch.testing.assert_close(outputs.logits, model(wide).logits, rtol=0.1, atol=0.05)
