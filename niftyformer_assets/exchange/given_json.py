"""JSON that somebody sends, of which an answer can be made again."""

from __future__ import annotations

import json
from typing import Any

from niftyformer_assets.exchange.refused import RefusedError


def json_from(text: str | bytes) -> Any:
    """What a text is as JSON.

    Raises:
        RefusedError: it is none, nested beyond reading, or holds what JSON cannot say: NaN, infinity, half a character.
    """
    try:
        given = json.loads(text)
        json.dumps(given, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise RefusedError(400, "Invalid JSON.", "InputException") from None
    return given
