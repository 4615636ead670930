"""Not Kite's: faults to switch, and what was asked."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from niftyformer_assets.exchange.doors import must_be_of_this_machine
from niftyformer_assets.exchange.exchange import Exchange
from niftyformer_assets.exchange.fault_words import faults_from
from niftyformer_assets.exchange.refused import RefusedError
from niftyformer_assets.exchange.routes.answers import json_of, success
from niftyformer_assets.store.errors import NiftyFormerError


async def show_faults(exchange: Exchange, request: Request) -> Response:
    must_be_of_this_machine(request)
    return success(exchange.faults.as_json())


async def set_faults(exchange: Exchange, request: Request) -> Response:
    """The JSON object in the body replaces all faults; `{}` switches them off."""
    must_be_of_this_machine(request)
    try:
        exchange.faults = faults_from(await json_of(request))
    except (ValueError, NiftyFormerError) as error:
        raise RefusedError(400, str(error), "InputException") from error
    return success(exchange.faults.as_json())


async def show_traffic(exchange: Exchange, request: Request) -> Response:
    must_be_of_this_machine(request)
    return success(exchange.traffic.as_json())
