"""The watch does not cry wolf, however often it is looked at; and it does cry when the wolf has come."""

from __future__ import annotations

import numpy as np
import pytest

from niftyformer_assets.portfolio.watch.sequence import FALSE_ALARMS, LEAST, watched

RUNS, LIVE, FIGURES = 1000, 500, 3


def draws(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Of mean 0 and unit variance."""
    if kind == "normal":
        return rng.normal(size=shape)
    if kind == "heavy tails":
        return rng.standard_t(4, size=shape) / np.sqrt(2)
    if kind == "skewed":  # as turnover
        return rng.exponential(size=shape) - 1
    if kind == "every fifth":  # as the turnover of a weekly strategy
        return np.where(np.arange(shape[-1]) % 5 == 0, 2.0, -0.5) * np.abs(1 + 0.2 * rng.normal(size=shape))
    noise = rng.normal(size=shape)  # neighbours agree a little
    for t in range(1, shape[-1]):
        noise[..., t] = 0.1 * noise[..., t - 1] + np.sqrt(1 - 0.01) * noise[..., t]
    return noise


def alarms(kind: str, before: int, drop: float = 0.0, seed: int = 0) -> float:
    """The share of models that were ever warned of in LIVE sessions, looked at every day, in any of the figures."""
    rng, warned = np.random.default_rng(seed), 0
    for _ in range(RUNS):
        live = 0.03 + 0.1 * (draws(rng, (FIGURES, LIVE), kind) - drop)
        past = 0.03 + 0.1 * draws(rng, (FIGURES, before), kind)
        seen = [watched(live[k], past[k], FIGURES) for k in range(FIGURES)]
        warned += any(each.below.any() or each.above.any() for each in seen)
    return warned / RUNS


@pytest.mark.parametrize("before", [30, 120, 500])
@pytest.mark.parametrize("kind", ["normal", "heavy tails", "skewed", "every fifth", "neighbours agree"])
def test_false_alarms_are_as_rare_as_said(kind: str, before: int) -> None:
    """Two years of looking every day, at three figures."""
    assert alarms(kind, before) <= FALSE_ALARMS, alarms(kind, before)


def test_a_model_that_is_dead_is_told_and_the_sooner_the_worse_it_is() -> None:
    """In standard deviations of a session: a half is a rank IC of 0.05 gone, where sessions vary by 0.1."""
    assert alarms("normal", 250, drop=0.5) > 0.95
    assert alarms("normal", 250, drop=0.25) < alarms("normal", 250, drop=0.5)


def test_a_look_every_day_at_a_plain_interval_would_cry_wolf() -> None:
    """What this is for: the same models, judged by 1.96 standard errors each day."""
    rng = np.random.default_rng(0)
    live = rng.normal(size=(RUNS, LIVE))
    n = np.arange(1, LIVE + 1)
    outside = np.abs(np.cumsum(live, axis=1) / n) > 1.96 / np.sqrt(n)
    assert outside.any(axis=1).mean() > 0.5


def test_the_band_is_of_the_values_so_far() -> None:
    rng = np.random.default_rng(1)
    past, live = rng.normal(0.03, 0.1, 100), rng.normal(0.03, 0.1, 60)
    whole = watched(live, past, 3)
    part = watched(live[:20], past, 3)
    np.testing.assert_array_equal(whole.low[:20], part.low)
    assert (np.diff(whole.high - whole.low) < 0).all() and whole.mean[-1] == pytest.approx(live.mean())
    gaps = watched(np.insert(live, 7, np.nan), np.append(past, np.nan), 3)
    np.testing.assert_array_equal(gaps.mean, whole.mean)


def test_without_a_yardstick_nothing_is_judged() -> None:
    for past in (np.ones(LEAST - 1), np.full(LEAST, 0.2), np.full(LEAST, np.nan)):
        seen = watched(np.array([5.0, -5.0]), past)
        assert seen.before is None and not seen.below.any() and not seen.above.any()
    assert len(watched(np.array([]), np.random.default_rng(0).normal(size=50)).mean) == 0
