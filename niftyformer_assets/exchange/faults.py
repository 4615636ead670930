"""Everything that goes wrong with Kite now and then, all off unless switched on.

A fault that hits a share of answers, of candles or of stocks is a function of this file and a field of `Faults` that
names it; one of a list is a field of the list's type. Nothing else has to know it.

Which request or candle a fault hits follows from the seed: for a request from its path and how
often that path was asked for, for a candle from its symbol and session. So neither the order in
which requests happen to arrive nor a second fetch changes it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from niftyformer_assets.exchange.refused import RefusedError, too_many_requests
from niftyformer_assets.require import require

if TYPE_CHECKING:
    from starlette.responses import Response

HTML_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
SERVER_ERRORS = (
    (500, "Something went wrong. Please try again.", "GeneralException"),
    (502, "Unable to communicate with the backend.", "NetworkException"),
    (503, "Service unavailable.", "NetworkException"),
    (504, "Gateway timed out.", "NetworkException"),
)
# [timestamp, open, high, low, close, volume], as Kite gives a candle.
Candle = list[Any]


@dataclass(frozen=True)
class Asked:
    """A request that a fault hits.

    attempt: how often its path was asked for before. answer: makes the right answer.
    """

    attempt: int
    answer: Callable[[], Awaitable[Response]]
    faults: Faults


async def _too_many_requests(_asked: Asked) -> Response:
    raise too_many_requests("too_many_requests")


async def _server_errors(asked: Asked) -> Response:
    raise RefusedError(*SERVER_ERRORS[asked.attempt % len(SERVER_ERRORS)], reason="server_errors")


async def _html_pages(_asked: Asked) -> Response:
    from starlette.responses import HTMLResponse

    return HTMLResponse(HTML_PAGE, status_code=502)


async def _cut_off_bodies(asked: Asked) -> Response:
    from niftyformer_assets.exchange.cut_off import CutOff

    return CutOff(await asked.answer(), breaks=asked.attempt % 2 == 0)


async def _no_content_type(asked: Asked) -> Response:
    response = await asked.answer()
    del response.headers["content-type"]
    return response


async def _stalls(asked: Asked) -> Response:
    import asyncio

    await asyncio.sleep(asked.faults.stall_s)
    return await asked.answer()


def _missing(_candle: Candle) -> list[Candle]:
    return []


def _negative(candle: Candle) -> list[Candle]:
    day, *prices, volume = candle
    return [[day, *(-price for price in prices), volume]]


def _duplicated(candle: Candle) -> list[Candle]:
    return [candle, candle]


def _of_answers(what: Callable[[Asked], Awaitable[Response]]) -> Any:
    """A field for a share of answers that `what` takes the place of."""
    return field(default=0.0, metadata={"answers": what})


def _of_candles(what: Callable[[Candle], list[Candle]]) -> Any:
    """A field for a share of candles of which `what` makes none, one or more others."""
    return field(default=0.0, metadata={"candles": what})


def _of_stocks() -> Any:
    """A field for a share of stocks; the view asks for it by name where it bears on what it shows."""
    return field(default=0.0, metadata={"stocks": None})


def _such_as(default: Any, example: str) -> Any:
    """A field of which the command line's help gives an example."""
    return field(default=default, metadata={"example": example})


@dataclass(frozen=True)
class Split:
    """A split that takes effect on its ex-date: from that session on every price of the stock, old
    and new, is divided by `ratio` (volumes multiplied), as Kite adjusts its history back.

    adjusted=False is the broken adjustment that Kite sometimes gives: the older candles stay as
    they were, so that the price jumps on the ex-date.
    """

    symbol: str
    ex_date: date
    ratio: float
    adjusted: bool = field(default=True, metadata={"off": "broken"})

    def __post_init__(self) -> None:
        require(self.ratio > 0, f"the split of {self.symbol} needs a ratio above 0")


@dataclass(frozen=True)
class Rename:
    """From the session `since` on (at once, without one) the stock is listed as `new`, under another token that
    covers the history before it."""

    old: str
    new: str
    since: date | None = None


