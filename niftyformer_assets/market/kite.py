"""A session with Kite Connect: the client as it is, with errors sorted by what can be done about them.

The client lets `requests` exceptions escape, calls an HTML error page a DataException, and fails
with KeyError on an answer without a content type. All of that is sorted here and nowhere else. No
message holds a token: neither the answer's body nor a URL is quoted.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from niftyformer_assets.market.candle_files import from_rows
from niftyformer_assets.market.quoting import quoted
from niftyformer_assets.market.reading import NoAnswer, NotReading, ReadingSession
from niftyformer_assets.market.servers import KITE_ROOT, TIMEOUT_S, WORKERS
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.web import DEADLINE_S, MAX_BYTES, AnswerTooLong, Redirected, is_loopback

# The segments of NSE's instruments that are of use here, and the exchanges that Kite knows.
STOCKS, INDICES = "NSE", "INDICES"
_EXCHANGES = ("NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX")
# What one daily request may span, both ends included.
MAX_DAYS = 2000
_ADDRESS = re.compile(r"\bips?\b", re.IGNORECASE)
_PERMISSION = re.compile(r"permission|permitted|subscri|not enabled", re.IGNORECASE)

T = TypeVar("T")


class KiteError(NiftyFormerError):
    """Kite did not do what it was asked."""

    retryable = False


class TokenRefused(KiteError):  # noqa: N818 - named for what happened
    """The access token is missing, expired or not of this app; nothing else will be answered."""


class NotPermitted(KiteError):  # noqa: N818
    """The app, its plan or this machine's address may not ask for that; logging in again changes nothing."""


class RequestRefused(KiteError):  # noqa: N818
    """Kite says that the request itself is wrong; asking again gives the same answer."""


class RateLimited(KiteError):  # noqa: N818
    """Too many requests (429)."""

    retryable = True


class ServerTrouble(KiteError):  # noqa: N818
    """A 5xx status, no answer in time, or no connection."""

    retryable = True


class BrokenAnswer(KiteError):  # noqa: N818
    """An answer that cannot be read: an error page, a cut-off body, fields of the wrong type."""

    retryable = True


