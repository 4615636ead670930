"""The network beside plain loops: heads, the copy, and what is missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from niftyformer_assets.model.attention import SpatialAttention, TemporalAttention, isolating_mask, take_rows
from niftyformer_assets.model.blocks import dropout
from niftyformer_assets.model.loss import Targets, loss_parts
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.model.stockformer import Inputs, Outputs, Stockformer


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
    seen: list[Tensor] = []
    block.out.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    mask = isolating_mask(torch.ones(1, 1, length, dtype=torch.bool), kind == "sessions", torch.float64)
    block(x, torch.zeros(length, width).double(), mask) if kind == "stocks" else block(x, mask)
    expected = by_hand(x[0, 0].numpy(), block, heads, causal=kind == "sessions", copy=kind == "stocks")
    np.testing.assert_allclose(seen[0][0, 0].numpy(), expected, atol=1e-12)


def test_taking_rows_is_the_published_gather_and_so_is_its_gradient() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    rows = torch.randint(0, 5, (2, 3, 5))
    taken = take_rows(x, rows)
    expected = torch.gather(x, -2, rows.unsqueeze(-1).expand_as(x))
    assert torch.equal(taken, expected)
    weights = torch.randn_like(taken)
    torch.testing.assert_close(
        torch.autograd.grad((taken * weights).sum(), x)[0], torch.autograd.grad((expected * weights).sum(), x)[0]
    )


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
    mask = isolating_mask(torch.ones(2, 3, 6, dtype=torch.bool), True, torch.float64)
    changed = x.clone()
    changed[:, :, 4] += 1
    before, after = block(x, mask), block(changed, mask)
    assert torch.equal(before[:, :, :4], after[:, :, :4])
    assert not torch.allclose(before[:, :, 4:], after[:, :, 4:])


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
    ones = torch.ones(101, 1001)
    dropped = dropout(ones, 0.3, training=True)
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert (dropped == 0).float().mean() == pytest.approx(0.3, abs=0.006)
    assert torch.equal(dropout(ones, 0.3, training=False), ones)
    assert torch.equal(dropout(ones, 0.0, training=True), ones)


def test_heads_and_predictions_stay_wide_under_autocast() -> None:
    model = make_model(ModelSettings(8, 1, 1), 6, 2, 5, 3).float()
    inputs = make_inputs(2, 6, 2, 5, 3)
    narrow = Inputs(*(array.float() if array.is_floating_point() else array for array in inputs))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model(narrow)
    assert all(output.dtype == torch.float32 for output in outputs)
    torch.testing.assert_close(outputs.logits, model(narrow).logits, rtol=0.1, atol=0.05)
