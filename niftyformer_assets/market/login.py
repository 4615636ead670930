"""Kite's daily login in one click, and the access token it leaves.

A person signs in on Kite's own page; the browser comes back to a port of this machine with a
request token, which is exchanged for an access token that lives until about 06:00 IST. Nothing
else can log in: storing a password or a TOTP secret is against Zerodha's terms.

The app's redirect URL, set at developers.kite.trade, must be `redirect_url(port)`.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import threading
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from niftyformer_assets.market.calendar import IST
from niftyformer_assets.market.kite import KiteSession
from niftyformer_assets.market.servers import KITE_ROOT, LOGIN_PORT
from niftyformer_assets.store.atomic import atomic_path
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import is_file, read_given_json
from niftyformer_assets.web import HOST, is_loopback

LOGIN_PAGE = "https://kite.zerodha.com/connect/login"
TOKEN_VARIABLE = "KITE_ACCESS_TOKEN"
_EXPIRES_AT = time(6, 0)
_THANKS = "<!doctype html><title>NiftyFormer</title><p>{}</p>"


@dataclass(frozen=True)
class AccessToken:
    """An access token and until when it holds; None where that is not known (given by hand)."""

    value: str = field(repr=False)
    expires: datetime | None


def login(
    api_key: str,
    api_secret: str,
    token_file: Path,
    *,
    root: str = KITE_ROOT,
    login_page: str = LOGIN_PAGE,
    port: int = LOGIN_PORT,
    timeout_s: float = 300.0,
    open_page: Callable[[str], object] = webbrowser.open,
    now: Callable[[], datetime] = lambda: datetime.now(IST),
) -> AccessToken:
    """Let a person log in, and store the access token, readable by its owner only.

    Args:
        token_file: where the token is stored.
        login_page: Kite's, or that of the simulated exchange.
        port: where the redirect is caught, on 127.0.0.1; 0 takes a free one.
        open_page: shows an address to the person.

    Raises:
        NiftyFormerError: the port is taken, nobody logged in in time, Kite refused, or the token
            could not be stored.
    """
    with _Catcher(port) as catcher:
        open_page(login_address(login_page, api_key, catcher.state, catcher.port))
        request_token = catcher.wait(timeout_s)
    session = KiteSession(api_key, None, root=root)
    token = AccessToken(session.exchange(request_token, api_secret), expiry(now()))
    store_token(token_file, token)
    return token


def redirect_url(port: int = LOGIN_PORT) -> str:
    """What to set as the app's redirect URL."""
    return f"http://{HOST}:{port}/"


def login_address(login_page: str, api_key: str, state: str, port: int) -> str:
    """The page to open. Kite hands `redirect_params` back with the redirect, the simulated exchange the whole URL."""
    query = {"v": "3", "api_key": api_key, "redirect_params": urlencode({"state": state})}
    if is_loopback(login_page):
        query["redirect_url"] = f"{redirect_url(port)}?{urlencode({'state': state})}"
    return f"{login_page}?{urlencode(query)}"


def expiry(login_time: datetime) -> datetime:
    """When an access token given at `login_time` (aware) dies: the next 06:00 IST."""
    local = login_time.astimezone(IST)
    day = local.date() if local.time() < _EXPIRES_AT else local.date() + timedelta(days=1)
    return datetime.combine(day, _EXPIRES_AT, IST)


def store_token(path: Path, token: AccessToken) -> None:
    """Write the token atomically with mode 0600."""
    content = {"access_token": token.value, "expires": token.expires.isoformat() if token.expires else None}
    with atomic_path(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(content, stream)


def find_token(path: Path, now: datetime, environment: Mapping[str, str] | None = None) -> AccessToken:
    """The access token in force: that of KITE_ACCESS_TOKEN, else the stored one.

    Raises:
        NiftyFormerError: there is none, or it has expired; the message says what to do.
    """
    given = (os.environ if environment is None else environment).get(TOKEN_VARIABLE, "").strip()
    if given:
        return AccessToken(given, None)
    if not is_file(path):
        raise NiftyFormerError("nobody has logged in to Kite: run `niftyformer login`.")
    try:
        content = read_given_json(path)
        token = AccessToken(content["access_token"], datetime.fromisoformat(content["expires"]))
        if not isinstance(token.value, str) or token.expires is None or token.expires.tzinfo is None:
            raise ValueError
    except (NiftyFormerError, ValueError, KeyError, TypeError):
        # The file's content stays out of the message: it is a token.
        raise NiftyFormerError(f"{path} is damaged: run `niftyformer login`.") from None
    if now >= token.expires:
        raise NiftyFormerError(f"Kite's login expired at {token.expires:%Y-%m-%d %H:%M} IST: run `niftyformer login`.")
    return token


class _Catcher:
    """Listens on 127.0.0.1 for the one redirect that carries our state, and tells no log of it."""

    def __init__(self, port: int) -> None:
        self.state = secrets.token_urlsafe(24)
        self._arrived = threading.Event()
        self._request_token: str | None = None
        self._refusal = ""
        try:
            # Browsers open connections ahead of need; with one thread such an idle one would block the redirect.
            self._server = ThreadingHTTPServer((HOST, port), self._handler())
        except OSError as error:
            raise NiftyFormerError(
                f"port {port} of this machine cannot be listened on ({error.strerror}): close what uses it, or choose "
                "another one, here and as the redirect URL of the app at developers.kite.trade."
            ) from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> _Catcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self, timeout_s: float) -> str:
        if not self._arrived.wait(timeout_s):
            raise NiftyFormerError(
                f"nobody logged in within {timeout_s:.0f} s: run `niftyformer login` again, and check that the app's "
                f"redirect URL at developers.kite.trade is {redirect_url(self.port)}"
            )
        if self._request_token is None:
            raise NiftyFormerError(f"Kite's login ended with status {self._refusal!r}: run `niftyformer login` again.")
        return self._request_token

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                status, text = catcher._take(self.path)
                body = _THANKS.format(text).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                # The address holds the request token: it goes to no cache and no other site.
                self.send_header("Cache-Control", "no-store")
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: the request line holds the request token."""

        return Handler

    def _take(self, address: str) -> tuple[int, str]:
        try:
            query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        except ValueError:  # no address at all
            query = {}
        if not {"request_token", "status"} & set(query):
            return 404, "Nothing is here."
        if not hmac.compare_digest(query.get("state", "").encode(), self.state.encode()):
            return 403, "This login was not asked for here. Run niftyformer login again."
        if query.get("status") == "success" and query.get("request_token"):
            self._request_token = query["request_token"]
        else:
            self._refusal = query.get("status", "no token")[:40]
        self._arrived.set()
        if self._request_token is None:
            return 200, "Kite did not log you in. The terminal says more."
        return 200, "You are logged in. This page can be closed."