@dataclass(frozen=True)
class Faults:
    """Shares are of answers (or of candles), between 0 and 1.

    too_many_requests: 429 as Kite words it. server_errors: 500, 502, 503, 504 with Kite's JSON.
    html_pages: 502 with a web page. cut_off_bodies: half a body, by turns with a length that says
    so (the connection breaks) and without (the text ends). no_content_type: an answer that does not
    say what it is. stalls: the right answer, `stall_s` seconds late.
    paths: what those six apply to, by the beginning of the path; add `/IndexConstituent` for NSE's list.
    failing_symbols: their history always answers 500.
    expire_after: after so many answers all access tokens are refused; a new login works again.
    missing_candles, duplicated_candles, negative_candles: shares of all candles.
    shortened_instruments: share of the stocks that the instruments list leaves out.
    scaled_stocks: share of the stocks whose every price comes times `scale`.
    swapped_stocks: share of the stocks that come with the candles of the stock after them.
    """

    seed: int = 0
    too_many_requests: float = _of_answers(_too_many_requests)
    server_errors: float = _of_answers(_server_errors)
    html_pages: float = _of_answers(_html_pages)
    cut_off_bodies: float = _of_answers(_cut_off_bodies)
    no_content_type: float = _of_answers(_no_content_type)
    stalls: float = _of_answers(_stalls)
    stall_s: float = _such_as(10.0, "10 (of stalls)")
    paths: tuple[str, ...] = ("/instruments",)
    failing_symbols: tuple[str, ...] = _such_as((), "DEMO001,DEMO004")
    expire_after: int | None = _such_as(None, "50 (answers until the token dies)")
    missing_candles: float = _of_candles(_missing)
    negative_candles: float = _of_candles(_negative)
    duplicated_candles: float = _of_candles(_duplicated)
    shortened_instruments: float = _of_stocks()
    scaled_stocks: float = _of_stocks()
    scale: float = _such_as(100.0, "100 (of scaled_stocks)")
    swapped_stocks: float = _of_stocks()
    splits: tuple[Split, ...] = _such_as(
        (), "SYMBOL:2026-01-31:2 (by tomorrow's date, history is re-adjusted tomorrow)"
    )
    renames: tuple[Rename, ...] = _such_as((), "OLD:NEW:2026-01-31")

    def __post_init__(self) -> None:
        shares = [share for kind in ("answers", "candles", "stocks") for share in shares_of(kind)]
        for name in shares:
            require(0 <= getattr(self, name) <= 1, f"{name} is a share: between 0 and 1")
        of_answers = shares_of("answers")
        total = sum(getattr(self, name) for name in of_answers)
        require(total <= 1 + 1e-9, f"the shares of {', '.join(of_answers)} add up to {total:g}, more than 1")
        require(self.stall_s >= 0, "stall_s must not be negative")
        require(self.scale > 0, "scale must be above 0")
        require(self.expire_after is None or self.expire_after >= 0, "expire_after must not be negative")

    def on_answer(self, path: str, attempt: int) -> str | None:
        """Which fault hits the answer to the `attempt`-th request (from 0) for `path`, if any."""
        if not path.startswith(self.paths):
            return None
        draw = uniform(self.seed, "answer", path, attempt)
        for name in shares_of("answers"):
            draw -= getattr(self, name)
            if draw < 0:
                return name
        return None

    def spoilt(self, candles: Sequence[Candle], symbol: str) -> list[Candle]:
        """What is given for these candles of a stock."""
        given = list(candles)
        for name, what in shares_of("candles").items():
            if getattr(self, name):
                given = [one for row in given for one in (what(row) if self.hits(name, symbol, row[0]) else [row])]
        return given

    def hits(self, share: str, *what: object) -> bool:
        """Whether the fault with this share hits one thing (a candle, a symbol)."""
        return uniform(self.seed, share, *what) < getattr(self, share)

    def as_json(self) -> dict[str, Any]:
        """What `faults_from` reads."""
        content = dataclasses.asdict(self)
        changes = [each for value in content.values() if isinstance(value, tuple) for each in value]
        for change in (each for each in changes if isinstance(each, dict)):
            change.update({name: value.isoformat() for name, value in change.items() if isinstance(value, date)})
        return content


def uniform(*key: object) -> float:
    """A number in [0, 1) that follows from the key alone."""
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def shares_of(kind: str) -> Mapping[str, Any]:
    """The faults that are shares of `answers`, `candles` or `stocks`, and what they do, in their order: the shares of
    answers are stacked up in it."""
    return {one.name: one.metadata[kind] for one in dataclasses.fields(Faults) if kind in one.metadata}
