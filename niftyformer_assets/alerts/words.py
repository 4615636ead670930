"""What is worth telling somebody who is not looking, in words, each with what it is told once for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

# A message on a telephone, not a log.
LONGEST = 900


@dataclass(frozen=True)
class Alert:
    """A message. cause: what it is told for, once; it holds no text of others, and can lie in a file."""

    cause: str
    title: str
    text: str


def run_failed(origin: str, what: str, reason: str) -> Alert:
    """Args: origin: the id of the run, its backfill, or the run that it makes good. what: its job, and of what."""
    return Alert(f"run {origin}", f"run failed: {what}", reason)


def no_login(day: str, refresh: str, reason: str) -> Alert:
    """Args: day: YYYY-MM-DD. refresh: the time of the refresh on it."""
    return Alert(
        f"login {day}", f"no login for the refresh of {day}", f"Candles are asked for at {refresh} IST. {reason}"
    )


def candles_stale(expected: str, newest: str) -> Alert:
    """Args: expected, newest: the exchange's last session that should be there, and the last that is."""
    return Alert(
        f"candles {expected}",
        f"candles are stale: {expected} is missing",
        f"The market panel reaches to {newest}, and the exchange's session of {expected} is over: look at the last "
        "runs over raw_ohlcv and market_panel.",
    )


def signal_ready(experiment: str, trades_on: str, said: str) -> Alert:
    """Args: said: the signal in words, by which one that says the same is known."""
    return Alert(f"signal {_known_by(experiment, said)}", f"signal for {trades_on} ({experiment})", said)


def signal_withheld(session: str, reason: str) -> Alert:
    """Args: session: the newest of the candles that it would have been made from; "" where nobody knows."""
    return Alert(f"withheld {_known_by(session, reason)}", f"no signal of {session or 'the newest session'}", reason)


def watch_warning(since: str, said: str) -> Alert:
    """Args: since: what tells the beginning of the warning from that of any other."""
    return Alert(f"watch {since}", "the watch on the model warns", said)


def trained_anew(experiment: str, said: str) -> Alert:
    """Args: said: whether it is proposed in place of the one in use."""
    return Alert(f"retrained {experiment}", f"{experiment} was trained", said)


def trial() -> Alert:
    """Shows that messages arrive."""
    return Alert("test", "a test message", "Whoever reads this is told what NIFTYFORMER_ALERTS is for.")


def _known_by(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:20]
