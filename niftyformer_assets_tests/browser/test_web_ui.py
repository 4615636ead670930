"""What a person does in the web UI, done in a real browser: make everything, and mend what failed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.exchange.server import run_exchange
from niftyformer_assets.settings import PROJECT
from niftyformer_assets.sources import simulated_market
from niftyformer_assets_tests.browser.web_ui import (
    PROGRAMS,
    Partitions,
    WebUi,
    chromium,
    environment_of,
    page_of,
    until,
    web_ui,
)
from niftyformer_assets_tests.conftest import tiny_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright").expect

# Dagster's daemon looks every 30 s for the next runs of a backfill, and everything takes five of them.
EVERYTHING_S = 400.0
CANDLES_S = 180.0

# An asset of each group, something of its description, and a picture among its metadata.
SHOWN = {
    "universe": ("Who is and was in the indices", "sectors"),
    "returns": ("simple return, not percent", "distribution"),
    "corr_adj": ("The graph of stocks that move together", "graph"),
    "trained_model": ("the epoch with the best validation error is kept", "curves"),
    "backtest_report": ("What the predictions would have earned", "month_by_month"),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo of `everything` lies."""
    return tmp_path_factory.mktemp("everything")


@pytest.fixture(scope="module")
def everything(browser: Browser, folder: Path) -> Iterator[WebUi]:
    """The web UI of the tiny demo, where everything has just been asked for with the button."""
    with web_ui(environment_of(tiny_settings(folder))) as ui:
        assert all(found.green == 0 for found in ui.assets().values())
        with page_of(ui, browser, folder) as page:
            page.goto("/asset-groups")
            page.get_by_role("button", name="Materialize all").click()
            # Of symbols and of experiments: so it is where no partitioned asset is without an upstream asset. Were
            # there one, its partitions alone would be offered, and the others' would never be made.
            expect(page.get_by_text("All partitions", exact=True)).to_be_visible()
            launch(page)
        yield ui


def launch(page: Page) -> None:
    page.get_by_role("button", name="Launch backfill").click()
    expect(page.get_by_text("Created backfill")).to_be_visible()


# Everything is begun first: most of its time is spent between the daemon's looks, and passes meanwhile.
@pytest.mark.usefixtures("everything")
def test_failed_symbols_are_red_and_a_backfill_of_the_failed_makes_them_green(browser: Browser, tmp_path: Path) -> None:
    bad = ["DEMO-003", "DEMO004"]
    settings = tiny_settings(tmp_path, workspace_name="tryout")
    market = simulated_market(tiny_settings(tmp_path))
    with run_exchange(market, faults=Faults(failing_symbols=tuple(bad))) as exchange:
        environment = environment_of(
            settings,
            KITE_API_KEY=exchange.api_key,
            KITE_API_SECRET=exchange.api_secret,
            KITE_ACCESS_TOKEN=exchange.access_token(),
            NIFTYFORMER_KITE_ROOT=exchange.url,
            NIFTYFORMER_INDEX_LIST_ROOT=exchange.url,
        )
        subprocess.run([PROGRAMS / "niftyformer", "universe"], cwd=PROJECT, env=environment, check=True)
        with web_ui(environment) as ui, page_of(ui, browser, tmp_path) as page:
            ui.stop_automation()
            backfill_candles(page, "All", 14)
            until(lambda: ui.assets()["raw_ohlcv"] == Partitions(14, green=12, red=2), CANDLES_S, "2 of 14 are red")
            (said,) = ui.failures()
            assert "2 of 14 symbols failed" in said
            assert all(symbol in said for symbol in bad)
            show_candles(page, failed=2, materialized=12)
            for status in ("Materialized", "Materializing", "Missing"):
                page.get_by_text(re.compile(rf"^{status} \(")).click()
            expect(symbols(page)).to_have_text(bad)
            symbols(page).first.click()
            expect(page.get_by_text("failed, and did not materialize this asset")).to_be_visible()
            page.get_by_role("button", name="View all historical events").click()
            page.get_by_role("dialog").get_by_role("button", name="arrow_drop_down").first.click()
            expect(page.get_by_text("Kite is in trouble").first).to_be_visible()

            exchange.faults = Faults()
            exchange.traffic.clear()
            backfill_candles(page, "Failed", 2)
            until(lambda: ui.assets()["raw_ohlcv"] == Partitions(14, green=14, red=0), CANDLES_S, "all 14 are green")
            assert sorted(exchange.traffic.by_symbol) == bad
            show_candles(page, failed=0, materialized=14)
            expect(symbols(page)).to_have_count(14)


