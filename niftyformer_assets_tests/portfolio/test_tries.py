"""What has been tried is not forgotten when an experiment's file is edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from niftyformer_assets.portfolio.tries import count_variants, remember_try, tried_on, variant_id
from niftyformer_assets.store.errors import NiftyFormerError

SETTINGS = {"name": "a", "market": "real", "overrides": {}, "strategy": {"top_k": 5}, "seed": 1}


def test_a_variant_is_what_decides_not_what_it_is_called() -> None:
    assert variant_id(SETTINGS) == variant_id({**SETTINGS, "name": "b", "overrides": {"seed": 1}})
    assert variant_id(SETTINGS) != variant_id({**SETTINGS, "strategy": {"top_k": 6}})
    assert variant_id(SETTINGS) != variant_id({**SETTINGS, "seed": 2})


def test_each_variant_counts_once_on_the_sessions_it_was_tried_on(tmp_path: Path) -> None:
    assert tried_on(tmp_path / "tries", "2024-01-01", "2024-12-31") == set()
    for top_k in (5, 10, 5):
        remember_try(tmp_path / "tries", {**SETTINGS, "strategy": {"top_k": top_k}}, "2024-05-02", "2024-08-30")
    assert len(tried_on(tmp_path / "tries", "2024-08-30", "2024-12-31")) == 2
    assert tried_on(tmp_path / "tries", "2024-09-02", "2024-12-31") == set()
    # A split by shares moves on with the candles: the earlier window stays looked at, the variant is one.
    remember_try(tmp_path / "tries", {**SETTINGS, "strategy": {"top_k": 5}}, "2024-08-01", "2024-11-29")
    assert len(tried_on(tmp_path / "tries", "2024-05-02", "2024-05-31")) == 2
    assert len(tried_on(tmp_path / "tries", "2024-05-02", "2024-12-31")) == 2


def test_one_count_that_holds_what_was_reported_and_the_report_being_made(tmp_path: Path) -> None:
    window = ("2024-05-02", "2024-08-30")
    assert count_variants(tmp_path, SETTINGS, *window) == 1
    remember_try(tmp_path, SETTINGS, *window)
    assert count_variants(tmp_path, SETTINGS, *window) == 1
    other = {**SETTINGS, "seed": 2}
    assert count_variants(tmp_path, other, *window) == 2
    assert count_variants(tmp_path, other, "2025-01-01", "2025-02-01") == 1


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(NiftyFormerError, match=r"x\.json is damaged"):
        tried_on(tmp_path, "2024-01-01", "2024-12-31")
