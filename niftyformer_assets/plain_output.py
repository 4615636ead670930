"""Output to terminals and files that cannot hold every character: a plainer one in its place, never an error."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

_PLAIN = {"✓": "ok", "✗": "failed", "₹": "Rs ", "−": "-", "–": "-", "×": "x", "±": "+/-", "→": "->", "·": "-"}


def allow_any_encoding() -> None:
    """Let standard output and error take what their encoding lacks (ascii, latin-1, cp1252)."""
    codecs.register_error("plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plainer")


def _plainer(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character) or _ascii(character) for character in lacking), error.end


def _ascii(character: str) -> str:
    """Its letter without the accent, or a question mark."""
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"
