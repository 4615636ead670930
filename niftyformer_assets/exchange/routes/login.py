"""Signing in and out, and who it is."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from niftyformer_assets.exchange.clock import wall_clock
from niftyformer_assets.exchange.exchange import Exchange
from niftyformer_assets.exchange.refused import RefusedError
from niftyformer_assets.exchange.routes.answers import form_of, success
from niftyformer_assets.web import is_loopback

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


async def login_page(exchange: Exchange, request: Request) -> Response:
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


async def create_session(exchange: Exchange, request: Request) -> Response:
    form = await form_of(request)
    for name in ("api_key", "request_token", "checksum"):
        if name not in form:
            raise RefusedError(400, f"Missing `{name}`.", "InputException")
    token = exchange.login.exchange(form["api_key"], form["request_token"], form["checksum"])
    moment = exchange.view.moment or wall_clock()
    return success(
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


async def end_session(exchange: Exchange, request: Request) -> Response:
    exchange.login.check_key(request.query_params.get("api_key", ""))
    exchange.login.end(request.query_params.get("access_token", ""))
    return success(True)


async def profile(exchange: Exchange, request: Request) -> Response:
    return success(_PROFILE)
