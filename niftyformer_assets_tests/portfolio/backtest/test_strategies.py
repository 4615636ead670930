"""A strategy is known by the same name where it is chosen and where it is carried out.

That each does what its name says is held by `test_slow_backtest` and `test_backtest`.
"""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from niftyformer_assets.portfolio.backtest import strategies
from niftyformer_assets.portfolio.backtest.records import rules
from niftyformer_assets.portfolio.settings import STRATEGIES, StrategySettings


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_name_stands_for_its_own_function(name: str) -> None:
    settings = TypeAdapter(StrategySettings).validate_python({"name": name, "top_k": 4})
    assert list(STRATEGIES)[rules(settings).strategy] == name
    assert getattr(strategies, name).py_func.__name__ == name


def test_no_other_strategy_can_be_chosen() -> None:
    with pytest.raises(ValidationError, match="'topk_equal_weight', 'topk_dropout' or 'equal_weight'"):
        TypeAdapter(StrategySettings).validate_python({"name": "equal_weights"})


@pytest.mark.parametrize("name", STRATEGIES)
def test_only_what_swaps_names_is_held_to_the_number_it_swaps(name: str) -> None:
    if STRATEGIES[name].swaps:
        with pytest.raises(ValueError, match="n_drop 3 must not be above top_k 2"):
            StrategySettings(name=name, top_k=2, n_drop=3)
    else:
        assert StrategySettings(name=name, top_k=2, n_drop=3).n_drop == 3
