from __future__ import annotations

import numpy as np
import pytest

from niftyformer_assets.factors.labels import ranks
from niftyformer_assets.factors.neutralize import Beside, transformed
from niftyformer_assets.factors.ranked import ranked
from niftyformer_assets.factors.settings import FactorSettings

F, T, N = 3, 12, 30


def made_up() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Factors with gaps, ±inf and ties, members that come and go, sectors of which one is a single stock."""
    random = np.random.default_rng(5)
    factors = random.integers(-6, 7, (F, T, N)).astype(np.float32)
    factors[0] += random.normal(size=(T, N)).astype(np.float32)
    factors[random.random(factors.shape) < 0.1] = np.nan
    factors[random.random(factors.shape) < 0.02] = np.inf
    sectors = np.array([["ALONE", None, *(f"S{n % 3}" for n in range(N - 2))]] * T, dtype=object)
    return factors, random.random((T, N)) < 0.7, sectors


def by_definition(values: np.ndarray, counts: np.ndarray, groups: list[object]) -> np.ndarray:
    """Ranks [N] of one session, pair by pair."""
    there, result = np.isfinite(values), np.full(N, np.nan)
    for group in set(groups):
        inside = there & np.array([g == group for g in groups])
        among = values[inside & counts]

        def place(value: float, among: np.ndarray = among) -> float:
            return float((among < value).sum() + ((among == value).sum() + 1) / 2)

        places = np.array([place(v) for v in among])
        for n in np.flatnonzero(inside):
            spread = places.std() if len(places) else 0
            result[n] = (place(values[n]) - places.mean()) / spread if spread > 0 else 0
    return result


@pytest.mark.parametrize("within", ["session", "sector"])
def test_a_rank_is_the_place_among_the_members_of_the_session(within: str) -> None:
    factors, counts, sectors = made_up()
    found = ranked(factors, counts, 3, sectors if within == "sector" else None)
    for f, t in np.ndindex(F, T):
        groups = list(sectors[t]) if within == "sector" else [""] * N
        np.testing.assert_allclose(found[f, t], by_definition(factors[f, t], counts[t], groups), atol=1e-6)


def test_among_all_stocks_it_is_the_rank_of_labels() -> None:
    factors, counts, _ = made_up()
    values = np.where(np.isfinite(factors), factors, np.nan)
    for f in range(F):
        np.testing.assert_allclose(ranked(factors, np.ones_like(counts), 1)[f], ranks(values[f]), atol=1e-6)


def test_a_stock_that_is_no_member_moves_nobody() -> None:
    factors, counts, sectors = made_up()
    other = np.where(counts, factors, factors[::-1] * 7)
    for groups in (None, sectors):
        before, after = (ranked(each, counts, 3, groups) for each in (factors, other))
        np.testing.assert_array_equal(np.where(counts, before, 0), np.where(counts, after, 0))


def test_a_session_of_too_few_members_is_missing() -> None:
    factors, counts, _ = made_up()
    counts[3] = np.arange(N) < 4
    factors[:, 3] = 1.0
    assert np.isnan(ranked(factors, counts, 5)[:, 3]).all()
    assert (ranked(factors, counts, 4)[:, 3] == 0).all()


@pytest.mark.parametrize("transform", ["raw", "rank", "sector_rank", "neutralized"])
def test_only_what_a_transform_looks_at_is_asked_for(transform: str) -> None:
    factors, counts, sectors = made_up()
    asked = []

    def size() -> np.ndarray:
        asked.append("size")
        return np.random.default_rng(1).normal(size=(T, N))

    def groups() -> np.ndarray:
        asked.append("sectors")
        return sectors

    settings = FactorSettings(transform=transform, min_stocks=3)  # type: ignore[arg-type]
    found = transformed(factors, Beside(size, groups, counts), settings)
    needed = {"raw": [], "rank": [], "sector_rank": ["sectors"], "neutralized": ["size", "sectors"]}
    assert asked == needed[transform]
    assert found.dtype == np.float32 and not np.isinf(found).any()
    if transform == "raw":
        np.testing.assert_array_equal(found, np.where(np.isfinite(factors), factors, np.nan))


def test_what_belongs_to_residuals_is_refused_elsewhere() -> None:
    for given in ({"winsorize": 0.01}, {"rolling_zscore_sessions": 20}):
        with pytest.raises(ValueError, match="leave them out"):
            FactorSettings(transform="rank", **given)  # type: ignore[arg-type]
