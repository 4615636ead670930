"""Which sessions the dates of a folder mean: one decision from all of them.

A text that can be read in one way only is taken so. For the others every reading that fits all texts
of their shape is tried; a reading that puts many of them on weekends is none, and what then stays open
is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_STAMP = re.compile(
    r"(?P<day>.*?\d)"
    r"(?:(?:T|,? +)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)? ?(?P<half>[AaPp][Mm])?"
    r" ?(?P<zone>Z|UTC|GMT|IST|[+-]\d{2}:?\d{2})?)?"
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/. ])(\d{1,2})\2(\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4}|\d{2})")
_EIGHT = re.compile(r"\d{8}(?:\.0)?")
_NAMED_MONTH = re.compile(r"(\d{1,2})[-/. ]?([A-Za-z]{3,9})\.?[-/., ]*(\d{4}|\d{2})")
_MONTH_FIRST = re.compile(r"([A-Za-z]{3,9})\.?[- ](\d{1,2}),?[- ](\d{4})")
_EPOCH = re.compile(r"(\d{9,10})(\d{3}|\d{6}|\d{9})?(?:\.0+)?")
_INDIA_MINUTES = 5 * 60 + 30
_DAY_MINUTES = 24 * 60
_ZONES = {"Z": 0, "UTC": 0, "GMT": 0, "IST": _INDIA_MINUTES}
_YEARS = range(1980, 2100)

DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "day first", "month first", "year first"
WRITTEN, INDIA = "as written", "taken for UTC and to India"
_SAID = {
    ("NN-NN-YYYY", DAY_FIRST): "DD-MM-YYYY (day first)",
    ("NN-NN-YYYY", MONTH_FIRST): "MM-DD-YYYY (month first)",
    ("NN-NN-NN", DAY_FIRST): "DD-MM-YY (day first)",
    ("NN-NN-NN", MONTH_FIRST): "MM-DD-YY (month first)",
    ("NN-NN-NN", YEAR_FIRST): "YY-MM-DD (year first)",
    ("NNNNNNNN", DAY_FIRST): "DDMMYYYY (day first)",
    ("NNNNNNNN", MONTH_FIRST): "MMDDYYYY (month first)",
    ("NNNNNNNN", YEAR_FIRST): "YYYYMMDD",
}
# Weekend sessions are rare: a reading with more of them than this, and one, is wrong.
_MAX_WEEKENDS, _MAX_WEEKEND_SHARE = 1, 0.1


class OpenDateError(Exception):
    """A date that is none, or that stays open. `text` is where to look, `reason` what to say of it."""

    def __init__(self, text: str, reason: str, advice: str = "Write the session as YYYY-MM-DD") -> None:
        super().__init__(reason)
        self.text, self.reason, self.advice = text, reason, advice


@dataclass(frozen=True)
class Dates:
    """The session of each text, and in words how they were read."""

    sessions: Mapping[str, date]
    words: str


@dataclass(frozen=True)
class _Written:
    """A text taken apart.

    days: reading -> day; one reading "" where there is no doubt. shape: of texts that are read alike.
    minutes: the time of day, None without one. zone: minutes east of Greenwich, None without one.
    """

    shape: str
    days: Mapping[str, date]
    minutes: int | None = None
    zone: int | None = None


def read_dates(texts: Iterable[str]) -> Dates:
    """Decide on the readings of all texts of a folder at once.

    Stamps with a zone mean the date in India, where midnight of India is beyond doubt. Others, whose
    time of day leaves open which date is meant, are decided by which reading has no weekends.

    Raises:
        OpenDateError: a text is no date, two contradict each other, or none tells between two readings.
    """
    written = {text: _taken_apart(text) for text in texts}
    orders = _orders(written)
    days = {text: found.days[orders.get(found.shape, "")] for text, found in written.items()}
    shifted = {text: _in_india(days[text], found) for text, found in written.items()}
    certain = {text: both[0] for text, both in shifted.items() if both[0] == both[1]}
    doubtful = {text: both for text, both in shifted.items() if text not in certain}
    reading = ""
    if doubtful:
        reading = _reading_of_stamps(doubtful)
        certain |= {text: both[0 if reading == WRITTEN else 1] for text, both in doubtful.items()}
    return Dates(certain, _in_words(written, orders, reading))


def is_date(text: str) -> bool:
    """Is there any reading of the text as a date?"""
    try:
        _taken_apart(text)
    except OpenDateError:
        return False
    return True


def _orders(written: Mapping[str, _Written]) -> dict[str, str]:
    """The order of day, month and year of each shape that leaves it open."""
    shapes: dict[str, dict[str, Mapping[str, date]]] = {}
    for text, found in written.items():
        if "" not in found.days:
            shapes.setdefault(found.shape, {})[text] = found.days
    chosen: dict[str, str] = {}
    open_shapes: dict[str, list[str]] = {}
    tells: set[str] = set()
    for shape, texts in shapes.items():
        fitting = _plausible(_fitting(texts), texts)
        if len(fitting) == 1 or all(len({days[order] for order in fitting}) == 1 for days in texts.values()):
            chosen[shape] = fitting[0]
        else:
            open_shapes[shape] = fitting
        if len(fitting) == 1 and fitting[0] != YEAR_FIRST:
            tells.add(fitting[0])
    # Whether the day or the month comes first in one shape holds for the others that are open.
    for shape, fitting in open_shapes.items():
        told = [order for order in fitting if order in tells]
        texts = shapes[shape]
        if len(told) != 1:
            text, days = next((t, d) for t, d in texts.items() if len({d[order] for order in fitting}) > 1)
            said = " or ".join(f"{days[order]} ({order})" for order in fitting)
            raise OpenDateError(
                text,
                f"{text!r} is {said}, and no date of the folder tells which",
                "Write the sessions as YYYY-MM-DD, or add some that tell",
            )
        chosen[shape] = told[0]
    return chosen


def _fitting(texts: Mapping[str, Mapping[str, date]]) -> list[str]:
    """The orders in which every text is a date."""
    fitting: list[str] = list(next(iter(texts.values())))
    seen: list[str] = []
    for text, days in texts.items():
        left = [order for order in fitting if order in days]
        if not left:
            other = next((before for before in seen if not set(texts[before]) & set(days)), seen[-1])
            mine, theirs = " or ".join(days), " or ".join(texts[other])
            raise OpenDateError(
                text, f"{text!r} is {mine}, but {other!r} elsewhere in the folder is {theirs}", "Write all dates alike"
            )
        fitting = left
        seen.append(text)
    return fitting


def _plausible(orders: list[str], texts: Mapping[str, Mapping[str, date]]) -> list[str]:
    """Those of the orders without many weekends; all of them if none or all are."""
    good = [order for order in orders if not _has_weekends({days[order] for days in texts.values()})]
    return good or orders


def _has_weekends(days: set[date]) -> bool:
    weekends = sum(day.weekday() >= 5 for day in days)
    return weekends > max(_MAX_WEEKENDS, _MAX_WEEKEND_SHARE * len(days))


def _in_india(day: date, found: _Written) -> tuple[date, date]:
    """The dates that a stamp may mean: as written and, where that is another one, in India."""
    if found.minutes is None or (found.zone is None and found.minutes == 0):
        return day, day
    shift, of_day = divmod(found.minutes - (found.zone or 0) + _INDIA_MINUTES, _DAY_MINUTES)
    india = day + timedelta(days=shift)
    if found.zone is not None and (of_day == 0 or found.zone == _INDIA_MINUTES):
        return india, india
    return day, india


def _reading_of_stamps(doubtful: Mapping[str, tuple[date, date]]) -> str:
    written = _has_weekends({both[0] for both in doubtful.values()})
    india = _has_weekends({both[1] for both in doubtful.values()})
    if written == india:
        text, both = next(iter(doubtful.items()))
        raise OpenDateError(
            text,
            f"{text!r} is no midnight in India, so it is session {both[0]} or, taken from UTC to India, {both[1]}, "
            "and weekends do not tell which",
        )
    return INDIA if written else WRITTEN


def _taken_apart(text: str) -> _Written:
    stripped = text.strip().replace("\N{NO-BREAK SPACE}", " ")
    if (epoch := _EPOCH.fullmatch(stripped)) is not None:
        at = datetime.fromtimestamp(int(epoch[1]), timezone.utc)
        if at.year not in _YEARS:
            raise OpenDateError(text, f"{text!r} is no date")
        return _Written("seconds since 1970", {"": at.date()}, at.hour * 60 + at.minute, 0)
    stamp = _STAMP.fullmatch(stripped)
    if stamp is None:
        raise OpenDateError(text, f"{text!r} is no date")
    shape, days = _days(stamp["day"])
    if not days:
        raise OpenDateError(text, f"{text!r} is no date")
    if stamp["hour"] is None:
        return _Written(shape, days)
    hour, minute = int(stamp["hour"]), int(stamp["minute"])
    if stamp["half"]:
        hour = hour % 12 + (12 if stamp["half"].lower() == "pm" else 0)
    if hour > 23 or minute > 59:
        raise OpenDateError(text, f"{text!r} is no date")
    zone = stamp["zone"]
    offset = None
    if zone is not None:
        offset = _ZONES.get(zone)
        if offset is None:
            offset = int(f"{zone[0]}1") * (int(zone[1:3]) * 60 + int(zone[-2:]))
    return _Written(shape, days, hour * 60 + minute, offset)


def _days(text: str) -> tuple[str, dict[str, date]]:
    """The shape of a date without its time, and its readings; none for what is no date."""
    if (found := _YEAR_FIRST.fullmatch(text)) is not None:
        return "YYYY-MM-DD", _readings({"": (found[1], found[3], found[4])})
    if (found := _NAMED_MONTH.fullmatch(text)) is not None and (month := _month(found[2])):
        return "DD-Mon-YYYY", _readings({"": (found[3], month, found[1])})
    if (found := _MONTH_FIRST.fullmatch(text)) is not None and (month := _month(found[1])):
        return "Mon DD, YYYY", _readings({"": (found[3], month, found[2])})
    if (found := _YEAR_LAST.fullmatch(text)) is not None:
        first, second, third = found[1], found[3], found[4]
        readings = {DAY_FIRST: (third, second, first), MONTH_FIRST: (third, first, second)}
        if len(third) == 4:
            return "NN-NN-YYYY", _readings(readings)
        if len(first) == 2:
            readings[YEAR_FIRST] = (first, second, third)
        return "NN-NN-NN", _readings(readings)
    if _EIGHT.fullmatch(text) is not None:
        return "NNNNNNNN", _readings(
            {
                YEAR_FIRST: (text[:4], text[4:6], text[6:8]),
                DAY_FIRST: (text[4:8], text[2:4], text[:2]),
                MONTH_FIRST: (text[4:8], text[:2], text[2:4]),
            }
        )
    return "", {}


def _month(name: str) -> str:
    short = name[:3].lower()
    full = datetime(2000, MONTHS.index(short) + 1, 1).strftime("%B").lower() if short in MONTHS else ""
    return str(MONTHS.index(short) + 1) if full and (full.startswith(name.lower()) or name.lower() == "sept") else ""


def _readings(parts: Mapping[str, tuple[str, str, str]]) -> dict[str, date]:
    days: dict[str, date] = {}
    for order, (year, month, day) in parts.items():
        number = int(year) if len(year) == 4 else 2000 + int(year) if int(year) < 80 else 1900 + int(year)
        try:
            found = date(number, int(month), int(day))
        except ValueError:
            continue
        if found.year in _YEARS:
            days[order] = found
    return days


def _in_words(written: Mapping[str, _Written], orders: Mapping[str, str], reading: str) -> str:
    shapes = dict.fromkeys(found.shape for found in written.values())
    said = [_SAID.get((shape, orders[shape]), shape) if shape in orders else shape for shape in shapes]
    if any(found.zone is not None for found in written.values()):
        said.append("stamps with a zone taken to India")
    if reading:
        said.append(f"stamps that are no midnight of India {reading}")
    return ", ".join(said) or "none"
