"""How candles are asked for: from when to when, how patiently, and again where that may help."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from niftyformer_assets.market.calendar import last_complete_session, last_final_session, sessions
from niftyformer_assets.market.kite import KiteError
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.market.refresh import Wanted
from niftyformer_assets.market.servers import ATTEMPTS, BACKOFF_S, MAX_BACKOFF_S, REQUESTS_PER_SECOND, TIMEOUT_S
from niftyformer_assets.require import require
from niftyformer_assets.store.errors import NiftyFormerError

T = TypeVar("T")


@dataclass(frozen=True)
class IngestSettings:
    """How candles are fetched.

    history_start: the first date asked for.
    requests_per_second: at most; Kite's limit is REQUESTS_PER_SECOND.
    timeout_s: how long an answer may take to begin, and each of its parts.
    attempts: how often a request is sent before its symbol fails.
    backoff_s: the first wait between attempts, doubled each time.
    """

    history_start: date
    requests_per_second: float = REQUESTS_PER_SECOND
    timeout_s: float = TIMEOUT_S
    attempts: int = ATTEMPTS
    backoff_s: float = BACKOFF_S

    def __post_init__(self) -> None:
        require(self.attempts >= 1, "attempts must be at least 1")
        require(self.backoff_s >= 0, "backoff_s must be at least 0")
        require(self.requests_per_second > 0, "requests_per_second must be above 0")
        require(self.timeout_s > 0, "timeout_s must be above 0")


def wanted_at(now: datetime, settings: IngestSettings) -> Wanted:
    """What should be at hand at `now` (an aware datetime)."""
    through, final = last_complete_session(now), last_final_session(now)
    if through < settings.history_start:
        raise NiftyFormerError(
            f"no session is over since history_start {settings.history_start}: set an earlier start."
        )
    return Wanted(settings.history_start, through, final, sessions(settings.history_start, through))


def retried(
    call: Callable[[], T], settings: IngestSettings, pacer: Pacer | None = None, stop: threading.Event | None = None
) -> T:
    """Send a request, and again where that may help, with exponential backoff and jitter.

    Raises:
        KiteError: that of the last attempt, or at once one that asking again cannot mend.
        NiftyFormerError: `stop` was set.
    """
    stop = stop or threading.Event()

    def send() -> T:
        if stop.is_set() or (pacer is not None and not pacer.wait(stop)):
            raise NiftyFormerError("not asked for: the ingest was stopped.")
        return call()

    retrying = Retrying(
        stop=stop_after_attempt(settings.attempts),
        wait=wait_exponential(multiplier=settings.backoff_s, max=MAX_BACKOFF_S) + wait_random(0, settings.backoff_s),
        retry=retry_if_exception(lambda error: isinstance(error, KiteError) and error.retryable),
        sleep=partial(_pause, stop),
        reraise=True,
    )
    return retrying(send)


def _pause(stop: threading.Event, seconds: float) -> None:
    stop.wait(seconds)
