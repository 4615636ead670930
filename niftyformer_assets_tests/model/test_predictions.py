"""The table of predictions: what is read is checked, and every cut of it is by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.dataset.settings import WindowSettings
from niftyformer_assets.dataset.windows import inference_samples
from niftyformer_assets.market.split import Split
from niftyformer_assets.model.predictions import (
    COLUMNS,
    by_model,
    must_have,
    of_parts,
    prediction_table,
    read_predictions,
    traded,
    value_column,
)
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import write_parquet
from niftyformer_assets_tests.model.made_up import axes

T, N = 30, 4
SPLIT = Split(slice(0, 12), slice(12, 18), slice(18, 25), slice(25, T))


def table(label: str = "return", **changed: np.ndarray) -> pd.DataFrame:
    made_for = inference_samples(T, WindowSettings(input_sessions=5, output_sessions=2, label=label))
    shape = (len(made_for), 2, N)
    value = np.arange(np.prod(shape), dtype=float).reshape(shape)
    covered = np.ones((len(made_for), N), dtype=bool)
    covered[:, 2] = False
    given = {"value": value, "p_up": value / value.max(), **changed}
    return prediction_table(given["value"], given["p_up"], made_for, axes(T, N), SPLIT, given.get("covered", covered))


def test_a_row_is_named_by_its_sessions_horizon_and_stock() -> None:
    rows = table()
    assert list(rows.columns) == ["date_made", "date_predicted", "horizon", "symbol", "split", "return", "p_up"]
    assert set(COLUMNS) | {"return"} == set(rows.columns)
    pd.testing.assert_frame_equal(rows, rows.sort_values(["date_made", "horizon", "symbol"], ignore_index=True))
    assert set(rows["split"]) == {"validation", "test", "later"}
    dates = axes(T, N).dates
    for row in rows.to_dict("records"):
        made = int(np.searchsorted(dates, row["date_made"].to_datetime64().astype("datetime64[D]")))
        sample, stock = made - 4, int(row["symbol"][1:])
        assert row["return"] == (sample * 2 + row["horizon"] - 1) * N + stock
        if made + row["horizon"] < T:
            assert row["date_predicted"] == pd.Timestamp(str(dates[made + row["horizon"]]))
            assert row["split"] == SPLIT.part_of(made + row["horizon"])
    assert "S02" not in set(rows["symbol"])


@pytest.mark.parametrize(("label", "column"), [("return", "return"), ("rank", "score"), ("zscore", "score")])
def test_the_value_is_called_after_the_label(label: str, column: str) -> None:
    assert value_column(table(label)) == column


@pytest.mark.parametrize("name", ["value", "p_up"])
def test_what_is_no_number_is_named(name: str) -> None:
    shape = (T - 4, 2, N)
    bad = np.zeros(shape)
    bad[20, 1, 3] = np.nan
    with pytest.raises(NiftyFormerError, match=r"S03 made on \d{4}-\d\d-\d\d is not a finite number"):
        table(**{name: bad})
    bad = np.zeros(shape)
    bad[20, 1, 2], bad[0, 0, 0] = np.inf, np.nan  # a stock without rows, and a session of training
    assert np.isfinite(table(**{name: bad})[["return", "p_up"]]).all().all()


def test_what_is_read_has_the_columns_of_predictions(tmp_path: Path) -> None:
    rows = table("rank")
    write_parquet(tmp_path / "predictions.parquet", rows)
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "predictions.parquet"), rows)
    for name in (*COLUMNS, "score"):
        write_parquet(tmp_path / "predictions.parquet", rows.drop(columns=name))
        with pytest.raises(NiftyFormerError, match=rf"{name}.* needed"):
            read_predictions(tmp_path / "predictions.parquet")
    with pytest.raises(NiftyFormerError, match="not both"):
        must_have(rows.assign(**{"return": rows["score"]}))


def test_what_is_traded_is_the_largest_horizon() -> None:
    rows = table()
    assert set(traded(rows)["horizon"]) == {2}
    assert len(traded(rows)) == (rows["horizon"] == 2).sum()
    assert set(traded(rows[rows["horizon"] == 1])["horizon"]) == {1}
    assert set(of_parts(rows, ["test"])["split"]) == {"test"}


def test_several_models_come_apart_in_the_order_of_the_table() -> None:
    rows = table()
    both = pd.concat([rows.assign(baseline="zero"), rows.assign(baseline="another")], ignore_index=True)
    found = list(by_model(both))
    assert [name for name, _ in found] == ["zero", "another"]
    for _, part in found:
        pd.testing.assert_frame_equal(part.drop(columns="baseline").reset_index(drop=True), rows)
