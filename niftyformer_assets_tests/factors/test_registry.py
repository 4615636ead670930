from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from niftyformer_assets.factors.registration import OWN_FACTORS, OwnFactor, register
from niftyformer_assets.factors.registry import FACTOR_SETS, own_set
from niftyformer_assets.factors.settings import FactorSettings
from niftyformer_assets.imports import PACKAGE
from niftyformer_assets.market.panel import Panel
from niftyformer_assets_tests.factors.panels import made_up_panel, sectors_of


@pytest.mark.parametrize("name", FACTOR_SETS)
def test_every_set_keeps_its_promise(name: str) -> None:
    panel, chosen = made_up_panel(), FACTOR_SETS[name]
    sectors = sectors_of(panel)
    values = chosen.compute(panel, 0, None, sectors)
    assert values.shape == (len(chosen.names), *panel.axes.shape)
    assert values.dtype == np.float32
    assert not np.isinf(values).any()
    assert np.isnan(values[:, panel.segment < 0]).all()
    np.testing.assert_array_equal(chosen.compute(panel, 100, None, sectors), values[:, 100:])


def test_the_example_of_an_own_factor() -> None:
    panel = made_up_panel()
    place = FACTOR_SETS["own"].names.index("OVERNIGHT_GAP")
    gap = FACTOR_SETS["own"].compute(panel, 0, None)[place]
    row, column = np.argwhere(np.isfinite(gap))[5]
    expected = panel.open[row, column] / panel.close[row - 1, column] - 1
    assert gap[row, column] == np.float32(expected)


@pytest.mark.parametrize("name", ["KMID", "CLOSE3", "with space", "../up", ""])
def test_names_that_are_taken_or_no_file_names_are_refused(name: str) -> None:
    before = dict(OWN_FACTORS)
    with pytest.raises(ValueError, match="no name for a factor"):
        register(name, lookback=0)(lambda panel: panel.close)
    assert before == OWN_FACTORS


def test_an_own_factor_of_the_wrong_shape_is_named() -> None:
    def last(panel: Panel) -> np.ndarray:
        return panel.close[-1]

    with pytest.raises(ValueError, match="'LAST' gave shape"):
        own_set({"LAST": OwnFactor(last, 0)}).compute(made_up_panel(), 0, None)


def test_a_set_of_two_panels_has_one_after_the_other() -> None:
    both, first, second = (FACTOR_SETS[name] for name in ("alpha158_own", "alpha158", "own"))
    assert both.names == (*first.names, *second.names)
    panel = made_up_panel()
    np.testing.assert_array_equal(both.compute(panel, 0, None)[-len(second.names) :], second.compute(panel, 0, None))


@pytest.mark.parametrize("name", FACTOR_SETS)
def test_an_experiment_may_ask_for_every_set_and_no_other(name: str) -> None:
    asked = TypeAdapter(FactorSettings)
    assert asked.validate_python({"factor_set": name}).factor_set == name
    with pytest.raises(ValidationError, match="'alpha158', 'alpha360'"):
        asked.validate_python({"factor_set": f"{name}_"})


def test_a_factor_set_knows_the_code_of_its_values() -> None:
    def named(name: str) -> set[str]:
        return {each.relative_to(PACKAGE).as_posix() for each in FACTOR_SETS[name].sources}

    kernels = {f"factors/kernels/{name}.py" for name in ("families", "formulas", "lanes", "order", "windows")}
    assert kernels < named("alpha158") and not kernels & named("alpha360")
    assert "factors/kernels/lags.py" in named("alpha360") - named("alpha158")
    assert {"factors/own.py", "factors/registration.py", "factors/history.py"} == named("own")
    assert named("alpha158_own") == named("alpha158") | named("own")
    for name in FACTOR_SETS:  # candles are compared themselves
        assert not {each for each in named(name) if each.startswith(("market/", "store/"))}


ONE_ROW = """
import sys

from niftyformer_assets.factors import registry

registry.FACTOR_SETS["wide"] = registry._together("alpha360", "nse93")
from niftyformer_assets.artifacts import artifacts
from niftyformer_assets.factors.settings import FACTOR_SET_NAMES, FactorSettings
from pydantic import TypeAdapter

assert TypeAdapter(FactorSettings).validate_python({"factor_set": "wide"}).factor_set == "wide"
rows = artifacts(FACTOR_SET_NAMES)
assert rows["wide_panel"].words.startswith("The factors of `alpha360`, and after them those of `nse93`, from")
assert rows["wide_panel"].kinds == {"numba", "parquet"}
assert {"wide_panel"} < set(rows["ic_summary"].may_read) & set(rows["neutralized_factors"].may_read)
assert len(registry.FACTOR_SETS["wide"].names) == 360 + 93
slow = {"numba", "torch", "niftyformer_assets.factors.own"} & {*sys.modules}
assert not slow, slow
"""


def test_a_set_of_two_is_one_row_and_rows_load_nothing_that_computes() -> None:
    done = subprocess.run([sys.executable, "-c", ONE_ROW], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
