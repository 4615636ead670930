"""The command line on a bare machine: nothing is installed but torch, NumPy, pandas, pyarrow and filelock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from niftyformer_assets.store.index import read_json, write_entered
from niftyformer_assets_tests.model.made_up import write_experiment
from niftyformer_assets_tests.shared_data import ROOT

# The five, and what they need themselves.
INSTALLED = {"torch", "torchgen", "functorch", "nvidia", "triton", "numpy", "pandas", "pyarrow", "filelock"}
INSTALLED |= {
    "dateutil",
    "pytz",
    "tzdata",
    "six",
    "sympy",
    "mpmath",
    "typing_extensions",
    "jinja2",
    "markupsafe",
    "fsspec",
}


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of an interpreter that finds these packages and no others."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    for entry in Path(torch.__file__).parents[1].iterdir():
        if entry.name.partition(".")[0] in INSTALLED or entry.suffix == ".libs":
            (folder / entry.name).symlink_to(entry)
    (folder / "niftyformer_assets").symlink_to(ROOT / "niftyformer_assets")
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


MODEL = ("-m", "niftyformer_assets.model")


def run(bare: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # -S leaves out the interpreter's own site-packages.
    command = [sys.executable, "-S", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=bare, timeout=300, cwd=bare["PYTHONPATH"])


def test_the_bare_machine_is_bare(bare: dict[str, str]) -> None:
    for name in ("pydantic", "dagster", "pywt", "numba", "networkx", "rich", "yaml", "scipy", "tensorboard"):
        done = run(bare, "-c", f"import {name}")
        assert f"No module named '{name}'" in done.stderr


def test_training_and_predicting_on_a_bare_machine(tmp_path: Path, bare: dict[str, str]) -> None:
    experiment = write_experiment(tmp_path / "experiment")
    done = run(bare, *MODEL, "--dataset", experiment, "--device", "cpu", "--max-epochs", "2")
    assert done.returncode == 0, done.stderr
    assert "epoch 2: loss" in done.stderr and "majority" in done.stderr
    assert "learning rate will hardly ever fall" in done.stderr
    table = pd.read_parquet(experiment / "predictions.parquet")
    assert set(table["split"]) == {"validation", "test", "later"}
    expected = {"model.json", "best.pt", "last.pt", "metrics.csv", "trained.json", "index.json", "output"}
    expected |= {"environment.json", "speed.csv", ".training.lock", ".index.json.lock"}
    assert {path.name for path in (experiment / "model").iterdir()} == expected

    for name in ("last.pt", "metrics.csv"):
        (experiment / "model" / name).unlink()
    again = run(
        bare, *MODEL, "--dataset", experiment, "--out", experiment / "model", "--predict-only", "--device", "cpu"
    )
    assert again.returncode == 0, again.stderr
    pd.testing.assert_frame_equal(pd.read_parquet(experiment / "model" / "predictions.parquet"), table)


def test_a_baseline_is_fitted_by_the_same_command(tmp_path: Path) -> None:
    experiment = write_experiment(tmp_path / "experiment", model={"name": "ridge"})
    write_entered(
        experiment / "experiment.json", json.dumps(read_json(experiment / "experiment.json") | {"baselines": {}})
    )
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    for more in ((), ("--predict-only",)):
        command = [sys.executable, *MODEL, "--dataset", str(experiment), *more]
        done = subprocess.run(command, capture_output=True, text=True, env=here, check=False)
        assert done.returncode == 0, done.stderr
        assert ("ridge is fitted" in done.stderr) == (not more)
        assert set(pd.read_parquet(experiment / "predictions.parquet")["split"]) == {"validation", "test", "later"}


def test_a_network_is_trained_by_the_same_command_on_a_bare_machine(tmp_path: Path, bare: dict[str, str]) -> None:
    experiment = write_experiment(tmp_path / "experiment", model={"name": "gru"})
    baselines = {"epochs": 1, "recurrent_width": 4, "recurrent_layers": 1}
    content = read_json(experiment / "experiment.json") | {"baselines": baselines}
    write_entered(experiment / "experiment.json", json.dumps(content))
    (experiment / "128_corr_struc2vec_adjgat.npy").unlink()  # of no use to it
    done = run(bare, *MODEL, "--dataset", experiment, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "1 epoch is done, the best was epoch 1" in done.stderr
    assert set(pd.read_parquet(experiment / "predictions.parquet")["split"]) == {"validation", "test", "later"}
    refused = run(bare, *MODEL, "--dataset", experiment, "--device", "cpu", "--max-epochs", "3")
    said = "error: --max-epochs is of the section training and the experiment's model is gru: leave it out"
    assert refused.returncode == 1 and refused.stderr.startswith(said)


def test_what_is_wrong_ends_in_one_line(tmp_path: Path, bare: dict[str, str]) -> None:
    done = run(bare, *MODEL, "--dataset", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and "experiment.json does not exist" in done.stderr
    assert len(done.stderr.splitlines()) == 1
