"""The exchange's HTTP side: Kite Connect's routes and error bodies, NSE's list, and a door for faults.

    POST   /session/token                               checksum -> access token
    DELETE /session/token                               logout
    GET    /connect/login?v=3&api_key=…                 stand-in for the page a person signs in on
    GET    /user/profile
    GET    /instruments, /instruments/NSE               CSV
    GET    /instruments/historical/{token}/day          daily candles, at most 2000 days a request
    GET    /user/margins, /user/margins/equity, /portfolio/holdings, /portfolio/positions
    POST   /margins/orders, /margins/basket, /charges/orders    what orders would block and cost
    POST   /connect/basket                              shows a basket of orders; none is taken
    GET    /IndexConstituent/ind_nifty200list.csv       NSE's lists, of each index one
    GET, POST /faults, /account; GET /traffic           not Kite's: switch faults, set what the account holds, see what
                                                        was asked

Error messages are worded as Kite words them where that is known.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from urllib.parse import parse_qs, quote, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from niftyformer_assets.exchange.account import (
    Account,
    account_from,
    basket_margin,
    basket_page,
    contract_note,
    order_margins,
)
from niftyformer_assets.exchange.clock import Clock, wall_clock
from niftyformer_assets.exchange.doors import (
    body_of,
    must_be_addressed_as_loopback,
    must_be_of_this_machine,
)
from niftyformer_assets.exchange.fault_words import faults_from
from niftyformer_assets.exchange.faults import SERVER_ERRORS, Asked, Faults, shares_of
from niftyformer_assets.exchange.login import Login
from niftyformer_assets.exchange.market import ServedMarket
from niftyformer_assets.exchange.refused import RefusedError, too_many_requests
from niftyformer_assets.exchange.settings import API_KEY, API_SECRET
from niftyformer_assets.exchange.traffic import Arrival, SlidingWindow, Traffic
from niftyformer_assets.exchange.view import Listing, View
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.web import is_loopback

HISTORICAL_PER_SECOND = 3
OTHERS_PER_SECOND = 10
MAX_DAYS = 2000

LOG = logging.getLogger(__name__)

Handler = Callable[["Exchange", Request], Awaitable[Response]]


class Exchange:
    """The state behind the routes. All of it is in memory.

    clock: what time it is on the exchange; with None everything in the market has happened and
        tokens go by the wall clock. historical_per_second: None lifts all rate limits.
    """

    def __init__(
        self,
        market: ServedMarket,
        *,
        api_key: str = API_KEY,
        api_secret: str = API_SECRET,
        faults: Faults | None = None,
        clock: Clock | None = None,
        historical_per_second: int | None = HISTORICAL_PER_SECOND,
        redirect_url: str | None = None,
    ) -> None:
        self.market = market
        self.clock = clock
        self.redirect_url = redirect_url
        self.login = Login(api_key, api_secret, clock or wall_clock)
        self.traffic = Traffic()
        self.history_limit = SlidingWindow(historical_per_second)
        self.other_limit = SlidingWindow(None if historical_per_second is None else OTHERS_PER_SECOND)
        self.faults = faults or Faults()
        self.account = Account()

    @property
    def faults(self) -> Faults:
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        """Switch to these faults; what they count starts anew."""
        self._faults = faults
        self._attempts: Counter[str] = Counter()
        self._answers_left = faults.expire_after

    @property
    def view(self) -> View:
        return View(self.market, self.faults, self.clock() if self.clock is not None else None)

    def next_fault(self, path: str) -> tuple[str | None, int]:
        """The fault that hits the next answer for `path`, and which request for it this is."""
        attempt = self._attempts[path]
        self._attempts[path] += 1
        return self.faults.on_answer(path, attempt), attempt

    def count_answer(self) -> None:
        """Let all access tokens die when the faults say so, once."""
        if self._answers_left == 0:
            self.login.end_all()
            self._answers_left = None
        elif self._answers_left is not None:
            self._answers_left -= 1


def create_app(exchange: Exchange) -> Starlette:
    """The exchange as an ASGI app."""
    routes = [
        ("/connect/login", "GET", _login_page),
        ("/session/token", "POST", _create_session),
        ("/session/token", "DELETE", _end_session),
        ("/user/profile", "GET", _signed_in(_profile)),
        ("/user/margins", "GET", _signed_in(_margins)),
        ("/user/margins/{segment}", "GET", _signed_in(_margins)),
        ("/portfolio/holdings", "GET", _signed_in(_holdings)),
        ("/portfolio/positions", "GET", _signed_in(_positions)),
        ("/margins/orders", "POST", _signed_in(_about_orders(order_margins))),
        ("/margins/basket", "POST", _signed_in(_about_orders(basket_margin))),
        ("/charges/orders", "POST", _signed_in(_about_orders(contract_note))),
        ("/connect/basket", "POST", _basket),
        ("/instruments", "GET", _signed_in(_instruments)),
        ("/instruments/{exchange}", "GET", _signed_in(_instruments)),
        ("/instruments/historical/{token}/{interval}", "GET", _signed_in(_history, historical=True)),
        ("/IndexConstituent/{file}", "GET", _with_faults(_index_list)),
        ("/faults", "GET", _show_faults),
        ("/faults", "POST", _set_faults),
        ("/account", "GET", _show_account),
        ("/account", "POST", _set_account),
        ("/traffic", "GET", _show_traffic),
    ]
    return Starlette(
        routes=[Route(path, _endpoint(exchange, handler), methods=[method]) for path, method, handler in routes],
        exception_handlers={HTTPException: _no_such_route},
    )


def _endpoint(exchange: Exchange, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        arrived = time.monotonic()
        try:
            must_be_addressed_as_loopback(request)
            response = await handler(exchange, request)
        except RefusedError as error:
            request.state.reason = error.reason
            response = _error(error.status, error.message, error.error_type)
        except Exception:
            LOG.exception("%s %s failed", request.method, request.url.path)  # the server itself logs nothing
            raise
        state = request.state
        symbol, reason = getattr(state, "symbol", None), getattr(state, "reason", "")
        exchange.traffic.arrivals.append(Arrival(arrived, request.url.path, symbol, response.status_code, reason))
        return response

    return endpoint


def _signed_in(handler: Handler, historical: bool = False) -> Handler:
    """A handler behind Kite's headers, its rate limit and the faults, in that order."""
    faulty = _with_faults(handler)

    async def guarded(exchange: Exchange, request: Request) -> Response:
        if historical:
            listing = _listing(exchange, request)
            request.state.symbol = listing and listing.instrument.symbol
        if request.headers.get("x-kite-version") != "3":
            raise RefusedError(403, "Invalid or missing `X-Kite-Version` header: 3 is needed.", "TokenException")
        exchange.login.check(request.headers.get("authorization", ""))
        limit = exchange.history_limit if historical else exchange.other_limit
        if not limit.admits(exchange.login.api_key):
            raise too_many_requests("limit")
        exchange.count_answer()
        exchange.login.check(request.headers.get("authorization", ""))
        return await faulty(exchange, request)

    return guarded


