"""With the published settings a step is what it was before there were others: the same bits, written out here."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from niftyformer_assets.model.batches import DeviceData
from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.checkpoint import changes, model_card
from niftyformer_assets.model.data import Dataset, load_dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.loss import loss_parts
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.model.step import TrainingStep
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets.model.weights import FlatWeights
from niftyformer_assets_tests.model.made_up import write_experiment

LATER = {
    "training": (
        *("weight_decay", "learning_rate_decay", "warmup_steps", "decay_steps"),
        *("ema_decay", "monitor", "ranking_loss", "ranking_weight"),
    ),
    "model": ("stock_attention", "attention_dropout", "head_dropout", "input_dropout"),
}


def drawn(share: float, *shape: int) -> Tensor:
    """Four draws of a number of 64 bits."""
    count = int(np.prod(shape))
    numbers = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    return numbers[:count].view(shape) < round(share * 2**16) - 2**15


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", [{"layers": 1}, {"layers": 2, "heads": 2}, {"layers": 1, "dropout": 0.0}])
def test_it_is_adam_on_the_four_losses(tmp_path: Path, cpu: Device, model: dict[str, Any], precision: str) -> None:
    dataset = load_dataset(write_experiment(tmp_path, model=model))
    device, settings = replace(cpu, precision=precision), dataset.settings.network.model  # type: ignore[arg-type, attr-defined]
    made_on = torch.from_numpy(dataset.samples()["train"].made_on)[:24]
    torch.manual_seed(0)
    first = build_model(dataset)

    step = TrainingStep(dataset, device, "plain")
    step.begin(dataset, first.state_dict())
    torch.manual_seed(1)
    list(step.epoch(made_on))

    data, weights = DeviceData(dataset, torch.device("cpu")), FlatWeights(first, torch.device("cpu"))
    flat, rate = weights.flat, torch.tensor(1e-3)
    optimizer = torch.optim.Adam([flat], lr=rate, fused=True, foreach=False)
    torch.manual_seed(1)
    record = []
    for batch in made_on.split(12):
        shape = settings.layers, 12, 8, 10, settings.width
        dropped = {"states": drawn(settings.dropout, *shape)} if settings.dropout else {}
        seen = data.inputs(batch, device.dtype)
        parts = loss_parts(functional_call(first, weights.views(device.dtype), (seen, dropped)), data.targets(batch))
        (flat.grad,) = torch.autograd.grad(parts.sum(), flat)
        norm = nn.utils.clip_grad_norm_(flat, 0.5)
        optimizer.step()
        record.append(torch.cat([parts.detach(), norm.view(1)]))

    assert torch.equal(step.recorded(), torch.stack(record))
    assert torch.equal(step.weights.flat, flat)
    network, _, judged = step.kept()()
    assert judged is network and network.keys() == first.state_dict().keys()
    with torch.inference_mode():
        said = functional_call(first, weights.views(device.dtype), (data.inputs(made_on[:12], device.dtype),))
    value, p_up = step.inference(made_on[:12])
    np.testing.assert_array_equal(value, said.value)
    np.testing.assert_array_equal(p_up, said.logits.softmax(-1)[..., 1])


def test_a_card_of_before_a_setting_is_of_its_default(dataset: Dataset, cpu: Device) -> None:
    now, before = model_card(dataset, cpu), model_card(dataset, cpu)
    for section, names in LATER.items():
        for name in names:
            del before["settings"][section][name]
    assert changes(before, now) == []
    other = replace(dataset, settings=dataset.settings.with_training(ema_decay=0.9))
    assert changes(before, model_card(other, cpu)) == ["training.ema_decay was 0.0 and is 0.9"]


def test_what_came_later_is_off_by_itself() -> None:
    """So that nothing above is by chance."""
    known = {field.name: field.default for kind in (TrainingSettings, ModelSettings) for field in fields(kind)}
    off = {name: known[name] for names in LATER.values() for name in names}
    assert set(off.values()) == {0, None, "plateau", "mae", "none", 1.0, "sparse"}
