"""Killed at random points, training ends with the weights it would have had."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import torch

from niftyformer_assets.model.checkpoint import ModelFolder, read_checkpoint
from niftyformer_assets.model.data import load_dataset
from niftyformer_assets.model.device import choose_device
from niftyformer_assets.model.training import train

KILLS = 5


def run(experiment: Path, folder: Path, max_epochs: int) -> None:
    torch.set_num_threads(1)
    dataset = load_dataset(experiment)
    settings = dataset.settings.with_training(max_epochs=max_epochs, patience=100_000)
    dataset = replace(dataset, settings=settings)
    train(dataset, folder, choose_device("cpu", "float32"))


def test_killed_five_times_it_ends_with_bit_identical_weights(tmp_path: Path, experiment: Path) -> None:
    # The server imports torch once; each training is a fork of it, with a fresh state and no threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    warm = context.Process(target=time.sleep, args=(0,))
    warm.start()
    warm.join()
    files, wait = ModelFolder(tmp_path / "killed"), random.Random()
    finished = []
    for kill in range(KILLS):
        process = context.Process(target=run, args=(experiment, files.root, 100_000))
        process.start()
        deadline = time.monotonic() + 60
        # Every other kill may come before anything is loaded; the others come once it trains.
        while kill % 2 and not files.last.is_file() and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.join(wait.uniform(0.05, 1.0))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        finished.append(len(json.loads(read_checkpoint(files.last)["history"])) if files.last.is_file() else 0)
    assert finished == sorted(finished) and finished[-1] > 0, finished

    end = finished[-1] + 2
    for folder in (files.root, tmp_path / "whole"):
        process = context.Process(target=run, args=(experiment, folder, end))
        process.start()
        process.join()
        assert process.exitcode == 0
    whole = ModelFolder(tmp_path / "whole")
    killed_state, whole_state = read_checkpoint(files.last), read_checkpoint(whole.last)
    assert len(json.loads(killed_state["history"])) == len(json.loads(whole_state["history"])) == end
    for name, weight in whole_state["model"].items():
        assert torch.equal(killed_state["model"][name], weight), name
    for path in ("model.json", "best.pt", "last.pt", "metrics.csv", "trained.json", "index.json"):
        assert (files.root / path).read_bytes() == (whole.root / path).read_bytes(), path
    assert not list(files.root.glob(".*.tmp"))
