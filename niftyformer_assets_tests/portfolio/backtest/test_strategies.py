"""A strategy is one file: its name, its settings and its rule; and how many stocks a setting stands for.

That each does what its name says is held by `test_slow_backtest` and `test_backtest`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from niftyformer_assets.experiments.reading import experiment_of
from niftyformer_assets.portfolio.backtest.records import rules
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.strategy_registry import places, registered
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT
from niftyformer_assets_tests.portfolio.markets import plain_market


@pytest.mark.parametrize("name", registered())
def test_a_name_stands_for_its_own_rule(name: str) -> None:
    settings = TypeAdapter(StrategySettings).validate_python({"name": name, "top_k": 4})
    market = plain_market(np.ones((3, 5)))
    assert list(registered())[rules(settings, market).strategy] == name
    assert registered()[name].rule().py_func.__name__ == name
    assert settings.rule == registered()[name](**{f: getattr(settings, f) for f in registered()[name].kinds()})


def test_no_other_strategy_can_be_chosen() -> None:
    with pytest.raises(ValidationError, match="'topk_equal_weight', 'equal_weight', 'topk_buffer' or 'topk_dropout'"):
        TypeAdapter(StrategySettings).validate_python({"name": "equal_weights"})


@pytest.mark.parametrize("name", registered())
def test_only_what_swaps_names_is_held_to_the_number_it_swaps(name: str) -> None:
    if name == "topk_dropout":
        with pytest.raises(ValueError, match="n_drop 3 must not be above top_k 2"):
            StrategySettings(name=name, top_k=2, n_drop=3)
    else:
        assert StrategySettings(name=name, top_k=2, n_drop=3).n_drop == 3


@pytest.mark.parametrize(("top_k", "within"), [(5, 4), ("20%", "10%")])
def test_a_buffer_is_no_narrower_than_what_is_held(top_k: int | str, within: int | str) -> None:
    with pytest.raises(ValueError, match=f"keep_within {within} must not be below top_k {top_k}"):
        StrategySettings(name="topk_buffer", top_k=top_k, keep_within=within)
    assert StrategySettings(top_k=top_k, keep_within=within).top_k == top_k


@pytest.mark.parametrize(
    ("given", "members", "stocks"),
    [(10, 200, 10), (10, 3, 10), ("20%", 200, 40), ("2.5%", 200, 5), ("20%", 2, 1), ("20%", 0, 1), ("50%", 5, 3)],
)
def test_a_share_is_of_the_members_half_up_and_one_at_least(given: int | str, members: int, stocks: int) -> None:
    assert places(given, np.array([members])).tolist() == [stocks]


@pytest.mark.parametrize("given", [0, -1, 0.2, True, "0%", "101%", "20 %", "20", "-5%", "1e1%", "", None])
def test_what_is_neither_a_number_nor_a_share_is_refused(given: object) -> None:
    for name in ("top_k", "keep_within"):
        with pytest.raises(ValueError, match=f"{name} must be a number of stocks"):
            StrategySettings(**{name: given})


def read(value: str) -> StrategySettings:
    text = TINY_EXPERIMENT.replace("top_k: 3", f"top_k: {value}")
    return experiment_of(Path("mine.yaml"), text, "{}").strategy


def test_a_file_says_20_percent_as_people_do() -> None:
    assert read("20%").top_k == "20%"
    assert read("4").top_k == 4
    for wrong in ("0.2", "20", '"4"', "120%"):
        if wrong != "20":
            with pytest.raises(NiftyFormerError, match="top_k") as said:
                read(wrong)
            assert "\n" not in str(said.value)


def test_the_share_follows_the_members_of_each_session() -> None:
    market = plain_market(np.full((60, 10), 100.0))
    market.member[30:, 5:] = False
    scores = Scores(market.axes, np.tile(np.arange(10.0), (60, 1)))
    strategy = StrategySettings(name="topk_buffer", top_k="40%", keep_within="100%", rebalance_every=5)
    result = run_backtest(scores, market, strategy, CostSettings(schedule="flat", flat_bps=0))
    held = result.holdings > 0
    assert result.places[[0, 29, 30, 59]].tolist() == [4, 4, 2, 2]
    assert np.flatnonzero(held[29]).tolist() == [6, 7, 8, 9]
    # No member any more is worst; of the five that are left the best two.
    assert np.flatnonzero(held[40]).tolist() == [3, 4]


def test_a_name_is_kept_while_it_is_within_the_buffer_and_no_longer() -> None:
    """The best of six falls one place every five sessions, the others keep their order."""
    market = plain_market(np.full((40, 6), 100.0))
    values = np.tile(np.arange(6.0), (40, 1))
    for t in range(40):
        values[t, 5] = 5.1 - t // 5
    strategy = StrategySettings(name="topk_buffer", top_k=2, keep_within=4, rebalance_every=1)
    result = run_backtest(Scores(market.axes, values), market, strategy, CostSettings(schedule="flat", flat_bps=0))
    held = result.holdings > 0
    # It is fourth until session 24; the session after it is fifth it leaves, and the best not held enters.
    assert held[1:26, 5].all() and held[1:26, 4].all() and not held[1:26, 3].any()
    assert not held[26:, 5].any() and held[26:, 3].all() and held[26:, 4].all()


def test_a_strategy_of_ones_own_is_one_file(tmp_path: Path) -> None:
    """A fresh interpreter finds the file, its setting, and trades by it."""
    import subprocess

    from niftyformer_assets.imports import PACKAGE

    file = PACKAGE / "portfolio" / "backtest" / "strategies" / "worst.py"
    assert not file.exists()
    copy = tmp_path / "niftyformer_assets"
    _copy(PACKAGE, copy)
    own = copy / "portfolio" / "backtest" / "strategies" / "worst.py"
    own.write_text(OWN)
    code = (
        "import numpy as np\n"
        "from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings\n"
        "from niftyformer_assets.portfolio.backtest.run import run_backtest\n"
        "from niftyformer_assets.portfolio.backtest.scores import Scores\n"
        "from niftyformer_assets.portfolio.backtest.market import Market\n"
        "from niftyformer_assets.store.arrays import Axes\n"
        "axes = Axes(np.datetime64('2023-01-02') + np.arange(6), ('A', 'B', 'C'))\n"
        "price = np.full((6, 3), 100.0)\n"
        "market = Market(axes, price, price + 1, price - 1, price, price, price > 0, np.zeros((6, 3), int))\n"
        "scores = Scores(axes, np.tile([1.0, 2.0, 3.0], (6, 1)))\n"
        "strategy = StrategySettings(name='worst', top_k=1, wait_sessions=2)\n"
        "held = run_backtest(scores, market, strategy, CostSettings()).holdings > 0\n"
        "print(held.astype(int).tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == str([[0, 0, 0]] * 3 + [[1, 0, 0]] * 3), done.stderr


def _copy(package: Path, to: Path) -> None:
    import shutil

    shutil.copytree(package, to, ignore=shutil.ignore_patterns("__pycache__"))


OWN = '''
from dataclasses import dataclass

from niftyformer_assets.portfolio.backtest.strategy_registry import Strategy, strategy


@strategy("worst")
@dataclass(frozen=True)
class Worst(Strategy):
    """Buy the worst after a wait.

    wait_sessions: how long
    """

    wait_sessions: int = 1

    @classmethod
    def rule(cls):
        from niftyformer_assets.compiling import step

        @step
        def worst(d, age, equity, book, tape, ranking, rules):
            if age != rules.wait_sessions:
                return 0, False, rules.top_k[d]
            book.enter[0] = ranking.order[d, ranking.scored[d] - 1]
            return 1, False, rules.top_k[d]

        return worst
'''
