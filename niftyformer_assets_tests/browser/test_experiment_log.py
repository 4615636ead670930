"""The log of experiments in a browser: sorted by a click, filtered by words, without a server."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from niftyformer_assets.portfolio.report.experiment_log import COLUMNS
from niftyformer_assets.portfolio.report.experiment_log_page import write_experiment_log
from niftyformer_assets_tests.browser.web_ui import chromium

pytest.importorskip("playwright.sync_api", reason="needs playwright")


def rows() -> pd.DataFrame:
    words = dict.fromkeys(COLUMNS, "") | {"seconds": float("nan"), "taken_over": 0, "sharpe": float("nan")}
    words |= dict.fromkeys(("rank_ic", "rank_ic_t", "excess_return_equal_weight", "sharpe_low", "sharpe_high"), 0.1)
    return pd.DataFrame(
        [
            words | {"experiment": "wf.2021-01", "study": "wf", "sharpe": 2.5, "differs": "strategy.top_k=5"},
            words | {"experiment": "mine", "sharpe": -10.0, "verdict": "<b>no</b> better than random"},
            words | {"experiment": "wf.2021-05", "study": "wf", "seconds": 61.0},
        ],
        columns=list(COLUMNS),
    )


def test_it_is_sorted_and_filtered(tmp_path: Path) -> None:
    page = tmp_path / "experiments.html"
    write_experiment_log(tmp_path / "experiments.csv", page, rows(), "demo")
    assert list(pd.read_csv(tmp_path / "experiments.csv").columns) == list(COLUMNS)
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": 1400, "height": 800})
        tab.goto(page.as_uri())

        def shown() -> list[str]:
            return [cell.inner_text() for cell in tab.locator("tbody tr:visible td:first-child").all()]

        assert shown() == ["wf.2021-01", "mine", "wf.2021-05"]
        assert "<b>no</b> better" in tab.locator("tbody").inner_text(), "words are shown as they are"
        heads = tab.locator("th").all_inner_texts()
        assert heads[-2:] == ["verdict", "differs from the published setting in"]
        assert tab.locator("h1 + p").inner_text().startswith("3 finished experiments, 2 of them of 1 study.")
        head = tab.locator("th button", has_text="Sharpe ratio")
        head.click()
        # What has no figure comes last, whichever way.
        assert shown() == ["mine", "wf.2021-01", "wf.2021-05"]
        head.click()
        assert shown() == ["wf.2021-01", "mine", "wf.2021-05"]
        tab.get_by_label("Show those").fill("wf 2021 TOP_K")
        assert shown() == ["wf.2021-01"] and "1 of 3" in tab.locator("#count").inner_text()
