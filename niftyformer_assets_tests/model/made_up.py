"""A small experiment folder with a planted signal, as the assets to the left write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from niftyformer_assets.dataset.embedding import save_embedding
from niftyformer_assets.dataset.flow import flow, save_flow
from niftyformer_assets.dataset.settings import WaveletSettings, WindowSettings
from niftyformer_assets.dataset.trend import save_trend, trend
from niftyformer_assets.factors.labels import NetOf
from niftyformer_assets.store.arrays import Axes, save_arrays
from niftyformer_assets.store.index import write_entered
from niftyformer_assets.store.workspace import ExperimentFolder

SESSIONS, SYMBOLS, FACTORS, WIDTH = 150, 10, 3, 8
PARTS = {"train": (0, 90), "validation": (90, 115), "test": (115, 140)}


def axes(sessions: int = SESSIONS, symbols: int = SYMBOLS) -> Axes:
    dates = np.busday_offset("2022-01-05", np.arange(sessions), roll="forward")
    return Axes(dates, tuple(f"S{number:02d}" for number in range(symbols)))


def write_experiment(
    folder: Path,
    sessions: int = SESSIONS,
    symbols: int = SYMBOLS,
    signal: float = 0.6,
    gaps: bool = True,
    seed: int = 3,
    **sections: dict[str, Any],
) -> Path:
    """Write an experiment whose first factor carries a share `signal` of the next session's variance.

    The data of a longer experiment begin with those of a shorter one. `sections` are put over the
    sections of experiment.json.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(400, symbols, FACTORS + 2))[: sessions + 1]
    factors = drawn[:-1, :, :FACTORS].astype(np.float32)
    returns = np.empty((sessions, symbols))
    returns[0] = drawn[0, :, -1]
    returns[1:] = np.sqrt(signal) * factors[:-1, :, 0] + np.sqrt(1 - signal) * drawn[1:-1, :, -1]
    returns *= 0.02
    factors_valid = np.ones(factors.shape, dtype=bool)
    if gaps:
        returns[0] = np.nan
        returns[drawn[:-1, :, -2] > 2.2] = np.nan
        returns[:50, 1] = np.nan  # listed late
        factors_valid[:50, 1] = False
        factors[~factors_valid] = np.nan
    dates = axes(sessions, symbols)
    content: dict[str, Any] = {
        "name": "made_up",
        "seed": 42,
        "windows": {"input_sessions": 8, "output_sessions": 2, "label": "return"},
        "wavelet": {},
        "graph": {"dimensions": WIDTH, "embedding": "spectral"},
        "model": {"width": WIDTH, "layers": 1, "heads": 1},
        "training": {"max_epochs": 4, "precision": "float32"},
        "split": {part: [str(dates.dates[first]), str(dates.dates[stop - 1])] for part, (first, stop) in PARTS.items()},
    }
    for name, section in sections.items():
        content[name] = {**content[name], **section}
    files = ExperimentFolder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_entered(files.settings, json.dumps(content))
    windows = WindowSettings(**content["windows"])
    exposures = None
    if windows.net_of:
        beta = rng.normal(1, 0.3, size=(400, symbols))[:sessions]
        sector = np.tile(np.arange(symbols) % 2, (sessions, 1))
        exposures = NetOf(np.nan_to_num(returns).mean(axis=1), beta, sector)
    arrays = flow(returns, dates, windows, WaveletSettings(**content["wavelet"]), exposures)
    save_flow(files.flow, arrays, dates)
    save_trend(files.trend_indicator, trend(returns), dates)
    names = np.array([f"FACTOR{number}" for number in range(FACTORS)])
    save_arrays(
        files.neutralized_factors,
        {"result": factors, "valid": factors_valid, "names": names},
        dates,
        {"result": "TNF", "valid": "TNF", "names": "F"},
    )
    width = content["model"]["width"]
    graph = np.random.default_rng(1).normal(size=(symbols, width)).astype(np.float32)
    save_embedding(files.graph_embeddings, graph, dates)
    return folder
