from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.factors.alpha360 import LOOKBACK, alpha360
from niftyformer_assets.factors.catalogue import ALPHA360
from niftyformer_assets.factors.history import typical_price
from niftyformer_assets_tests.factors.panels import made_up_panel


def test_names_are_those_of_qlib() -> None:
    assert len(ALPHA360) == 360
    assert ALPHA360[:2] == ("CLOSE59", "CLOSE58")
    assert ALPHA360[59:61] == ("CLOSE0", "OPEN59")
    assert ALPHA360[-1] == "VOLUME0"


def test_values_are_lagged_fields_in_units_of_today() -> None:
    panel = made_up_panel()
    values = alpha360(panel, dtype=np.float64)
    fields = {"CLOSE": panel.close, "OPEN": panel.open, "HIGH": panel.high, "LOW": panel.low}
    fields |= {"VWAP": typical_price(panel), "VOLUME": panel.volume}
    for field, lag in (("CLOSE", 0), ("CLOSE", 59), ("OPEN", 7), ("HIGH", 1), ("LOW", 30), ("VWAP", 2), ("VOLUME", 5)):
        expected = np.full(panel.axes.shape, np.nan)
        for column in range(panel.axes.shape[1]):
            for number in range(panel.segment[:, column].max() + 1):
                rows = panel.segment[:, column] == number
                x = pd.Series(fields[field][rows, column])
                volume = panel.volume[rows, column]
                unit = np.where(volume > 0, volume + 1e-12, np.nan) if field == "VOLUME" else panel.close[rows, column]
                expected[rows, column] = x.shift(lag) / unit
        np.testing.assert_array_equal(values[ALPHA360.index(f"{field}{lag}")], expected)


@pytest.mark.parametrize("since", [1, LOOKBACK, 120])
def test_newest_sessions_alone_give_the_same_bits(since: int) -> None:
    panel = made_up_panel()
    np.testing.assert_array_equal(alpha360(panel, since=since), alpha360(panel, threads=1)[:, since:])


def test_never_infinite() -> None:
    panel = made_up_panel()
    panel.close[12, :3] = 0.0
    panel.volume[5:9] = 0.0
    assert not np.isinf(alpha360(panel)).any()


def test_a_session_without_volume_is_no_unit() -> None:
    panel = made_up_panel()
    panel.volume[100] = 0.0
    values = alpha360(panel)
    first = ALPHA360.index("VOLUME59")
    assert np.isnan(values[first:, 100]).all()
    assert (values[first + 58, 101][np.isfinite(values[first + 58, 101])] == 0).all()
    assert np.isfinite(values[:first, 100]).any()
