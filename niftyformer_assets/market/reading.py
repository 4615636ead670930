"""What Kite is asked for, all of it: a session sends nothing else.

No order can be placed, changed or cancelled through it, nor a trigger, an alert, a mutual fund's order, a conversion or
a logout: whoever asks for that is refused before anything is sent, whatever the client of Kite can do.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any
from urllib.parse import urlsplit

import requests

from niftyformer_assets.web import AnswerTooLong, BoundedSession

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

# Of a table: three times the columns of Kite's instruments, and all of them of all exchanges. The client makes a
# dictionary of each line, with every column.
_MOST_COLUMNS, _MOST_LINES = 36, 250_000


class NotReading(requests.exceptions.RequestException):
    """A request that is not on the list; it was not sent."""


class NoAnswer(requests.exceptions.RequestException):
    """A status of failure, and a body that tells of none."""


def is_reading(method: str | None, path: str) -> bool:
    """Whether Kite may be asked so. A path that is written in another way, with escapes or dots, is not on the list."""
    return any(method == allowed and pattern.fullmatch(path) for allowed, pattern in READING)


class ReadingSession(BoundedSession):
    """A session with one server that sends what is on the list `READING` to it, and nothing else anywhere.

    Beside what `BoundedSession` raises, it raises NotReading, and NoAnswer where a status of failure has a body that
    tells of none: Kite's client looks at the body alone.

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
        response = super().send(request, **options)
        kind = response.headers.get("content-type", "")
        # As the client tells them apart.
        if "json" not in kind and "csv" in kind:
            _must_be_narrow(response.content)
        if response.status_code != 200 and ("csv" in kind or ("json" in kind and not _tells_an_error(response))):
            raise NoAnswer(f"status {response.status_code}", request=request, response=response)
        return response


def _tells_an_error(response: requests.Response) -> bool:
    try:
        content = response.json()
    except (ValueError, RecursionError):  # which the client tells
        return True
    return not isinstance(content, dict) or content.get("status") == "error" or bool(content.get("error_type"))


def _must_be_narrow(table: bytes) -> None:
    try:
        columns = next(csv.reader(io.TextIOWrapper(io.BytesIO(table), "utf-8", "replace", newline="")), [])
    except csv.Error:  # which the client meets too
        columns = []
    if len(columns) > _MOST_COLUMNS or table.count(b"\n") > _MOST_LINES:
        raise AnswerTooLong(f"more than {_MOST_COLUMNS} columns or {_MOST_LINES} lines")


def _server(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme.lower(), parts.netloc.lower()
