"""A strategy is known by the same name where it is chosen and where it is carried out.

That each does what its name says is held by `test_slow_backtest` and `test_backtest`.
"""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest

from niftyformer_assets.portfolio.backtest.records import rules
from niftyformer_assets.portfolio.backtest.strategies import STRATEGIES
from niftyformer_assets.portfolio.settings import StrategySettings


def test_every_strategy_that_can_be_chosen_is_there() -> None:
    assert set(STRATEGIES) == set(get_args(get_type_hints(StrategySettings)["name"]))


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_name_stands_for_its_own_function(name: str) -> None:
    settings = StrategySettings(name=name, top_k=4)  # type: ignore[arg-type]
    assert list(STRATEGIES.values())[rules(settings).strategy] is STRATEGIES[name]
