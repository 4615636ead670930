"""Dates of daily values in files that people give: one reading for candles, an index and its total return."""

from __future__ import annotations

import re
from datetime import date, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})"
    r"(?:[T ](\d{2}):(\d{2})(?::(\d{2}(?:\.\d+)?))? ?(?:(Z|UTC)|([+-])(\d{2}):?(\d{2}))?)?"
)
# As NSE writes dates: 03-Nov-2025.
_NAMED_MONTH = re.compile(r"(\d{1,2})[- /]([A-Za-z]{3})[A-Za-z]*[- /,]+(\d{4})")
_INDIA_MINUTES = 5 * 60 + 30
_DAY_MINUTES = 24 * 60


def day_of(value: object) -> date:
    """The session that a date or a time stamp of a daily value stands for.

    Read are YYYY-MM-DD, alone or with a time of day and a zone, and dates with the month's name. A
    stamp with a zone is taken to India, where it must be midnight, as must one without a zone: any
    other time of day leaves open which session it means. Day and month in numbers do so as well.

    Raises:
        ValueError: its text says what the value is instead.
    """
    text = str(value).strip()
    if (named := _NAMED_MONTH.fullmatch(text)) is not None and named[2].lower() in _MONTHS:
        return _date(int(named[3]), _MONTHS.index(named[2].lower()) + 1, int(named[1]), text)
    iso = _ISO.fullmatch(text)
    if iso is None:
        raise ValueError(f"{text!r} is no date")
    day, hour, minute, second, utc, sign, zone_hours, zone_minutes = iso.groups()
    found = _date(int(day[:4]), int(day[5:7]), int(day[8:]), text)
    if hour is None:
        return found
    minutes = int(hour) * 60 + int(minute)
    if utc or sign:
        zone = 0 if utc else int(f"{sign}1") * (int(zone_hours) * 60 + int(zone_minutes))
        days, minutes = divmod(minutes - zone + _INDIA_MINUTES, _DAY_MINUTES)
        found += timedelta(days=days)
    if minutes or float(second or 0):
        raise ValueError(f"{text!r} is no midnight in India, so it is open which session it means")
    return found


def _date(year: int, month: int, day: int, text: str) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"{text!r} is no date") from None
