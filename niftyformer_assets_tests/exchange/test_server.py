"""Starting and stopping the exchange, and reaching it from another process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import requests
from kiteconnect import KiteConnect

from niftyformer_assets.exchange.market import ServedMarket
from niftyformer_assets.exchange.server import log_in, run_exchange
from niftyformer_assets.store.errors import NiftyFormerError


def test_it_starts_quickly_and_stops_cleanly(market: ServedMarket):
    with run_exchange(market):
        pass  # loads the server's modules, which count for any program that uses them
    threads = threading.active_count()
    start = time.monotonic()
    with run_exchange(market) as running:
        assert time.monotonic() - start < 1
        assert requests.get(running.index_list_url, timeout=5).status_code == 200
        port = int(running.url.rsplit(":", 1)[1])
    assert threading.active_count() == threads
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_stops_when_the_block_fails(market: ServedMarket):
    threads = threading.active_count()
    with pytest.raises(KeyError), run_exchange(market):
        raise KeyError
    assert threading.active_count() == threads


def test_two_run_side_by_side(market: ServedMarket):
    with run_exchange(market) as first, run_exchange(market) as second:
        assert first.url != second.url
        assert requests.get(second.index_list_url, timeout=5).ok
        assert first.traffic.arrivals == []


def test_a_port_that_is_taken_is_one_line(market: ServedMarket):
    with run_exchange(market) as running:
        port = int(running.url.rsplit(":", 1)[1])
        with (
            pytest.raises(NiftyFormerError, match=f"port {port} .* choose another port"),
            run_exchange(market, port=port),
        ):
            pass


def test_another_process_logs_in_over_http(market: ServedMarket):
    with run_exchange(market) as running:
        kite = KiteConnect(running.api_key, root=running.url)
        kite.set_access_token(log_in(running.url))
        assert kite.profile()
        with pytest.raises(NiftyFormerError, match="no login at"):
            log_in(running.url, api_key="wrong")
        with pytest.raises(NiftyFormerError, match="no login at"):
            log_in(running.url, api_secret="wrong")
    with pytest.raises(NiftyFormerError, match="start the simulated exchange"):
        log_in(running.url)


def test_traffic_can_be_cleared(market: ServedMarket):
    with run_exchange(market) as running:
        for _ in range(2):
            requests.get(running.index_list_url, timeout=5)
        assert running.traffic.by_path == {"/IndexConstituent/ind_nifty200list.csv": 2}
        running.traffic.clear()
        assert not running.traffic.by_path


SERVE = """
import numpy as np
from niftyformer_assets.exchange.made_up import make_market
from niftyformer_assets.exchange.server import serve
from niftyformer_assets.exchange.settings import MadeUpSettings
market = make_market(np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]"), MadeUpSettings(stocks=4))
serve(market, port=0, announce=lambda running: print(running.url, flush=True))
print("ended", flush=True)
"""


def test_served_until_interrupted():
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert log_in(url)
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().strip() == "ended"
        assert process.wait(timeout=10) == 0


def test_importing_the_package_loads_no_client_and_no_server():
    code = (
        "import sys; from niftyformer_assets.exchange import made_up, replay, server, app;"
        "assert not {'kiteconnect', 'torch', 'matplotlib', 'dagster', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
