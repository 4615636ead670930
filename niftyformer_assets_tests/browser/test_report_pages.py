"""Report and comparison in a real browser: nothing is out of reach, on a phone nor on a screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from niftyformer_assets.experiments.variants import what_decides
from niftyformer_assets.portfolio.evidence.tries import Tries
from niftyformer_assets.portfolio.report.comparison import model_comparison
from niftyformer_assets.portfolio.report.comparison_page import write_comparison
from niftyformer_assets.portfolio.report.report import write_report
from niftyformer_assets.store.workspace import ExperimentFolder
from niftyformer_assets_tests.browser.web_ui import chromium
from niftyformer_assets_tests.portfolio.report_example import background, example

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright.sync_api", reason="needs playwright")

# Once a frame is drawn: only then does the browser know how far each place scrolls.
MEASURE = """async () => {
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  return {
  wide: document.documentElement.scrollWidth,
  places: [...document.querySelectorAll('.scroll')].map(place => ({
    what: place.innerText.slice(0, 60), over: place.scrollWidth > place.clientWidth,
    hint: place.querySelector('.hint').getBoundingClientRect().height,
  })),
  plots: [...document.querySelectorAll('img')].map(plot => plot.getBoundingClientRect().width),
  captions: [...document.querySelectorAll('figcaption')].map(each => each.getBoundingClientRect().right),
}}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pages")
    evidence = example().evidence(portfolios=20)
    names = ("first", "another_with_a_longer_name", "third")
    for name in names:
        write_report(root / name / "backtest", evidence, background(name), tearsheet=False)
    comparison = model_comparison(
        {name: ExperimentFolder(root / name) for name in names}, Tries(root / "tries", what_decides)
    )
    write_comparison(root / "comparison.csv", root / "comparison.html", comparison)
    return {"report": root / "first" / "backtest" / "report.html", "comparison": root / "comparison.html"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def measured(browser: Browser, path: Path, width: int) -> dict[str, Any]:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(path.as_uri())
    found: dict[str, Any] = page.evaluate(MEASURE)
    page.close()
    return found


@pytest.mark.parametrize("name", ["report", "comparison"])
def test_on_a_phone_what_is_wide_scrolls_and_says_so(browser: Browser, pages: dict[str, Path], name: str) -> None:
    found = measured(browser, pages[name], 390)
    assert found["wide"] <= 390
    assert any(place["over"] for place in found["places"])
    for place in found["places"]:
        assert (place["hint"] > 8) == place["over"], place
    # Drawn for 1,056 pixels with letters of 8 points: at 800 those are as large as small print.
    assert found["plots"] and min(found["plots"]) >= 800
    assert max(found["captions"], default=0) <= 390


@pytest.mark.parametrize("name", ["report", "comparison"])
def test_on_a_screen_no_column_is_cut(browser: Browser, pages: dict[str, Path], name: str) -> None:
    found = measured(browser, pages[name], 1400)
    assert found["wide"] <= 1400
    for place in found["places"]:
        assert not place["over"] and place["hint"] == 0, place
