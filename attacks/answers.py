"""Faulty answers of the simulated exchange, alone and mixed: what comes in is right in the end, and nothing is lost."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from attacks.outcomes import Attack, Outcome
from niftyformer_assets.exchange.faults import Faults, Rename, Split
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.market.world import World, at, failures, world

ALONE, MIXED = 2, 12
EARLIER = at("2024-05-30")
# The day of the fault, once it has passed, and the two sessions after it.
AFTERWARDS = [at(day) for day in ("2024-05-31", "2024-06-03", "2024-06-04")]

# Some values of each fault, by its field. A field that is not here stops the attack: it is to be thought about.
VALUES: dict[str, tuple[object, ...]] = {
    "too_many_requests": (0.1, 0.4),
    "server_errors": (0.1, 0.4),
    "html_pages": (0.1, 0.4),
    "cut_off_bodies": (0.1, 0.4),
    "no_content_type": (0.1, 0.4),
    "stalls": (0.05, 0.15),
    "failing_symbols": (("DEMO001",), ("DEMO001", "DEMO004")),
    "expire_after": (3, 9),
    "missing_candles": (0.02, 0.3),
    "duplicated_candles": (0.02, 0.3),
    "negative_candles": (0.02, 0.3),
    "shortened_instruments": (0.1, 0.9),
    "scaled_stocks": (0.2, 1.0),
    "swapped_stocks": (0.2, 1.0),
    "splits": ((Split("DEMO004", date(2024, 5, 31), 5.0),), (Split("DEMO001", date(2024, 5, 31), 0.5),)),
    "renames": ((Rename("DEMO005", "RENAMED", date(2024, 5, 31)),), (Rename("DEMO001", "OTHER", date(2024, 5, 31)),)),
}
# How a fault is dealt, and how long it takes: no faults of their own.
DEALT = {"seed", "stall_s", "scale", "paths"}
# These change what the exchange holds to be true, not how it answers.
TRUTHS = {"splits", "renames"}


def answer_wrongly(folder: Path, seed: int, alone: int = ALONE, mixed: int = MIXED) -> Iterator[Attack]:
    """Each fault alone, then mixtures of three to five."""
    names = [field.name for field in dataclasses.fields(Faults) if field.name not in DEALT]
    for name in names:
        if name not in VALUES:
            yield Attack(name, "alone", Outcome.UNKNOWN, "a fault that the attacks have no values for")
    draw = random.Random(seed)
    for name in VALUES:
        for value in VALUES[name][:alone]:
            yield _attack(folder / name / str(value)[:8], name, "alone", {name: value, "seed": draw.randrange(1000)})
    for number in range(mixed):
        chosen = draw.sample(sorted(VALUES.keys() - TRUTHS), draw.randint(3, 5))
        values = {name: VALUES[name][0] for name in chosen} | {"seed": draw.randrange(1000)}
        yield _attack(folder / f"mixed{number}", "a mixture", "mixed", values)


def _attack(folder: Path, on: str, kind: str, values: dict[str, object]) -> Attack:
    """Fetch while the fault is there, then without it, on that day and the next two: the candles must be the truth."""
    said = ", ".join(f"{name}={value}" for name, value in values.items())
    try:
        return _outcome(folder, on, kind, said, values)
    except NiftyFormerError as error:
        return Attack(on, kind, Outcome.STUCK, f"{said}: the ingest as a whole ended: {error}")
    except Exception as error:
        return Attack(on, kind, Outcome.TRACEBACK, f"{said}: {type(error).__name__}: {error}")


def _outcome(folder: Path, on: str, kind: str, said: str, values: dict[str, object]) -> Attack:
    faults = Faults(**values, stall_s=0.6)  # type: ignore[arg-type]
    truth = Faults(**{name: value for name, value in values.items() if name in TRUTHS})  # type: ignore[arg-type]
    true: dict[datetime, dict[str, pd.DataFrame]] = {}
    with world(folder / "calm", EARLIER, truth) as (calm, clock):
        for clock.now in (EARLIER, *AFTERWARDS):
            calm.ingest(clock.now)
            true[clock.now] = _candles(calm)
    with world(folder / "rough", EARLIER) as (it, clock):
        it.ingest(EARLIER)
        held = _candles(it)
        it.exchange.faults, clock.now = faults, AFTERWARDS[0]
        for _ in range(2):
            it.ingest(clock.now, timeout_s=0.3)
        fewer = any(len(rows) < len(held[symbol]) for symbol, rows in _candles(it).items())
        it.exchange.faults = truth
        right = []
        for clock.now in AFTERWARDS:
            left = failures(it.ingest(clock.now))
            differing = [
                symbol for symbol, rows in _candles(it).items() if not rows.equals(true[clock.now].get(symbol))
            ]
            right.append(not left and not differing)
        if all(right):
            return Attack(on, kind, Outcome.FEWER if fewer else Outcome.SAME)
        if right[-1]:
            return Attack(on, kind, Outcome.FEWER if fewer else Outcome.LATER)
        return Attack(on, kind, Outcome.LOST if differing else Outcome.STUCK, f"{said}: {differing} {left}"[:300])


def _candles(it: World) -> dict[str, pd.DataFrame]:
    return {symbol: it.candles(symbol) for symbol in it.symbols if it.workspace.candles(symbol).is_file()}
