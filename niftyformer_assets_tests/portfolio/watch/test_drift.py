"""Drift is told against what training itself had: a shifted factor is named, one that wanders as ever is not."""

from __future__ import annotations

import numpy as np
import pytest

from niftyformer_assets.portfolio.watch.checks import alive
from niftyformer_assets.portfolio.watch.drift import SESSIONS, drift
from niftyformer_assets.portfolio.watch.sequence import watched

T, N, TRAIN = 200, 40, slice(0, 160)
NAMES = [f"F{place}" for place in range(8)]


def factors(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(T, N, len(NAMES)))
    values[:, :, 1] += np.cumsum(rng.normal(0, 0.1, T))[:, None]  # wanders, in training too
    values[:, :, 2] = (values[:, :, 2] > 0.8) * 1.0  # of two values
    return values, rng.random(values.shape) > 0.03


def test_what_stays_is_not_told_and_what_moves_is() -> None:
    values, valid = factors()
    table = drift(values, valid, NAMES, TRAIN).table.set_index("factor")
    assert not table.drop("F1")["drifted"].any() and table.drop("F1")["psi"].max() < 0.1
    values[-SESSIONS:, :, 3] += 1.0
    values[-SESSIONS:, :, 4] *= 3.0
    valid[-SESSIONS:, :, 5] = False
    moved = drift(values, valid, NAMES, TRAIN).table
    assert set(moved.loc[moved["drifted"], "factor"]) - {"F1"} == {"F3", "F4"}
    assert moved["psi"].is_monotonic_decreasing
    assert moved.set_index("factor").loc["F5", "missing"] == 1.0
    garbled = values.copy()
    garbled[TRAIN.stop : -SESSIONS] = 99.0  # neither training nor the end
    np.testing.assert_array_equal(drift(garbled, valid, NAMES, TRAIN).table["psi"], moved["psi"])


def test_the_index_is_the_formula() -> None:
    values, valid = factors(1)
    valid[:] = True
    found = drift(values, valid, NAMES, TRAIN).table.set_index("factor").loc["F6", "psi"]
    edges = np.quantile(values[TRAIN, :, 6], np.arange(1, 10) / 10)

    def shares(part: np.ndarray) -> np.ndarray:
        counts = np.histogram(part, [-np.inf, *edges, np.inf])[0]
        return (counts + 0.5) / (counts.sum() + 5)

    p, q = shares(values[TRAIN, :, 6]), shares(values[-SESSIONS:, :, 6])
    assert found == pytest.approx(float(((q - p) * np.log(q / p)).sum()))


def test_the_check_warns_of_what_is_worse_and_says_which() -> None:
    rng = np.random.default_rng(0)
    values, valid = factors()
    kept = [0, *range(2, len(NAMES))]
    values, valid, names = values[:, :, kept], valid[:, :, kept], [NAMES[place] for place in kept]
    calm = drift(values, valid, names, TRAIN)
    past = {name: rng.normal(0.05, 0.1, 250) for name in ("rank_ic", "hit_rate", "turnover")}
    same = {name: watched(rng.normal(0.05, 0.1, 100), of, 3) for name, of in past.items()}
    found = alive(same, calm, 40)
    assert found.passed and not found.defect and "40 sessions since training" in found.sentence
    worse = same | {"rank_ic": watched(rng.normal(-0.2, 0.1, 100), past["rank_ic"], 3)}
    assert "rank IC is not the backtest's" in alive(worse, calm, 40).sentence and not alive(worse, calm, 40).passed
    better = same | {"rank_ic": watched(rng.normal(0.3, 0.1, 100), past["rank_ic"], 3)}
    assert alive(better, calm, 40).passed
    busier = same | {"turnover": watched(rng.normal(0.3, 0.1, 100), past["turnover"], 3)}
    assert not alive(busier, calm, 40).passed
    unknown = same | {"rank_ic": watched(np.array([]), past["rank_ic"], 3)}
    assert "rank IC is not judged yet" in alive(unknown, calm, 40).sentence
    values[-SESSIONS:] += 1
    valid[-SESSIONS:, :10] = False
    said = alive(same, drift(values, valid, names, TRAIN), 40)
    assert not said.passed and "7 of 7 factors have drifted" in said.sentence and "are missing" in said.sentence


def test_factors_that_move_together_warn_no_more_often_than_stretches_of_training_do() -> None:
    """All wander with one walk: each by itself is beyond training now and then, and then all are."""
    warned = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        common = np.repeat(rng.normal(0, 2, T // SESSIONS), SESSIONS)[:, None, None]
        values = common + rng.normal(size=(T, N, 4)) * 0.5
        found = drift(values, np.ones(values.shape, dtype=bool), list("abcd"), TRAIN)
        warned += found.share > max(0.1, found.most_in_training)
        assert 0 <= found.most_in_training <= 1
    # Eight stretches of training: the ninth is the furthest in one case of nine, and not all of them count.
    assert warned <= 60 / 9 * 1.6
