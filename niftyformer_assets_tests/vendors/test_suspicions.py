"""What no single stock's candles show is said of the folder; what is fine is not suspected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from niftyformer_assets.exchange.market import Candles
from niftyformer_assets.exchange.replay import read_replay
from niftyformer_assets.vendors.headings import PRICES
from niftyformer_assets_tests.vendors.written import FORMATS, native


def said_of(folder: Path, candles: Mapping[str, Candles]) -> list[str]:
    native(folder, candles)
    return list(read_replay(folder).suspicions)


def scaled(candles: Candles, factor: float, before: int | None = None) -> Candles:
    """Prices times a factor, only those before a session where one is given."""
    times = np.where(np.arange(len(candles)) < (len(candles) if before is None else before), factor, 1.0)
    return replace(candles, **{name: np.round(getattr(candles, name) * times, 2) for name in PRICES})


def test_nothing_is_suspected_of_good_candles(tmp_path: Path, candles: Mapping[str, Candles]) -> None:
    assert said_of(tmp_path, candles) == []


def test_candles_of_weeks_are_said(tmp_path: Path, candles: Mapping[str, Candles]) -> None:
    weekly = {
        symbol: daily.take(daily.dates.astype("datetime64[D]").astype(int) % 7 == 0)
        for symbol, daily in candles.items()
    }
    (said,) = said_of(tmp_path, {symbol: daily for symbol, daily in weekly.items() if len(daily)})
    assert "are 7 days apart, as those of weeks or months are" in said


@pytest.mark.parametrize(("factor", "ratio"), [(2.0, 0.5), (1.2, 0.833), (1 / 1.5, 1.5), (10.0, 0.1)])
@pytest.mark.parametrize("share", [1.0, 0.67])
def test_one_split_in_all_files_or_most(
    tmp_path: Path, candles: Mapping[str, Candles], factor: float, ratio: float, share: float
) -> None:
    day = candles["TCS"].dates[40]
    wrong = {
        symbol: scaled(daily, factor, int(np.searchsorted(daily.dates, day))) if place < share * 6 else daily
        for place, (symbol, daily) in enumerate(candles.items())
    }
    (said, *others) = said_of(tmp_path, wrong)
    assert said.startswith(f"on {day} ")
    found = re.search(r"stocks open at ([0-9.]+) times", said)
    assert found is not None
    assert float(found[1]) == pytest.approx(ratio, rel=0.05)
    assert "a split or another unit has been put into all files" in said
    assert not others


def test_a_split_of_one_stock_is_no_split_of_all(tmp_path: Path, candles: Mapping[str, Candles]) -> None:
    assert said_of(tmp_path, {**candles, "TCS": scaled(candles["TCS"], 2.0, 30)}) == []


def test_paise_in_all_files_or_one(tmp_path: Path, candles: Mapping[str, Candles]) -> None:
    in_paise = {symbol: scaled(scaled(daily, 10), 100) for symbol, daily in candles.items()}
    (said,) = said_of(tmp_path, in_paise)
    assert said.startswith("prices of 6 of 6 symbols (3MINDIA, BAJAJ-AUTO, LATE, M&M, RELIANCE and 1 more)")
    assert "look like paise" in said
    # Adjusted ones have fractions.
    (said,) = said_of(tmp_path, {symbol: scaled(daily, 1 / 3) for symbol, daily in in_paise.items()})
    assert "prices of 6 of 6 symbols" in said
    (said,) = said_of(tmp_path, {**candles, "TCS": in_paise["TCS"]})
    assert said.startswith("prices of 1 of 6 symbols (TCS)")


def test_a_dear_stock_in_rupees_is_not_taken_for_paise(tmp_path: Path, candles: Mapping[str, Candles]) -> None:
    assert said_of(tmp_path, {**candles, "TCS": scaled(candles["TCS"], 1234.567)}) == []


def test_paise_up_to_a_session(tmp_path: Path, candles: Mapping[str, Candles]) -> None:
    (said,) = said_of(tmp_path, {**candles, "TCS": scaled(candles["TCS"], 100, 30)})
    assert (
        f"closes go on a hundred times as high or low, as where paise follow rupees: TCS on {candles['TCS'].dates[30]}"
        in said
    )


def test_a_copied_file_and_a_copied_column(tmp_path: Path, candles: Mapping[str, Candles]) -> None:
    (said,) = said_of(tmp_path, {**candles, "COPY": candles["TCS"]})
    assert said == "the same closes throughout, so that one is a copy: COPY and TCS."
    (tmp_path / "COPY.csv").unlink()
    (said,) = said_of(tmp_path, {symbol: replace(daily, high=daily.close) for symbol, daily in candles.items()})
    assert said.startswith("high and close are the same in all candles of 6 of 6 symbols")


def test_a_previous_close_that_was_adjusted_is_told_and_changes_nothing(
    tmp_path: Path, candles: Mapping[str, Candles]
) -> None:
    FORMATS["bhavcopy"](tmp_path, candles)
    day = candles["TCS"].dates[30]
    (path,) = tmp_path.glob("cm" + day.astype(object).strftime("%d%b%Y").upper() + "bhav.csv")
    lines = path.read_text().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("TCS,EQ"))
    cells = lines[place].split(",")
    cells[7] = str(float(cells[7]) / 2)
    lines[place] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")
    found = read_replay(tmp_path)
    (said,) = found.suspicions
    assert f"is not the close before, as after one (1 in all): TCS {day} (× 0.5)" in said
    assert "docs/corporate_actions.md" in said
    np.testing.assert_array_equal(found.market.candles["TCS"].close, candles["TCS"].close)


@pytest.mark.parametrize("digits", [3, 4])
def test_volumes_that_were_rounded(tmp_path: Path, candles: Mapping[str, Candles], digits: int) -> None:
    def rounded(daily: Candles) -> Candles:
        volume = np.array([int(float(f"{value:.{digits}g}")) for value in daily.volume + 1_000_000], np.int64)
        return replace(daily, volume=volume)

    (said,) = said_of(tmp_path, {symbol: rounded(daily) for symbol, daily in candles.items()})
    assert said.startswith("volumes of 6 of 6 symbols are rounded, to tens or more: 3MINDIA")
    assert said_of(tmp_path, {**candles, "TCS": rounded(candles["TCS"])}) == []
