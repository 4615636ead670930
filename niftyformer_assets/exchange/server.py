"""Running the exchange: in a thread for the time of a block, or until it is interrupted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from niftyformer_assets.exchange.account import Account
from niftyformer_assets.exchange.app import create_app
from niftyformer_assets.exchange.clock import Clock
from niftyformer_assets.exchange.exchange import HISTORICAL_PER_SECOND, Exchange
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.exchange.market import ServedMarket
from niftyformer_assets.exchange.settings import API_KEY, API_SECRET
from niftyformer_assets.exchange.traffic import Traffic
from niftyformer_assets.indices import DEFAULT, INDICES
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.web import HOST, BoundedSession

# A machine that is busy with trainings takes its time.
START_S = 60.0


class RunningExchange:
    """An exchange that listens at `url`."""

    def __init__(self, exchange: Exchange, url: str) -> None:
        self.exchange = exchange
        self.url = url
        self.api_key = exchange.login.api_key
        self.api_secret = exchange.login.api_secret
        self.index_list_url = url + INDICES[DEFAULT].route

    @property
    def login_url(self) -> str:
        return f"{self.url}/connect/login?v=3&api_key={quote(self.api_key)}"

    @property
    def traffic(self) -> Traffic:
        return self.exchange.traffic

    @property
    def account(self) -> Account:
        return self.exchange.account

    @account.setter
    def account(self, account: Account) -> None:
        self.exchange.account = account

    @property
    def faults(self) -> Faults:
        return self.exchange.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.exchange.faults = faults

    def request_token(self) -> str:
        """As a person gets it by signing in."""
        return self.exchange.login.request_token()

    def access_token(self) -> str:
        """A good access token, without the login."""
        return self.exchange.login.access_token()


@contextmanager
def run_exchange(
    market: ServedMarket,
    *,
    port: int = 0,
    api_key: str = API_KEY,
    api_secret: str = API_SECRET,
    faults: Faults | None = None,
    now: datetime | Clock | None = None,
    historical_per_second: int | None = HISTORICAL_PER_SECOND,
    redirect_url: str | None = None,
) -> Iterator[RunningExchange]:
    """Serve a market on loopback while the block runs.

    Args:
        port: 0 takes a free one.
        now: what time it is on the exchange (with a timezone), or a function that says so: later
            sessions are hidden and the running one is partial. None: everything in the market has
            happened.
        historical_per_second: Kite's limit; None lifts all rate limits.
        redirect_url: where the login page sends the browser.

    Raises:
        NiftyFormerError: the port is taken.
    """
    clock: Clock | None = now if now is None or callable(now) else (lambda moment=now: moment)
    if clock is not None and clock().tzinfo is None:
        raise ValueError("now needs a timezone")
    exchange = Exchange(
        market,
        api_key=api_key,
        api_secret=api_secret,
        faults=faults,
        clock=clock,
        historical_per_second=historical_per_second,
        redirect_url=redirect_url,
    )
    listener = _listener(port)
    with listener, _serving(exchange, listener):
        yield RunningExchange(exchange, f"http://{HOST}:{listener.getsockname()[1]}")


def serve(
    market: ServedMarket,
    *,
    port: int,
    announce: Callable[[RunningExchange], None],
    faults: Faults | None = None,
    now: datetime | Clock | None = None,
    historical_per_second: int | None = HISTORICAL_PER_SECOND,
    redirect_url: str | None = None,
) -> None:
    """Serve a market until the process is interrupted (Ctrl-C); `announce` is called once it listens."""
    running_exchange = run_exchange(
        market,
        port=port,
        faults=faults,
        now=now,
        historical_per_second=historical_per_second,
        redirect_url=redirect_url,
    )
    with running_exchange as running, suppress(KeyboardInterrupt):
        announce(running)
        threading.Event().wait()


def log_in(url: str, api_key: str = API_KEY, api_secret: str = API_SECRET) -> str:
    """Go through the login of a simulated exchange in another process; returns an access token.

    Raises:
        NiftyFormerError: nothing answers there, or it is no simulated exchange.
    """
    from kiteconnect import KiteConnect
    from kiteconnect.exceptions import KiteException

    # The page redirects to any loopback address; nothing has to listen there, the address holds the token.
    query = urlencode({"v": 3, "api_key": api_key, "redirect_url": f"http://{HOST}/"})
    session = BoundedSession(redirects="kept")
    session.trust_env = False
    client = KiteConnect(api_key, root=url)
    client.reqsession = session
    try:
        location = session.get(f"{url}/connect/login?{query}", timeout=10).headers.get("location", "")
        request_token = parse_qs(urlsplit(location).query)["request_token"][0]
        return str(client.generate_session(request_token, api_secret)["access_token"])
    except (OSError, KeyError, KiteException) as error:
        raise NiftyFormerError(
            f"no login at {url} ({error}): start the simulated exchange there, or correct the address."
        ) from error


def _listener(port: int) -> socket.socket:
    # Named outright, TCP gets asyncio's TCP_NODELAY; otherwise every answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise NiftyFormerError(
            f"port {port} of {HOST} cannot be listened on ({error.strerror}): choose another port."
        ) from error
    return listener


@contextmanager
def _serving(exchange: Exchange, listener: socket.socket) -> Iterator[None]:
    import uvicorn

    config = uvicorn.Config(
        create_app(exchange),
        loop="asyncio",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",  # a body that is cut off on purpose would be reported as an error
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="exchange", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            server.should_exit = True
            raise NiftyFormerError(
                f"the simulated exchange did not start on {HOST} within {START_S:.0f} s: look whether the machine is "
                "busy with something else, and run it again."
            )
        time.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
