"""Kite's login: a request token for whoever signs in, an access token for whoever knows the secret."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from niftyformer_assets.exchange.clock import Clock, token_expiry
from niftyformer_assets.exchange.refused import RefusedError

REQUEST_TOKEN_LIFE = timedelta(minutes=5)


class Login:
    """The tokens of one app (one API key). They live in memory and end with the exchange."""

    def __init__(self, api_key: str, api_secret: str, clock: Clock) -> None:
        self.api_key = api_key
        self.api_secret = api_secret
        self._clock = clock
        self._request_tokens: dict[str, datetime] = {}
        self._access_tokens: dict[str, datetime] = {}

    def request_token(self) -> str:
        """What Kite gives a person who has signed in; it can be exchanged once, within minutes."""
        token = secrets.token_hex(16)
        self._request_tokens[token] = self._clock() + REQUEST_TOKEN_LIFE
        return token

    def access_token(self) -> str:
        """A token that holds until 06:00 of the next morning in India."""
        token = secrets.token_hex(16)
        self._access_tokens[token] = token_expiry(self._clock())
        return token

    def exchange(self, api_key: str, request_token: str, checksum: str) -> str:
        """An access token for a request token.

        Raises:
            RefusedError: a wrong key, a wrong checksum, or a request token that is unknown, used or old.
        """
        self.check_key(api_key)
        expected = hashlib.sha256(f"{api_key}{request_token}{self.api_secret}".encode()).hexdigest()
        if not hmac.compare_digest(checksum.encode(), expected.encode()):
            raise RefusedError(403, "Invalid `checksum`.", "TokenException")
        expiry = self._request_tokens.pop(request_token, None)
        if expiry is None or self._clock() >= expiry:
            raise RefusedError(403, "Token is invalid or has expired.", "TokenException")
        return self.access_token()

    def check_key(self, api_key: str) -> None:
        """Raises RefusedError unless it is this app's API key."""
        if api_key != self.api_key:
            raise RefusedError(403, "Invalid `api_key`.", "TokenException")

    def check(self, authorization: str) -> None:
        """Raises RefusedError unless an Authorization header `token api_key:access_token` is good now."""
        scheme, _, credentials = authorization.partition(" ")
        api_key, _, token = credentials.partition(":")
        expiry = self._access_tokens.get(token)
        if scheme != "token" or api_key != self.api_key or expiry is None or self._clock() >= expiry:
            raise RefusedError(403, "Incorrect `api_key` or `access_token`.", "TokenException")

    def end(self, access_token: str) -> None:
        """Make one access token invalid, as a logout does."""
        self._access_tokens.pop(access_token, None)

    def end_all(self) -> None:
        """Make every access token invalid."""
        self._access_tokens.clear()
