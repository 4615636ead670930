"""What has been tried is not forgotten when an experiment's file is edited, and nothing is counted twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from niftyformer_assets.experiments import variants
from niftyformer_assets.experiments.files import load_experiments
from niftyformer_assets.experiments.variants import what_decides, without_defaults
from niftyformer_assets.market.split import SplitByDate
from niftyformer_assets.portfolio.backtest.strategy_registry import registered
from niftyformer_assets.portfolio.evidence.tries import Tries
from niftyformer_assets.store.errors import NiftyFormerError

BY_DATE = """\
market: real
sessions:
  train: {start: 2022-01-01, end: 2022-09-30}
  validation: {start: 2022-10-01, end: 2022-11-15}
  test: {start: 2022-11-16, end: 2022-12-31}
"""
BY_RATIO = "market: real\nsessions: {start: 2022-01-01, end: 2022-12-31, ratio: [0.7, 0.1, 0.2]}\n"
WINDOW = ("2024-05-02", "2024-08-30")


def values(folder: Path, more: str = "", sessions: str = BY_DATE, name: str = "a") -> dict[str, Any]:
    """What a record holds of the experiment of a file."""
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / f"{name}.yaml").write_text(sessions + more)
    return load_experiments(folder / "files")[name].values()


def tried(folder: Path) -> Tries:
    return Tries(folder / "tries", what_decides)


def without(settings: Mapping[str, Any], section: str, key: str) -> dict[str, Any]:
    """As an earlier version, which had no such setting, recorded it."""
    return {**settings, section: {name: value for name, value in settings[section].items() if name != key}}


def test_a_variant_is_what_decides_not_what_it_is_called(tmp_path: Path) -> None:
    variant, plain = tried(tmp_path).variant, values(tmp_path)
    assert variant(values(tmp_path, name="b")) == variant(plain)
    assert variant({**plain, "overrides": {"seed": 1}}) == variant(plain)
    assert variant({**plain, "market": "simulated"}) == variant(plain)
    assert variant(values(tmp_path, "baselines: {names: [zero], trees: 7}")) == variant(plain)


@pytest.mark.parametrize(
    "other",
    [
        "strategy: {top_k: 6}",
        "costs: {slippage_bps: 1}",
        "seed: 1",
        "training: {max_epochs: 3}",
        "model: {layers: 3}",
        "graph: {threshold: 0.2}",
        "wavelet: {level: 2}",
        "windows: {label: rank}",
        "factors: {ic_threshold: 0.01}",
        "universe: {min_training_sessions: 90}",
    ],
)
def test_every_section_that_decides_makes_a_variant(other: str, tmp_path: Path) -> None:
    assert tried(tmp_path).variant(values(tmp_path, other)) != tried(tmp_path).variant(values(tmp_path))


def test_of_a_baseline_that_is_the_model_its_own_settings_make_a_variant(tmp_path: Path) -> None:
    def variant(more: str) -> str:
        return tried(tmp_path).variant(values(tmp_path, "model: {name: ridge}\n" + more))

    plain = variant("")
    assert plain != tried(tmp_path).variant(values(tmp_path))
    assert variant("training: {max_epochs: 3}") == variant("wavelet: {level: 2}") == plain
    assert variant("baselines: {trees: 7}") == plain
    assert variant("baselines: {ridge_penalty: 3.0}") != plain


def test_what_the_model_or_the_strategy_does_not_read_makes_no_variant(tmp_path: Path) -> None:
    def variant(more: str) -> str:
        return tried(tmp_path).variant(values(tmp_path, more))

    for model in ("momentum", "reversal", "zero", "majority", "random", "equal_weight"):
        assert variant(f"model: {{name: {model}}}\nfactors: {{ic_threshold: 0.1}}") == variant(
            f"model: {{name: {model}}}"
        )
    assert variant("model: {name: ridge}\nfactors: {ic_threshold: 0.1}") != variant("model: {name: ridge}")
    followed = {
        "topk_equal_weight": ("drop_every: 7", "drop_share: 0.5", "rebalance_every: 4"),
        "topk_dropout": ("n_drop: 3", "hold_sessions: 4"),
        "equal_weight": ("rebalance_every: 4",),
        "topk_buffer": ("rebalance_every: 4", "keep_within: 50%"),
    }
    assert followed.keys() == registered().keys()
    for name, own in followed.items():
        plain = variant(f"strategy: {{name: {name}}}")
        for setting in {each for of in followed.values() for each in of}:
            assert (variant(f"strategy: {{name: {name}, {setting}}}") != plain) == (setting in own), (name, setting)


def test_a_panel_that_exposures_come_from_decides(tmp_path: Path) -> None:
    def variant(more: str) -> str:
        return tried(tmp_path).variant(values(tmp_path, "model: {name: momentum}\n" + more))

    exposed, size = "strategy: {neutralise: [STD20]}\n", "strategy: {neutralise: [size]}\n"
    assert variant(exposed) != variant(exposed + "factors: {factor_set: alpha158_nse93}")
    assert variant(exposed) == variant(exposed + "factors: {ic_threshold: 0.1}")
    assert variant(size) == variant(size + "factors: {factor_set: nse93}")


def test_other_sessions_are_another_variant(tmp_path: Path) -> None:
    later = BY_DATE.replace("2022-01-01", "2021-12-01")
    plain, other, ratio = (tried(tmp_path).variant(values(tmp_path, "", each)) for each in (BY_DATE, later, BY_RATIO))
    assert len({plain, other, ratio}) == 3


def test_a_setting_that_came_later_makes_no_variant_with_its_default(tmp_path: Path) -> None:
    variant = tried(tmp_path).variant
    for sessions in (BY_DATE, BY_RATIO):
        now = values(tmp_path, "", sessions)
        for section in set(now) - {"name", "market", "sessions", "overrides"}:
            assert variant({name: value for name, value in now.items() if name != section}) == variant(now)
        for section, settings in now.items():
            for key in settings if isinstance(settings, dict) and section != "sessions" else ():
                assert variant(without(now, section, key)) == variant(now), (section, key)
    other = values(tmp_path, "strategy: {top_k: 6}")
    assert variant(without(other, "strategy", "cash_yield")) == variant(other)
    assert variant(without(other, "strategy", "top_k")) != variant(other)


def test_a_setting_of_the_sessions_that_came_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have none with a default today, so one is put in."""

    @dataclass(frozen=True)
    class Later(SplitByDate):
        embargo: int = 2

    monkeypatch.setattr(variants, "SplitByDate", Later)
    variant, plain = tried(tmp_path).variant, values(tmp_path)
    for embargo, alike in ((2, True), (3, False)):
        now = {**plain, "sessions": {**plain["sessions"], "embargo": embargo}}
        assert (variant(now) == variant(plain)) == alike


