from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from niftyformer_assets.market import kite
from niftyformer_assets.market.kite import KiteSession
from niftyformer_assets.market.quoting import MAX_QUOTED, quoted
from niftyformer_assets_tests.odd_server import answer, odd_server

TOKEN = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0xR"


def in_eights(encoded: bytes) -> str:
    return " ".join(encoded.decode()[start : start + 8] for start in range(0, len(encoded), 8))


WRITTEN = {
    "plain": TOKEN,
    "split by markup": "<b>".join((TOKEN[:10], TOKEN[10:20], TOKEN[20:])),
    "each letter in markup": "".join(f"<i>{letter}</i>" for letter in TOKEN),
    "split by blanks": " ".join(TOKEN),
    "split by signs": "-".join((TOKEN[:7], TOKEN[7:])),
    "split by a line end": TOKEN[:16] + "\n" + TOKEN[16:],
    "split by what cannot be seen": "\u200b".join(TOKEN),
    "in entities": "".join(f"&#{ord(letter)};" for letter in TOKEN),
    "its markup in entities": html.escape("<u>".join((TOKEN[:12], TOKEN[12:]))),
    "in percents": "".join(f"%{ord(letter):02x}" for letter in TOKEN),
    "in percents twice": quote("".join(f"%{ord(letter):02x}" for letter in TOKEN)),
    "in percents four times": "".join(f"%252525{ord(letter):02x}" for letter in TOKEN),
    "in entities of entities of entities": "".join(f"&amp;amp;#{ord(letter)};" for letter in TOKEN),
    "in base64, in pieces": in_eights(base64.b64encode(TOKEN.encode())),
    "in base64 behind its key": in_eights(base64.b64encode(f"an-app:{TOKEN}".encode())),
    "in base64 behind a longer key": in_eights(base64.b64encode(f"an-app2:{TOKEN};".encode())),
    "with accents": "\u0301".join(TOKEN),
    "in capitals": TOKEN.upper(),
    "backwards": TOKEN[::-1],
    "its first half": TOKEN[:16],
    "its middle": TOKEN[10:22],
    "split by markup that is not closed": "<b".join(TOKEN[start : start + 4] for start in range(0, 32, 4)),
    "split by a comment": "<!-- > -->".join(TOKEN[start : start + 4] for start in range(0, 32, 4)),
    "split by what markup holds": "<i>or</i>".join(TOKEN[start : start + 5] for start in range(0, 32, 5)),
    "in wide letters": "".join(chr(ord(letter) + 0xFEE0) for letter in TOKEN),
    "with its key": f"token an-app:{TOKEN}",
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_secret_is_withheld_however_it_is_written(written: str) -> None:
    for message in (f"Token {written} has expired.", written):
        said = quoted(message, [TOKEN, "an-app"])
        assert said == "its words are withheld, they hold a secret"


CODES: dict[str, Callable[[int], str]] = {
    "JSON's escapes": lambda code: f"\\u{code:04x}",
    "escapes of languages": lambda code: f"\\x{code:02x}",
    "longer ones": lambda code: f"\\U{code:08x}",
    "in braces": lambda code: f"\\u{{{code:x}}}",
    "octal ones": lambda code: f"\\{code:o}",
    "a style sheet's": lambda code: f"\\{code:x} ",
    "an address's of old": lambda code: f"%u{code:04x}",
    "a mail's": lambda code: f"={code:02X} ",
    "names of characters": lambda code: f"U+{code:04X} ",
    "numbers": lambda code: f"{code}, ",
    "hexadecimal ones": lambda code: f"{code:02x}:",
    "with what says so": lambda code: f"0x{code:x} ",
}


@pytest.mark.parametrize("escaped", CODES.values(), ids=CODES)
def test_a_secret_in_the_numbers_of_its_characters(escaped: Callable[[int], str]) -> None:
    written = "".join(escaped(ord(letter)) for letter in TOKEN)
    assert quoted(f"Token {written} has expired.", [TOKEN]) == "its words are withheld, they hold a secret"
    assert "withheld" not in quoted(f"Token {written} has expired.", ["another-secret-of-twenty"])


@pytest.mark.parametrize("piece", ["<", "<!--", "&lt;", "&#", "%", "%2525", "\\u", "0", "a "])
def test_however_long_and_odd_the_words_are_they_are_read_at_once(piece: str) -> None:
    """In time that grows with the square of their length this would take hours."""
    assert len(quoted(piece * 2_000_000, [TOKEN])) <= MAX_QUOTED


def test_what_looks_like_a_token_is_left_out_whosever_it_is() -> None:
    other = "T3RoZXJzIGFyZSBzdHJhbmdlcnMsIGFuZCB0b2tlbnM="
    assert quoted(f"Session {other} is over", [TOKEN]) == "Session *** is over"


@pytest.mark.parametrize(
    "message",
    [
        "Incorrect `api_key` or `access_token`.",
        "Token is invalid or has expired.",
        "interval exceeds max limit: 2000 days",
        "IP (1.2.3.4) is not allowed for this app.",
        "Insufficient permission for that call: the app's plan has no historical data; see developers.kite.trade, or "
        "write to its support with 7 of 12 digits of it.",
    ],
)
def test_words_stay(message: str) -> None:
    assert quoted(message, [TOKEN, "an-app"]) == message


def test_one_short_line_without_control_characters() -> None:
    said = quoted("<p>Red \x1b[31mand\x07\r\n\u202elate</p>" + "so on " * 100, [])
    assert said.startswith("Red [31mand late")
    assert said.isprintable()
    assert len(said) <= MAX_QUOTED
    assert quoted("<br>", []) == "no reason given"


@pytest.mark.parametrize("error_type", ["TokenException", "NetworkException", "InputException", "Unknown"])
@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_a_server_that_sends_a_token_back(tmp_path: Path, status: int, error_type: str) -> None:
    message = f"{TOKEN[:9]}<br>{TOKEN[9:]} is unknown"
    body = json.dumps({"status": "error", "message": message, "error_type": error_type}).encode()
    with odd_server(lambda _: [answer(body, "Content-Type: application/json", status=f"{status} No")]) as server:
        session = KiteSession("an-app", TOKEN, root=server.url)
        with pytest.raises(kite.KiteError, match="withheld") as caught:
            session.instruments()
        # At the login the request token and the checksum are such secrets.
        login = KiteSession("an-app", None, root=server.url)
        with pytest.raises(kite.KiteError, match="withheld"):
            login.exchange(TOKEN, "a-secret-of-the-app")
    assert TOKEN[:9] not in str(caught.value) and TOKEN[9:] not in str(caught.value)
