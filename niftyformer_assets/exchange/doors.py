"""Who may ask the simulated exchange for what: this machine only, and no page of another site in its browser."""

from __future__ import annotations

from starlette.requests import Request

from niftyformer_assets.exchange.refused import RefusedError
from niftyformer_assets.web import LOOPBACK, is_loopback

MAX_BODY = 2**16


def must_be_addressed_as_loopback(request: Request) -> None:
    """Refuse what a name that was made to point at this machine asks for: a page elsewhere then reads the answers."""
    if not all(
        is_loopback(f"http://{host}") and not set("/?#") & set(host) for host in request.headers.getlist("host")
    ):
        raise RefusedError(403, "Ask for this machine by a loopback address.", "PermissionException")


def must_be_of_this_machine(request: Request) -> None:
    """Refuse what does not come from this machine, or comes from a page of another one in its browser."""
    elsewhere = request.client is None or request.client.host not in LOOPBACK
    if elsewhere or not all(is_loopback(origin, schemes=("http",)) for origin in request.headers.getlist("origin")):
        raise RefusedError(403, "Only this machine may ask for that.", "PermissionException")
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise RefusedError(403, "No page of another site may ask for that.", "PermissionException")


async def body_of(request: Request) -> bytes:
    """The body of a request; one beyond `MAX_BODY` is refused before it is all there."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise RefusedError(413, f"More than {MAX_BODY} bytes.", "InputException")
    return body
