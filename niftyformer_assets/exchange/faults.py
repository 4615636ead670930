"""Everything that goes wrong with Kite now and then, all off unless switched on.

Which request or candle a fault hits follows from the seed: for a request from its path and how
often that path was asked for, for a candle from its symbol and session. So neither the order in
which requests happen to arrive nor a second fetch changes it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from niftyformer_assets.require import require
from niftyformer_assets.store.errors import NiftyFormerError

# What can happen to an answer as a whole, in the order in which the shares are stacked up.
ANSWER_FAULTS = ("too_many_requests", "server_errors", "html_pages", "cut_off_bodies", "no_content_type", "stalls")
STOCK_FAULTS = ("shortened_instruments", "scaled_stocks", "swapped_stocks")
CANDLE_FAULTS = ("missing_candles", "duplicated_candles", "negative_candles")


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
    adjusted: bool = True

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
    too_many_requests: float = 0.0
    server_errors: float = 0.0
    html_pages: float = 0.0
    cut_off_bodies: float = 0.0
    no_content_type: float = 0.0
    stalls: float = 0.0
    stall_s: float = 10.0
    paths: tuple[str, ...] = ("/instruments",)
    failing_symbols: tuple[str, ...] = ()
    expire_after: int | None = None
    missing_candles: float = 0.0
    duplicated_candles: float = 0.0
    negative_candles: float = 0.0
    shortened_instruments: float = 0.0
    scaled_stocks: float = 0.0
    scale: float = 100.0
    swapped_stocks: float = 0.0
    splits: tuple[Split, ...] = ()
    renames: tuple[Rename, ...] = ()

    def __post_init__(self) -> None:
        for name in (*ANSWER_FAULTS, *CANDLE_FAULTS, *STOCK_FAULTS):
            require(0 <= getattr(self, name) <= 1, f"{name} is a share: between 0 and 1")
        total = sum(getattr(self, name) for name in ANSWER_FAULTS)
        require(total <= 1 + 1e-9, f"the shares of {', '.join(ANSWER_FAULTS)} add up to {total:g}, more than 1")
        require(self.stall_s >= 0, "stall_s must not be negative")
        require(self.scale > 0, "scale must be above 0")
        require(self.expire_after is None or self.expire_after >= 0, "expire_after must not be negative")

    def on_answer(self, path: str, attempt: int) -> str | None:
        """Which of `ANSWER_FAULTS` hits the `attempt`-th request (from 0) for `path`, if any."""
        if not path.startswith(self.paths):
            return None
        draw = uniform(self.seed, "answer", path, attempt)
        for name in ANSWER_FAULTS:
            draw -= getattr(self, name)
            if draw < 0:
                return name
        return None

    def hits(self, share: str, *what: object) -> bool:
        """Whether the fault with this share hits one thing (a candle, a symbol)."""
        return uniform(self.seed, share, *what) < getattr(self, share)

    def as_json(self) -> dict[str, Any]:
        """What `faults_from` reads."""
        content = dataclasses.asdict(self)
        for change in (*content["splits"], *content["renames"]):
            change.update({name: value.isoformat() for name, value in change.items() if isinstance(value, date)})
        return content


def uniform(*key: object) -> float:
    """A number in [0, 1) that follows from the key alone."""
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def faults_from(content: object) -> Faults:
    """Faults from decoded JSON: the fields of `Faults`, splits and renames as objects.

    Raises:
        NiftyFormerError: an unknown name, or a value that is none for it.
    """
    if not isinstance(content, Mapping):
        raise NiftyFormerError('faults: give an object such as {"server_errors": 0.2}, {} for none.')
    values: dict[str, Any] = {}
    for name, value in content.items():
        try:
            values[name] = _field(str(name), value)
        except (TypeError, ValueError, KeyError) as error:
            raise NiftyFormerError(f"faults: {name}={value!r} is refused: {error}. Correct it.") from error
    try:
        return Faults(**values)
    except ValueError as error:
        raise NiftyFormerError(f"faults: {error}. Correct it.") from error


def parse_faults(texts: Iterable[str]) -> Faults:
    """Faults from words of a command line.

    `server_errors=0.2`, `failing_symbols=DEMO001,DEMO004`, `splits=DEMO004:2024-01-05:2` (a third
    `:broken` leaves the history unadjusted), `renames=DEMO005:DEMONEW:2024-01-05` (the date may be
    left out).

    Raises:
        NiftyFormerError: a word that cannot be read, naming it.
    """
    content: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise NiftyFormerError(f"faults: {text!r} is not NAME=VALUE, such as server_errors=0.2. Correct it.")
        parts = [part for part in value.split(",") if part]
        if name in ("paths", "failing_symbols"):
            content[name] = parts
        elif name == "splits":
            content[name] = [_split_words(part, text) for part in parts]
        elif name == "renames":
            content[name] = [dict(zip(("old", "new", "since"), part.split(":"), strict=False)) for part in parts]
        else:
            content[name] = _number(value, text)
    return faults_from(content)


def _split_words(part: str, text: str) -> dict[str, Any]:
    words = part.split(":")
    content: dict[str, Any] = dict(zip(("symbol", "ex_date", "ratio"), words, strict=False))
    if "ratio" in content:
        content["ratio"] = _number(content["ratio"], text)
    return {**content, "adjusted": words[3:] != ["broken"]}


def _number(value: str, text: str) -> float | int:
    try:
        return int(value) if value.isdecimal() else float(value)
    except ValueError as error:
        raise NiftyFormerError(f"faults: {value!r} in {text!r} is no number. Correct it.") from error


def _field(name: str, value: Any) -> Any:
    known = [field.name for field in dataclasses.fields(Faults)]
    if name not in known:
        raise ValueError(f"there is no such fault, only {', '.join(known)}")
    if name in ("paths", "failing_symbols"):
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise TypeError("a list of texts is needed")
        return tuple(value)
    if name == "splits":
        return tuple(Split(**_dated(item)) for item in value)
    if name == "renames":
        return tuple(Rename(**_dated(item)) for item in value)
    whole = name in ("seed", "expire_after")
    if name == "expire_after" and value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise TypeError("a whole number is needed" if whole else "a number is needed")
    return value


def _dated(item: Mapping[str, Any]) -> dict[str, Any]:
    dates = {name: date.fromisoformat(item[name]) for name in ("ex_date", "since") if isinstance(item.get(name), str)}
    return {**item, **dates}