def show_candles(page: Page, failed: int, materialized: int) -> None:
    page.goto("/assets/raw_ohlcv?view=partitions")
    expect(page.get_by_text(f"Failed ({failed})", exact=True)).to_be_visible()
    expect(page.get_by_text(f"Materialized ({materialized})", exact=True)).to_be_visible()


def symbols(page: Page) -> Locator:
    """The rows of the list of partitions."""
    return page.locator("span").filter(has_text=re.compile(r"^DEMO\S*$"))


def backfill_candles(page: Page, selection: str, count: int) -> None:
    page.goto("/assets/raw_ohlcv?view=partitions")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name=selection, exact=True).click()
    expect(page.get_by_text(f"{count} partitions", exact=True)).to_be_visible()
    launch(page)


def wait_until_made(everything: WebUi) -> None:
    def made() -> bool:
        assert not (said := everything.failures()), said
        return all(found.green == found.all for found in everything.assets().values())

    until(made, EVERYTHING_S, "everything is materialized")


def test_materialize_all_makes_every_asset_and_shows_it(everything: WebUi, browser: Browser, tmp_path: Path) -> None:
    wait_until_made(everything)
    assert everything.assets()["raw_ohlcv"].green == 14
    with page_of(everything, browser, tmp_path) as page:
        for asset, (described, picture) in SHOWN.items():
            page.goto(f"/assets/{asset}")
            expect(page.get_by_text(described)).to_be_visible()
            see_picture(page, picture)
        # The page of the asset is the last one's: the report is one click away.
        expect(page.get_by_role("link", name="/demo/tiny/report.html")).to_be_visible()


def test_an_edited_strategy_and_a_wrong_file_show_by_themselves(
    everything: WebUi, browser: Browser, folder: Path, tmp_path: Path
) -> None:
    wait_until_made(everything)
    path = tiny_settings(folder).experiments / "tiny.yaml"
    text = path.read_text()
    path.write_text(text.replace("top_k: 3", "top_k: 4"))
    path.with_name("wrong.yaml").write_text(text.replace("strategy:", "stratgy:"))
    with page_of(everything, browser, tmp_path) as page:
        wait_to_see(page, "/assets/experiment_settings?view=checks", "wrong.yaml: stratgy: unknown key")
        wait_to_see(page, "/assets/model_comparison", "wrong.yaml: stratgy: unknown key")
        wait_to_see(page, "/assets/backtest_report?view=partitions&partition=tiny", "Unsynced")
        wait_to_see(page, "/assets/model_comparison", "Unsynced")
        page.goto("/assets/predictions?view=partitions&partition=tiny")
        expect(page.get_by_text("Materialized", exact=True).first).to_be_visible()
        expect(page.get_by_text("Unsynced")).to_have_count(0)


def wait_to_see(page: Page, path: str, text: str) -> None:
    """Come back to a page until it shows what the daemon, which looks every half minute, tells it."""

    def shown() -> bool:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        return page.get_by_text(text).count() > 0

    until(shown, CANDLES_S, f"{path} shows {text!r}")


def see_picture(page: Page, name: str) -> None:
    """Open a picture among the metadata and see that the browser can draw it."""
    page.locator("tr").filter(has=page.get_by_text(name, exact=True)).get_by_text("[Show Markdown]").click()
    image = page.locator("img[src^='data:image/png;base64,']").first
    expect(image).to_be_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
