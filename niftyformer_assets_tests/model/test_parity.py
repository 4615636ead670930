"""With the published weights the network gives the published outputs, loss and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from niftyformer_assets.model.loss import Targets, loss_parts
from niftyformer_assets.model.network import Inputs
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.model.stockformer import Stockformer
from niftyformer_assets_tests.model.published_weights import published_to_ours
from niftyformer_assets_tests.shared_data import shared


@pytest.mark.parametrize("size", ["small", "medium"])
def test_outputs_loss_and_gradients_are_the_published_ones(size: str) -> None:
    with np.load(shared(f"golden/stockformer_{size}.npz")) as file:
        golden = {name: torch.from_numpy(file[name]) for name in file.files}
    weights = {name.removeprefix("weight/"): value for name, value in golden.items() if name.startswith("weight/")}
    gradients = {name: torch.zeros_like(value) for name, value in weights.items()}
    gradients |= {name.removeprefix("grad/"): value for name, value in golden.items() if name.startswith("grad/")}
    graph, factors = golden["graph_embedding"], golden["factors"]
    sessions, count = factors.shape[1], factors.shape[3]
    settings = ModelSettings(width=graph.shape[1], dropout=0.0)
    model = Stockformer(settings, count, sessions, golden["y"].shape[1], graph).double()
    model.load_state_dict(published_to_ours(weights, settings.layers) | {"graph": graph})

    present = torch.ones(golden["returns"].shape, dtype=torch.bool)
    outputs = model(
        Inputs(golden["low"], golden["high"], golden["trend"], factors, factors, present, golden["te"].long())
    )
    known = torch.ones(golden["y"].shape, dtype=torch.bool)
    loss = loss_parts(outputs, Targets(golden["y"], golden["y_low"], golden["up"].bool(), known, known)).sum()
    loss.backward()

    for ours, name in (
        (outputs.value, "out_return"),
        (outputs.value_low, "out_return_low"),
        (outputs.logits, "out_class"),
        (outputs.logits_low, "out_class_low"),
        (loss, "loss"),
    ):
        torch.testing.assert_close(ours.detach(), golden[name], rtol=0, atol=1e-10)
    expected = published_to_ours(gradients, settings.layers)
    trained = dict(model.named_parameters())
    assert set(trained) == set(expected)
    for name, parameter in trained.items():
        # A key's bias moves all scores of a query alike, so softmax takes no notice of it: ours has no gradient at all.
        assert (parameter.grad is None) == (name.endswith("key.bias") and "fusion" not in name)
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-10, msg=name)
