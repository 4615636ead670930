"""What of a server's words may be shown: one short line, and nothing of a secret, however it is written."""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

MAX_QUOTED = 160
# No more is looked at: what is shown stands there, and searching for markup takes the square of the length.
_MAX_READ = 4096
# So many characters in a row of a long secret give it away; of a short one, all.
_PIECE = 8
# How often escapes of escapes are undone.
_MAX_DEPTH = 8
_MARKUP = re.compile(r"<[^>]*>")
# Longer than any word of a person: a token, whosever and however encoded.
_LIKE_A_TOKEN = re.compile(r"[A-Za-z0-9+/=_%-]{24,}")
# The number of a character by itself or in an escape, as 61, 0x61, U+0061, \u0061, \u{61}, %u0061 or =61.
_CODE = re.compile(r"(?<![0-9A-Za-z])(?:0?[xX]|[uU]\+?\{?)?0*([0-9A-Fa-f]{2,3})(?![0-9A-Za-z])")
_WITHHELD = "its words are withheld, they hold a secret"


def quoted(message: str, secrets: Iterable[str]) -> str:
    """The words of a server, without markup and control characters, cut to `MAX_QUOTED`.

    Where they hold a piece of a secret, also split by markup or signs, in any case or backwards, written in entities,
    percents, escapes or the numbers of its characters, or in base64, they are withheld; and where a longer piece is
    among other letters of what would be shown.
    """
    message = message[:_MAX_READ]
    known = [secret for secret in secrets if secret]
    found = [piece for secret in known for form in _forms(secret) for piece in _pieces(_squeezed(form))]
    for reading in _readings(message):
        if any(piece in reading or piece[::-1] in reading for piece in found):
            return _WITHHELD
    text = "".join(letter if letter.isprintable() else " " for letter in _MARKUP.sub(" ", message))
    text = _LIKE_A_TOKEN.sub("***", re.sub(r"\s+", " ", text).strip())
    text = text[:MAX_QUOTED]
    if any(_is_strewn(_squeezed(secret), reading) for secret in known for reading in _readings(text)):
        return _WITHHELD
    return text or "no reason given"


def _forms(secret: str) -> Iterator[str]:
    """A secret as it is, and what base64 makes of it wherever it begins in what was encoded."""
    yield secret
    for before in range(3):
        encoded = base64.b64encode(b" " * before + secret.encode()).decode()
        # At the ends it is mixed with what stands before and behind.
        encoded = encoded[4 * (before > 0) : -4]
        if len(encoded) >= _PIECE:
            yield encoded


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
    """The letters and digits of a message as one word, with its markup and without, escapes undone until none is left.

    And what the numbers in it are the characters of.
    """
    for _ in range(_MAX_DEPTH):
        yield _squeezed(message)
        yield _squeezed(_MARKUP.sub("", message))
        codes = _CODE.findall(message)
        for base in (16, 10, 8):
            yield _squeezed("".join(_character(code, base) for code in codes))
        plainer = unquote(html.unescape(message))
        if plainer == message:
            return
        message = plainer


def _character(code: str, base: int) -> str:
    try:
        return chr(int(code, base))
    except ValueError:  # of another base
        return ""


def _squeezed(text: str) -> str:
    # Full-width letters and their like are those letters, and so are those with accents.
    return re.sub(r"[^A-Za-z0-9]", "", unicodedata.normalize("NFKD", text)).casefold()