def _with_faults(handler: Handler) -> Handler:
    async def faulty(exchange: Exchange, request: Request) -> Response:
        name, attempt = exchange.next_fault(request.url.path)
        request.state.reason = name or ""
        if name is None:
            return await handler(exchange, request)
        response: Response = await shares_of("answers")[name](
            Asked(attempt, lambda: handler(exchange, request), exchange.faults)
        )
        return response

    return faulty


async def _login_page(exchange: Exchange, request: Request) -> Response:
    """Sends the browser on to the app as Kite does after a login; nobody has to sign in here.

    The redirect URL is the exchange's own setting, or a loopback address given as `redirect_url`.
    """
    query = request.query_params
    if query.get("api_key") != exchange.login.api_key:
        raise RefusedError(400, "Invalid `api_key`.", "InputException")
    target = query.get("redirect_url") or exchange.redirect_url
    if target is not None and not is_loopback(target, schemes=("http",)):
        raise RefusedError(
            400, "Invalid `redirect_url`: only http on a loopback host is redirected to.", "InputException"
        )
    token = exchange.login.request_token()
    if target is None:
        return HTMLResponse(
            "<html><body><h1>Simulated exchange</h1><p>You are signed in. No redirect URL is set, so here is "
            f"the request token; it can be used once: <code>{token}</code></p></body></html>"
        )
    joint = "&" if urlsplit(target).query else "?"
    answer = f"action=login&type=login&status=success&request_token={quote(token)}"
    return RedirectResponse(f"{target}{joint}{answer}", status_code=302)


async def _create_session(exchange: Exchange, request: Request) -> Response:
    form = _form(await body_of(request))
    for name in ("api_key", "request_token", "checksum"):
        if name not in form:
            raise RefusedError(400, f"Missing `{name}`.", "InputException")
    token = exchange.login.exchange(form["api_key"], form["request_token"], form["checksum"])
    moment = exchange.view.moment or wall_clock()
    return _success(
        {
            **_PROFILE,
            "api_key": exchange.login.api_key,
            "access_token": token,
            "public_token": "",
            "enctoken": "",
            "refresh_token": "",
            "silo": "",
            "login_time": moment.strftime("%Y-%m-%d %H:%M:%S"),
        }
    )


async def _end_session(exchange: Exchange, request: Request) -> Response:
    exchange.login.check_key(request.query_params.get("api_key", ""))
    exchange.login.end(request.query_params.get("access_token", ""))
    return _success(True)


async def _profile(exchange: Exchange, request: Request) -> Response:
    return _success(_PROFILE)


async def _margins(exchange: Exchange, request: Request) -> Response:
    segment, equity = request.path_params.get("segment"), exchange.account.margin()
    if segment not in (None, "equity"):
        raise RefusedError(400, "Invalid segment: the simulated exchange has equity only.", "InputException")
    return _success(equity if segment else {"equity": equity})


async def _holdings(exchange: Exchange, request: Request) -> Response:
    return _success(exchange.account.holdings)


