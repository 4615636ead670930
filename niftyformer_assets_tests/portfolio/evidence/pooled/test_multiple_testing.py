"""Multiple testing, against examples by hand and published ones."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from niftyformer_assets.portfolio.evidence.pooled.multiple_testing import (
    MIN_SESSIONS_OF_BLOCK,
    holm,
    overfitting_probability,
    two_sided,
)


def blocks(*ratios: list[float]) -> np.ndarray:
    """Returns of variants whose Sharpe ratios of a session are these in each block, of 10 sessions and deviation 1."""
    around = np.array([-1.0, 1.0] * (MIN_SESSIONS_OF_BLOCK // 2))
    return np.vstack([np.array(row)[None, :] + around[:, None] for row in ratios])


def test_by_hand_the_best_of_each_half_is_the_worst_of_the_other() -> None:
    """Two variants, two blocks: whichever half is chosen, its best comes last in the other. w = 1/3, so all count."""
    told = overfitting_probability(blocks([1.0, 0.0], [0.0, 1.0]), blocks=2)
    assert (told.probability, told.choices, told.variants) == (1.0, 2, 2)


def test_by_hand_the_best_of_each_half_is_the_best_of_the_other() -> None:
    assert overfitting_probability(blocks([1.0, 0.0, 0.1], [1.0, 0.1, 0.0]), blocks=2).probability == 0


def test_by_hand_four_blocks() -> None:
    """Six choices of two blocks of four. A is good in blocks 1 to 3 and bad in 4, B is always in the middle.

    Half sums of A (3, 3, 3, -6) and of B (1, 1, 1, 1), to which Sharpe ratios of equal deviations are proportional
    only nearly, hence the slow count below too. {1,2}: A is best, in {3,4} A has -3 against 2: overfitted; so
    for {1,3} and {2,3}. {1,4}: B is best, in {2,3} A has 6 against 2: overfitted; so for {2,4} and {3,4}.
    """
    returns = blocks([3.0, 1.0], [3.0, 1.0], [3.0, 1.0], [-6.0, 1.0])
    assert overfitting_probability(returns, blocks=4).probability == 1.0
    # With a third variant that is best in every block, nothing is overfitted.
    best = blocks([3.0, 1.0, 9.0], [3.0, 1.0, 9.0], [3.0, 1.0, 9.0], [-6.0, 1.0, 9.0])
    assert overfitting_probability(best, blocks=4).probability == 0.0


def test_as_a_slow_count_has_it() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        returns = rng.normal(0, 0.01, (83, 5)) + 0.002 * rng.normal(size=5)
        parts = np.array_split(returns, 6)
        over = []
        for inside in combinations(range(6), 3):
            here = np.vstack([parts[block] for block in inside])
            there = np.vstack([parts[block] for block in range(6) if block not in inside])
            best = int(np.argmax(here.mean(axis=0) / here.std(axis=0)))
            ratio = there.mean(axis=0) / there.std(axis=0)
            w = (1 + (ratio < ratio[best]).sum()) / (5 + 1)
            over.append(math.log(w / (1 - w)) <= 1e-12)
        assert overfitting_probability(returns, blocks=6).probability == pytest.approx(np.mean(over))


def test_without_skill_the_best_of_one_half_is_any_of_the_other() -> None:
    """Bailey, Borwein, López de Prado and Zhu, test case 1: variants of pure noise."""
    rng = np.random.default_rng(1)
    told = [overfitting_probability(rng.normal(0, 0.01, (400, 10))).probability for _ in range(60)]
    assert np.mean(told) == pytest.approx(0.5, abs=0.08)


def test_of_one_variant_with_skill_among_many_without_little_is_overfitted() -> None:
    rng = np.random.default_rng(2)
    returns = rng.normal(0, 0.01, (1000, 50))
    returns[:, 7] += 0.002
    told = overfitting_probability(returns)
    assert told.probability < 0.01
    assert told.choices == math.comb(16, 8)


def test_what_cannot_be_told() -> None:
    rng = np.random.default_rng(3)
    assert math.isnan(overfitting_probability(rng.normal(size=(1000, 1))).probability)
    assert math.isnan(overfitting_probability(rng.normal(size=(159, 5))).probability)
    assert math.isnan(overfitting_probability(np.zeros((1000, 5))).probability)
    flat = np.column_stack([rng.normal(0.01, 0.01, 1000), np.zeros(1000)])
    assert overfitting_probability(flat).probability == 0


def test_variants_that_are_alike_share_their_places() -> None:
    one = np.random.default_rng(4).normal(0, 0.01, (400, 1))
    assert overfitting_probability(np.hstack([one, one, one])).probability == 1.0  # the middle is not above the median


def test_holm_against_the_published_example() -> None:
    """Holm's procedure on p = .01, .04, .03, .005, by its definition: .005 x 4, .01 x 3, .03 x 2, max(.06, .04)."""
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_array_equal(holm(np.array([0.9, 0.8])), [1, 1])
    np.testing.assert_allclose(holm(np.array([0.02, np.nan, 0.03])), [0.04, np.nan, 0.04])
    assert len(holm(np.array([]))) == 0


def test_a_t_of_196_is_five_percent() -> None:
    assert two_sided(1.959964) == pytest.approx(0.05, abs=1e-6)
    assert two_sided(-1.959964) == pytest.approx(0.05, abs=1e-6)
    assert math.isnan(two_sided(math.nan))
