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

import logging
import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from niftyformer_assets.exchange.account import basket_margin, contract_note, order_margins
from niftyformer_assets.exchange.doors import must_be_addressed_as_loopback
from niftyformer_assets.exchange.exchange import Exchange
from niftyformer_assets.exchange.faults import Asked, shares_of
from niftyformer_assets.exchange.refused import RefusedError, too_many_requests
from niftyformer_assets.exchange.routes import account, faults, login, market
from niftyformer_assets.exchange.routes.answers import Handler, failure
from niftyformer_assets.exchange.traffic import Arrival

LOG = logging.getLogger(__name__)


def create_app(exchange: Exchange) -> Starlette:
    """The exchange as an ASGI app."""
    routes = [
        ("/connect/login", "GET", login.login_page),
        ("/session/token", "POST", login.create_session),
        ("/session/token", "DELETE", login.end_session),
        ("/user/profile", "GET", _signed_in(login.profile)),
        ("/user/margins", "GET", _signed_in(account.margins)),
        ("/user/margins/{segment}", "GET", _signed_in(account.margins)),
        ("/portfolio/holdings", "GET", _signed_in(account.holdings)),
        ("/portfolio/positions", "GET", _signed_in(account.positions)),
        ("/margins/orders", "POST", _signed_in(account.about_orders(order_margins))),
        ("/margins/basket", "POST", _signed_in(account.about_orders(basket_margin))),
        ("/charges/orders", "POST", _signed_in(account.about_orders(contract_note))),
        ("/connect/basket", "POST", account.basket),
        ("/instruments", "GET", _signed_in(market.instruments)),
        ("/instruments/{exchange}", "GET", _signed_in(market.instruments)),
        ("/instruments/historical/{token}/{interval}", "GET", _signed_in(market.history, historical=True)),
        ("/IndexConstituent/{file}", "GET", _with_faults(market.index_list)),
        ("/faults", "GET", faults.show_faults),
        ("/faults", "POST", faults.set_faults),
        ("/account", "GET", account.show_account),
        ("/account", "POST", account.set_account),
        ("/traffic", "GET", faults.show_traffic),
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
            response = failure(error.status, error.message, error.error_type)
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
            listing = market.listing_of(exchange, request)
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


async def _no_such_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return failure(status, "Route not found" if status == 404 else "Method not allowed", "GeneralException")
