"""What Kite is asked for, all of it: a session sends nothing else.

No order can be placed, changed or cancelled through it, nor a trigger, an alert, a mutual fund's order, a conversion or
a logout: whoever asks for that is refused before anything is sent, whatever the client of Kite can do.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import requests

from niftyformer_assets.web import BoundedSession

# Method and path. What is posted is a login, and questions about orders that nobody has placed.
READING = tuple(
    (method, re.compile(path))
    for method, path in (
        ("GET", r"/user/profile"),
        ("GET", r"/user/margins/equity"),
        ("GET", r"/portfolio/holdings"),
        ("GET", r"/portfolio/positions"),
        ("GET", r"/instruments/NSE"),
        ("GET", r"/instruments/historical/[0-9]+/day"),
        ("POST", r"/session/token"),
        ("POST", r"/margins/orders"),
        ("POST", r"/margins/basket"),
        ("POST", r"/charges/orders"),
    )
)


class NotReading(requests.exceptions.RequestException):
    """A request that is not on the list; it was not sent."""


def is_reading(method: str | None, path: str) -> bool:
    """Whether Kite may be asked so. A path that is written in another way, with escapes or dots, is not on the list."""
    return any(method == allowed and pattern.fullmatch(path) for allowed, pattern in READING)


class ReadingSession(BoundedSession):
    """A session with one server that sends what is on the list `READING` to it, and nothing else anywhere.

    Beside what `BoundedSession` raises, it raises NotReading.

    Args:
        root: scheme, host and port of the server.
        limits: of `BoundedSession`.
    """

    def __init__(self, root: str, **limits: Any) -> None:
        super().__init__(redirects="refused", **limits)
        self._server = _server(root)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        address = str(request.url)
        if _server(address) != self._server or not is_reading(request.method, urlsplit(address).path):
            raise NotReading(f"{request.method} is not on the list of what is read", request=request)
        return super().send(request, **options)


def _server(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme.lower(), parts.netloc.lower()