async def _positions(exchange: Exchange, request: Request) -> Response:
    return _success({"net": exchange.account.positions, "day": exchange.account.positions})


def _about_orders(answer: Callable[[object], object]) -> Handler:
    """A handler that says something of the orders in the body, and does nothing with them."""

    async def answered(exchange: Exchange, request: Request) -> Response:
        try:
            orders = json.loads(await body_of(request))
        except (ValueError, RecursionError):
            raise RefusedError(400, "Invalid JSON.", "InputException") from None
        return _success(answer(orders))

    return answered


async def _basket(exchange: Exchange, request: Request) -> Response:
    """A page of any site may send a browser here, as to Kite: it is shown, and nothing comes of it."""
    form = _form(await body_of(request))
    if form.get("api_key") != exchange.login.api_key:
        raise RefusedError(400, "Invalid `api_key`.", "InputException")
    orders, page = basket_page(form.get("data", ""))
    exchange.account.baskets.append(orders)
    return HTMLResponse(page)


def _form(body: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


async def _instruments(exchange: Exchange, request: Request) -> Response:
    name = request.path_params.get("exchange", "NSE")
    if name != "NSE":
        raise RefusedError(400, f"Invalid exchange {name}: the simulated exchange has NSE only.", "InputException")
    return Response(exchange.view.instruments_csv(), media_type="text/csv")


async def _history(exchange: Exchange, request: Request) -> Response:
    listing = _listing(exchange, request)
    if listing is None:
        raise RefusedError(400, "invalid token", "InputException")
    if request.path_params["interval"] != "day":
        raise RefusedError(400, "invalid interval: the simulated exchange has daily candles only", "InputException")
    start, end = _moment(request, "from"), _moment(request, "to")
    if start > end:
        raise RefusedError(400, "invalid from date: it is after the to date", "InputException")
    if end - start > timedelta(days=MAX_DAYS):
        raise RefusedError(400, f"interval exceeds max limit: {MAX_DAYS} days", "InputException")
    if any(listing.goes_by(symbol) for symbol in exchange.faults.failing_symbols):
        raise RefusedError(*SERVER_ERRORS[0], reason="failing_symbols")
    candles = exchange.view.candles(listing, start.date(), end.date())
    if request.query_params.get("oi") == "1":
        candles = [[*candle, 0] for candle in candles]
    return _success({"candles": candles})


async def _index_list(exchange: Exchange, request: Request) -> Response:
    text = exchange.view.index_list(request.path_params["file"])
    if text is None:
        return PlainTextResponse("This exchange was started without an index list of this name.", status_code=404)
    return Response(text, media_type="text/csv")


async def _show_faults(exchange: Exchange, request: Request) -> Response:
    must_be_of_this_machine(request)
    return _success(exchange.faults.as_json())


async def _set_faults(exchange: Exchange, request: Request) -> Response:
    """The JSON object in the body replaces all faults; `{}` switches them off."""
    must_be_of_this_machine(request)
    try:
        exchange.faults = faults_from(json.loads(await body_of(request)))
    except (ValueError, RecursionError, NiftyFormerError) as error:
        raise RefusedError(400, str(error), "InputException") from error
    return _success(exchange.faults.as_json())


async def _show_account(exchange: Exchange, request: Request) -> Response:
    must_be_of_this_machine(request)
    return _success(asdict(exchange.account))


async def _set_account(exchange: Exchange, request: Request) -> Response:
    """The JSON object in the body replaces the account; `{}` is an empty one."""
    must_be_of_this_machine(request)
    try:
        given = json.loads(await body_of(request))
    except (ValueError, RecursionError):
        raise RefusedError(400, "Invalid JSON.", "InputException") from None
    exchange.account = account_from(given)
    return _success(asdict(exchange.account))


async def _show_traffic(exchange: Exchange, request: Request) -> Response:
    must_be_of_this_machine(request)
    return _success(exchange.traffic.as_json())


async def _no_such_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _error(status, "Route not found" if status == 404 else "Method not allowed", "GeneralException")


def _listing(exchange: Exchange, request: Request) -> Listing | None:
    token = request.path_params["token"]
    return exchange.view.listings().get(int(token)) if token.isdecimal() else None


def _moment(request: Request, name: str) -> datetime:
    text = request.query_params.get(name, "")
    for pattern in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    raise RefusedError(400, f"invalid {name} date", "InputException")


def _success(data: object) -> Response:
    return JSONResponse({"status": "success", "data": data})


def _error(status: int, message: str, error_type: str) -> Response:
    return JSONResponse({"status": "error", "message": message, "error_type": error_type}, status_code=status)


_PROFILE = {
    "user_id": "XX0000",
    "user_type": "individual",
    "email": "nobody@example.invalid",
    "user_name": "Made-up user",
    "user_shortname": "Made-up",
    "broker": "ZERODHA",
    "exchanges": ["NSE"],
    "products": ["CNC"],
    "order_types": ["MARKET", "LIMIT"],
    "avatar_url": None,
    "meta": {"demat_consent": "physical"},
}
