"""What of a server's words may be shown: one short line, and nothing of a secret, however it is written."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

MAX_QUOTED = 160
# So many characters in a row of a long secret give it away; of a short one, all.
_PIECE = 8
_MARKUP = re.compile(r"<[^>]*>")
# Longer than any word of a person: a token, whosever and however encoded.
_LIKE_A_TOKEN = re.compile(r"[A-Za-z0-9+/=_%-]{24,}")
_WITHHELD = "its words are withheld, they hold a secret"


def quoted(message: str, secrets: Iterable[str]) -> str:
    """The words of a server, without markup and control characters, cut to `MAX_QUOTED`.

    Where they hold a piece of a secret, also split by markup or signs, or written in entities or
    percents, in any case or backwards, they are withheld; and where a longer piece is among other
    letters of what would be shown.
    """
    squeezed = [_squeezed(secret) for secret in secrets]
    found = [piece for secret in squeezed for piece in _pieces(secret)]
    for reading in _readings(message):
        if any(piece in reading or piece[::-1] in reading for piece in found):
            return _WITHHELD
    text = "".join(letter if letter.isprintable() else " " for letter in _MARKUP.sub(" ", message))
    text = _LIKE_A_TOKEN.sub("***", re.sub(r"\s+", " ", text).strip())
    text = text[:MAX_QUOTED]
    if any(_is_strewn(secret, reading) for secret in squeezed for reading in _readings(text)):
        return _WITHHELD
    return text or "no reason given"


def _is_strewn(secret: str, reading: str) -> bool:
    """Are so many letters of a secret in a short text, in their order or backwards, whatever is between them?"""
    length = 2 * _PIECE
    pieces = [secret[start : start + length] for start in range(len(secret) - length + 1)]
    for piece in (*pieces, *(piece[::-1] for piece in pieces)):
        letters = iter(reading)
        if all(letter in letters for letter in piece):
            return True
    return False


def _pieces(secret: str) -> Iterator[str]:
    if len(secret) < 2 * _PIECE:
        yield from [secret] if secret else []
    else:
        yield from (secret[start : start + _PIECE] for start in range(len(secret) - _PIECE + 1))


def _readings(message: str) -> Iterator[str]:
    """The letters and digits of a message as one word, with its markup and without, decoded once and twice."""
    for _ in range(3):
        yield _squeezed(message)
        yield _squeezed(_MARKUP.sub("", message))
        message = unquote(html.unescape(message))


def _squeezed(text: str) -> str:
    # Full-width letters and their like are those letters.
    return re.sub(r"[^A-Za-z0-9]", "", unicodedata.normalize("NFKC", text)).casefold()
