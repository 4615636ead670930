"""A factor on all closes is an adjustment, whatever it is; closes that read otherwise by themselves were corrected."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from niftyformer_assets.portfolio.paper.adjusted import adjustment

SPLITS = [
    Fraction(1, 2),
    Fraction(2, 3),
    Fraction(1, 5),
    Fraction(1, 10),
    Fraction(10, 11),
    Fraction(4, 5),
    Fraction(10),
]


def days(closes: list[int]) -> dict[str, int]:
    return {f"2023-01-{day:02d}": close for day, close in enumerate(closes, start=1)}


def prices(seed: int, count: int) -> list[int]:
    rng = np.random.default_rng(seed)
    return (np.exp(np.cumsum(rng.normal(0, 0.02, count))) * rng.uniform(5_000, 300_000)).astype(int).tolist()


@pytest.mark.parametrize("tick", [1, 5])
@pytest.mark.parametrize("count", [1, 2, 9])
@pytest.mark.parametrize("factor", SPLITS)
def test_the_factor_is_found_exactly(factor: Fraction, count: int, tick: int) -> None:
    for seed in range(20):
        was = prices(seed, count)
        now = [round(close * factor / tick) * tick for close in was]
        assert adjustment(days(was), days(now)) == factor
        # The last close was provisional.
        now[-1] += max(4, now[-1] // 500)
        assert adjustment(days(was), days(now)) == factor


def test_a_dividend_has_a_factor_that_explains_every_close() -> None:
    was = prices(1, 12)
    now = [round(close * 0.9371) for close in was]
    factor = adjustment(days(was), days(now))
    assert factor is not None and all(abs(a * factor - b) <= 3.5 for a, b in zip(was, now, strict=True))


@pytest.mark.parametrize("count", [1, 2, 9])
def test_corrections_are_none(count: int) -> None:
    for seed in range(20):
        was = prices(seed, count)
        rng = np.random.default_rng(seed)
        now = [round(close * (1 + change)) for close, change in zip(was, rng.normal(0, 0.004, count), strict=True)]
        assert adjustment(days(was), days(now)) is None
        assert adjustment(days(was), days([*was[:-1], round(was[-1] * 0.93)])) is None
    assert adjustment(days(was), days(was)) is None and adjustment({}, {}) is None


def test_one_wild_close_among_many_is_a_correction() -> None:
    was = prices(3, 9)
    assert adjustment(days(was), days([*was[:-1], was[-1] // 2])) is None
