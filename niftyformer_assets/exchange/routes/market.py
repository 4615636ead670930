"""Instruments, daily candles and index lists."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from niftyformer_assets.exchange.exchange import Exchange
from niftyformer_assets.exchange.faults import SERVER_ERRORS
from niftyformer_assets.exchange.refused import RefusedError
from niftyformer_assets.exchange.routes.answers import success
from niftyformer_assets.exchange.view import Listing

MAX_DAYS = 2000
# Kite's have up to nine digits.
_TOKEN = re.compile(r"[0-9]{1,18}")


async def instruments(exchange: Exchange, request: Request) -> Response:
    name = request.path_params.get("exchange", "NSE")
    if name != "NSE":
        raise RefusedError(400, f"Invalid exchange {name}: the simulated exchange has NSE only.", "InputException")
    return Response(exchange.view.instruments_csv(), media_type="text/csv")


async def history(exchange: Exchange, request: Request) -> Response:
    listing = listing_of(exchange, request)
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
    return success({"candles": candles})


async def index_list(exchange: Exchange, request: Request) -> Response:
    text = exchange.view.index_list(request.path_params["file"])
    if text is None:
        return PlainTextResponse("This exchange was started without an index list of this name.", status_code=404)
    return Response(text, media_type="text/csv")


def listing_of(exchange: Exchange, request: Request) -> Listing | None:
    token = request.path_params["token"]
    return exchange.view.listings().get(int(token)) if _TOKEN.fullmatch(token) else None


def _moment(request: Request, name: str) -> datetime:
    text = request.query_params.get(name, "")
    for pattern in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    raise RefusedError(400, f"invalid {name} date", "InputException")
