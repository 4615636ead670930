"""A workspace whose candles come from an exchange elsewhere, as Zerodha's do: with a login, and a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.exchange.server import RunningExchange, run_exchange
from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.market.calendar import IST
from niftyformer_assets.market.login import AccessToken, store_token
from niftyformer_assets.settings import Settings
from niftyformer_assets.sources import simulated_market
from niftyformer_assets_tests.conftest import Graph, tiny_settings

# The client keeps to 3 requests a second.
FEW = MadeUpSettings(stocks=5, late_listings=0)


class Live:
    """The workspace, its definitions, and the exchange that answers it."""

    def __init__(self, folder: Path, exchange: RunningExchange, instance: dg.DagsterInstance) -> None:
        exchange.faults = Faults()
        exchange.traffic.clear()
        self.exchange = exchange
        self.settings = live_settings(folder, exchange)
        lists = self.settings.workspace.index_lists
        lists.mkdir(parents=True)
        (lists / "ind_nifty200list_2022-01-01.csv").write_text(exchange.exchange.view.index_list() or "")
        source = CandleSource(self.settings, backoff_s=0.01)
        self.graph = Graph(self.settings, build(self.settings, {"candle_source": source}), instance)

    def log_in(self, holds: timedelta = timedelta(hours=1)) -> None:
        expires = datetime.now(IST) + holds
        store_token(self.settings.token_file, AccessToken(self.exchange.access_token(), expires))

    def log_out(self) -> None:
        self.settings.token_file.unlink()

    def asked(self) -> list[str]:
        """Paths asked for since this was last looked at."""
        paths = [arrival.path for arrival in self.exchange.traffic.arrivals]
        self.exchange.traffic.clear()
        return paths


def live_settings(folder: Path, exchange: RunningExchange) -> Settings:
    return tiny_settings(
        folder,
        made_up=FEW,
        workspace_name="elsewhere",
        kite_api_key=exchange.api_key,
        kite_api_secret=exchange.api_secret,
        kite_root=exchange.url,
        index_list_root=exchange.url,
        kite_access_token="",
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(scope="package")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    settings = tiny_settings(tmp_path_factory.mktemp("exchange"), made_up=FEW)
    with run_exchange(simulated_market(settings), historical_per_second=None) as running:
        yield running


@pytest.fixture
def live(tmp_path: Path, exchange: RunningExchange, instance: dg.DagsterInstance) -> Live:
    return Live(tmp_path, exchange, instance)
