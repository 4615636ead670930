"""Small experiments, and one thread: nets this small only lose by more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from niftyformer_assets.model.data import Dataset, load_dataset
from niftyformer_assets.model.device import Device, choose_device
from niftyformer_assets_tests.model.made_up import write_experiment


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("experiment"))


@pytest.fixture(scope="session")
def dataset(experiment: Path) -> Dataset:
    return load_dataset(experiment)


@pytest.fixture(scope="session")
def cpu() -> Device:
    return choose_device("cpu", "float32")


NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NO_GPU)])
def device(request: pytest.FixtureRequest) -> Device:
    """Each kind of device that is at hand, in the precision a training has there."""
    return choose_device(request.param, "float32" if request.param == "cpu" else "auto")


@pytest.fixture(scope="session")
def gpu() -> Device:
    return choose_device("cuda")