class KiteSession:
    """Asks one Kite server, as one app with one access token. May be shared by threads.

    It reads, and can do nothing else: see `reading`.

    Args:
        root: scheme, host and port of the API; Zerodha's unless given.
        timeout_s: how long to wait for an answer to begin, and for each of its parts.
        deadline_s: how long an answer may take in all.
        max_bytes: how large an answer may be.
    """

    def __init__(
        self,
        api_key: str,
        access_token: str | None,
        *,
        root: str = KITE_ROOT,
        timeout_s: float = TIMEOUT_S,
        deadline_s: float = DEADLINE_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        from kiteconnect import KiteConnect  # pulls in Twisted's reactor

        self.root = root
        self._secrets = [secret for secret in (access_token, api_key) if secret]
        self._client = KiteConnect(api_key=api_key, access_token=access_token, root=root, timeout=timeout_s)
        # It carries the token: where an answer sends elsewhere, nobody is asked.
        self._client.reqsession = ReadingSession(root, deadline_s=deadline_s, max_bytes=max_bytes, connections=WORKERS)
        if is_loopback(root):
            self._client.reqsession.trust_env = False

    def __repr__(self) -> str:
        return f"KiteSession({self.root!r})"

    def check(self) -> None:
        """Return if Kite answers and takes the access token; one light request.

        Raises:
            KiteError: it does not.
        """
        if "user_id" not in self._row("the profile", self._client.profile):
            raise BrokenAnswer("Kite's answer for the profile names no user: ask again later.")

    def instruments(self, segment: str = STOCKS) -> dict[str, int | None]:
        """Token of each instrument of a segment of NSE by its trading symbol.

        None where several bear that symbol, or another symbol has that token.
        """
        rows = self._ask("the list of instruments", lambda: self._client.instruments("NSE"))
        listed: dict[str, int | None] = {}
        try:
            # The last column of the last line tells whether the line is whole.
            whole = all(row["exchange"] in _EXCHANGES for row in rows)
            for row in rows:
                if (row["exchange"], row["segment"]) == ("NSE", segment):
                    symbol, token = str(row["tradingsymbol"]), int(row["instrument_token"])
                    listed[symbol] = token if listed.get(symbol, token) == token else None
        except (KeyError, TypeError, ValueError) as error:
            raise BrokenAnswer("Kite's list of instruments cannot be read: ask again later.") from error
        if not rows or "" in listed or not whole:
            raise BrokenAnswer("Kite's list of instruments is empty or cut off: ask again later.")
        bearing = Counter(listed.values())
        return {symbol: token if bearing[token] == 1 else None for symbol, token in listed.items()}

    def daily_candles(self, token: int, first: date, last: date) -> pd.DataFrame:
        """Daily candles from `first` to `last`, both included, at most `MAX_DAYS` apart.

        Returns:
            (date, open, high, low, close, volume) as the server ordered them, nothing mended;
            candles outside the dates asked for are dropped.
        """
        if (last - first).days >= MAX_DAYS:
            raise ValueError(f"{first} to {last} is more than {MAX_DAYS} days")
        what = f"candles of {first} to {last}"
        start, end = datetime.combine(first, time.min), datetime.combine(last, time(23, 59, 59))
        rows = self._ask(what, lambda: self._client.historical_data(token, start, end, "day"))
        try:
            candles = from_rows(
                [(r["date"].date(), r["open"], r["high"], r["low"], r["close"], r["volume"]) for r in rows]
            )
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise BrokenAnswer(f"Kite's {what} are no candles: ask again later.") from error
        inside = (candles["date"] >= np.datetime64(first)) & (candles["date"] <= np.datetime64(last))
        return candles[inside].reset_index(drop=True)

    def holdings(self) -> list[dict[str, Any]]:
        """What the account holds for delivery, as Kite says it."""
        return self._rows("the holdings", self._client.holdings)

    def positions(self) -> list[dict[str, Any]]:
        """The account's net positions, as Kite says them: what was bought today is not yet among the holdings."""
        return self._rows("the positions", lambda: self._client.positions()["net"])

    def equity_margin(self) -> dict[str, Any]:
        """The account's money for equity, as Kite says it."""
        return self._row("the margins", lambda: self._client.margins("equity"))

    def order_margins(self, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What each of these orders would block, if somebody placed it; nobody does."""
        return self._rows("the margins of orders", lambda: self._client.order_margins([*orders]))

    def basket_margin(self, orders: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What these orders would block together."""
        return self._row("the margin of a basket", lambda: self._client.basket_order_margins([*orders]))

    def contract_note(self, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What each of these orders would cost once it is filled, item by item."""
        return self._rows("the charges of orders", lambda: self._client.get_virtual_contract_note([*orders]))

    def exchange(self, request_token: str, api_secret: str) -> str:
        """Exchange the request token of a login for an access token, and use it from here on."""
        checksum = hashlib.sha256(f"{self._client.api_key}{request_token}{api_secret}".encode()).hexdigest()
        self._secrets += [request_token, api_secret, checksum]
        answer = self._ask(
            "an access token", lambda: self._client.generate_session(request_token, api_secret), login=True
        )
        try:
            access_token = str(answer["access_token"])
        except (KeyError, TypeError) as error:
            raise BrokenAnswer("Kite's answer holds no access token: log in again.") from error
        self._secrets.append(access_token)
        return access_token

    def _rows(self, what: str, call: Callable[[], Any]) -> list[dict[str, Any]]:
        rows = self._ask(what, call)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BrokenAnswer(f"Kite's answer for {what} is no list: ask again later.")
        return rows

    def _row(self, what: str, call: Callable[[], Any]) -> dict[str, Any]:
        row = self._ask(what, call)
        if not isinstance(row, dict):
            raise BrokenAnswer(f"Kite's answer for {what} cannot be read: ask again later.")
        return row

    def _ask(self, what: str, call: Callable[[], T], *, login: bool = False) -> T:
        try:
            return call()
        except KiteError:
            raise
        except Exception as error:
            # Chained exceptions would carry the client's own text, bodies and URLs included, into logs.
            raise self._sorted(what, error, login) from None

    def _sorted(self, what: str, error: Exception, login: bool) -> KiteError:
        import requests
        from kiteconnect import exceptions as kite

        if isinstance(error, kite.KiteException):
            return self._sorted_by_status(what, error, login)
        if isinstance(error, AnswerTooLong):
            return BrokenAnswer(f"Kite's answer for {what} is far too long, and was not read: ask again later.")
        if isinstance(error, NoAnswer):
            return BrokenAnswer(f"Kite's answer for {what} has {error} and tells no reason: ask again later.")
        if isinstance(error, NotReading):
            return RequestRefused(f"{what} is not on the list of what Kite is asked for: nothing was sent.")
        if isinstance(error, Redirected):
            return RequestRefused(
                f"{self.root} sends elsewhere for {what}, and no secret goes there: correct the setting of its root."
            )
        if isinstance(error, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
            return BrokenAnswer(f"Kite's answer for {what} was cut off: ask again later.")
        if isinstance(error, requests.exceptions.Timeout):
            return ServerTrouble(f"Kite gave no answer for {what} in time: ask again later.")
        if isinstance(error, (requests.exceptions.MissingSchema, requests.exceptions.InvalidURL)):
            return RequestRefused(f"{self.root!r} is no address of a Kite server: correct the setting of its root.")
        if isinstance(error, requests.exceptions.RequestException) and not isinstance(error, ValueError):
            return ServerTrouble(f"no connection to {self.root} for {what} ({type(error).__name__}): ask again later.")
        unreadable = (LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError, csv.Error)
        if isinstance(error, unreadable):
            return BrokenAnswer(f"Kite's answer for {what} cannot be read ({type(error).__name__}): ask again later.")
        raise error

    def _sorted_by_status(self, what: str, error: Any, login: bool) -> KiteError:
        from kiteconnect import exceptions as kite

        said, code = quoted(str(error), self._secrets), int(getattr(error, "code", 0) or 0)
        if code == 429:
            return RateLimited(f"Kite limits the rate for {what}: {said}")
        if isinstance(error, (kite.TokenException, kite.PermissionException)) or code in (401, 403):
            return self._refusal(what, said, isinstance(error, kite.TokenException) or code == 401, login)
        if isinstance(error, kite.DataException):
            return BrokenAnswer(f"Kite's answer for {what} cannot be read: ask again later.")
        if code >= 500:
            return ServerTrouble(f"Kite is in trouble (status {code}) with {what}: {said}")
        return RequestRefused(f"Kite refused the request for {what} (status {code}): {said}")

    def _refusal(self, what: str, said: str, of_token: bool, login: bool) -> KiteError:
        """Kite answers 403 to much besides an expired token; then its words tell what it is."""
        if _ADDRESS.search(said):
            return NotPermitted(
                f"Kite refused this machine's IP address ({said}): allow it in the app's settings at "
                "developers.kite.trade, or run this from an address that is allowed there."
            )
        if login and "checksum" in said:
            return NotPermitted(
                f"Kite refused the login ({said}): make KITE_API_SECRET that of KITE_API_KEY, then log in once more."
            )
        if _PERMISSION.search(said) or not of_token:
            return NotPermitted(
                f"Kite does not permit this app to ask for {what} ({said}): see at developers.kite.trade that the app "
                "is yours and of a plan with historical data; logging in again changes nothing."
            )
        todo = "log in once more" if login else "run `niftyformer login`, then this again"
        return TokenRefused(f"Kite refused the access token ({said}): {todo}.")
