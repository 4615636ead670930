"""How the exchange reads a body and words an answer: as Kite does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from niftyformer_assets.exchange.doors import body_of
from niftyformer_assets.exchange.exchange import Exchange
from niftyformer_assets.exchange.given_json import json_from

Handler = Callable[[Exchange, Request], Awaitable[Response]]


async def json_of(request: Request) -> Any:
    """The body of a request as JSON."""
    return json_from(await body_of(request))


async def form_of(request: Request) -> dict[str, str]:
    """The form in the body of a request."""
    form = parse_qs((await body_of(request)).decode("utf-8", "replace"))
    return {name: values[0] for name, values in form.items()}


def success(data: object) -> Response:
    return JSONResponse({"status": "success", "data": data})


def failure(status: int, message: str, error_type: str) -> Response:
    return JSONResponse({"status": "error", "message": message, "error_type": error_type}, status_code=status)