def test_values_without_defaults_are_those_a_file_has_to_say(tmp_path: Path) -> None:
    said = without_defaults(values(tmp_path, "strategy: {top_k: 6, n_drop: 2}\nbaselines: {trees: 7}"))
    assert {key: said[key] for key in said if not key.startswith("sessions.")} == {
        "name": "a",
        "market": "real",
        "strategy.top_k": 6,
        "baselines.trees": 7,
    }


def test_each_variant_counts_once_on_the_sessions_it_was_tried_on(tmp_path: Path) -> None:
    tries = tried(tmp_path)
    assert tries.on("2024-01-01", "2024-12-31") == set()
    for top_k in (5, 10, 5):
        tries.remember(values(tmp_path, f"strategy: {{top_k: {top_k}}}"), *WINDOW)
    assert len(tries.on("2024-08-30", "2024-12-31")) == 2
    assert tries.on("2024-09-02", "2024-12-31") == set()
    # A split by shares moves on with the candles: the earlier window stays looked at, the variant is one.
    tries.remember(values(tmp_path, "strategy: {top_k: 5}"), "2024-08-01", "2024-11-29")
    assert len(tries.on("2024-05-02", "2024-05-31")) == 2
    assert len(tries.on("2024-05-02", "2024-12-31")) == 2


def test_one_count_that_holds_what_was_reported_and_the_report_being_made(tmp_path: Path) -> None:
    tries, plain = tried(tmp_path), values(tmp_path)
    assert tries.count(plain, *WINDOW) == 1
    tries.remember(plain, *WINDOW)
    assert tries.count(plain, *WINDOW) == 1
    other = values(tmp_path, "seed: 2")
    assert tries.count(other, *WINDOW) == 2
    assert tries.count(other, "2025-01-01", "2025-02-01") == 1


def test_records_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """They had fewer settings, and took two experiments with other baselines for two variants."""
    now = values(tmp_path)
    earlier = without(now, "strategy", "cash_yield")
    for settings in (earlier, without(earlier, "baselines", "trees"), {**earlier, "seed": 2}):
        deciding = {key: value for key, value in settings.items() if key not in ("name", "market", "overrides")}
        digest = hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:24]
        content = {"first_session": WINDOW[0], "last_session": WINDOW[1], "settings": settings}
        file = tmp_path / "tries" / f"{digest}_{WINDOW[0]}_{WINDOW[1]}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    assert len(list((tmp_path / "tries").iterdir())) == 3
    assert tried(tmp_path).count(now, *WINDOW) == 2
    assert tried(tmp_path).variant(now) in tried(tmp_path).on(*WINDOW)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tries").mkdir()
    (tmp_path / "tries" / "x.json").write_text("{")
    with pytest.raises(NiftyFormerError, match=r"x\.json is damaged"):
        tried(tmp_path).on("2024-01-01", "2024-12-31")


def test_a_changed_record_is_damaged(tmp_path: Path) -> None:
    tried(tmp_path).remember(values(tmp_path), *WINDOW)
    (file,) = (tmp_path / "tries").iterdir()
    file.write_text(file.read_text().replace('"seed": 42', '"seed": 43'))
    with pytest.raises(NiftyFormerError, match="its name is not that of its content"):
        tried(tmp_path).on(*WINDOW)
