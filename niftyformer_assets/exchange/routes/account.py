"""What the account holds, what orders of it would block and cost, and the basket that a browser brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from niftyformer_assets.exchange.account import MOST_BASKETS, account_from, basket_page
from niftyformer_assets.exchange.doors import must_be_of_this_machine
from niftyformer_assets.exchange.exchange import Exchange
from niftyformer_assets.exchange.refused import RefusedError
from niftyformer_assets.exchange.routes.answers import Handler, form_of, json_of, success


async def margins(exchange: Exchange, request: Request) -> Response:
    segment, equity = request.path_params.get("segment"), exchange.account.margin()
    if segment not in (None, "equity"):
        raise RefusedError(400, "Invalid segment: the simulated exchange has equity only.", "InputException")
    return success(equity if segment else {"equity": equity})


async def holdings(exchange: Exchange, request: Request) -> Response:
    return success(exchange.account.holdings)


async def positions(exchange: Exchange, request: Request) -> Response:
    return success({"net": exchange.account.positions, "day": exchange.account.positions})


def about_orders(answer: Callable[[object], object]) -> Handler:
    """A handler that says something of the orders in the body, and does nothing with them."""

    async def answered(exchange: Exchange, request: Request) -> Response:
        return success(answer(await json_of(request)))

    return answered


async def basket(exchange: Exchange, request: Request) -> Response:
    """A page of any site may send a browser here, as to Kite: it is shown, and nothing comes of it."""
    form = await form_of(request)
    if form.get("api_key") != exchange.login.api_key:
        raise RefusedError(400, "Invalid `api_key`.", "InputException")
    orders, page = basket_page(form.get("data", ""))
    exchange.account.baskets = [*exchange.account.baskets, orders][-MOST_BASKETS:]
    return HTMLResponse(page)


async def show_account(exchange: Exchange, request: Request) -> Response:
    must_be_of_this_machine(request)
    return success(asdict(exchange.account))


async def set_account(exchange: Exchange, request: Request) -> Response:
    """The JSON object in the body replaces the account; `{}` is an empty one."""
    must_be_of_this_machine(request)
    exchange.account = account_from(await json_of(request))
    return success(asdict(exchange.account))
