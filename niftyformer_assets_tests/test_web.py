"""Every answer ends: in time, in size, and at the server that was asked."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Literal

import pytest
import requests

from niftyformer_assets.market import kite
from niftyformer_assets.market.kite import KiteSession
from niftyformer_assets.market.list_fetching import fetch_list
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.web import AnswerTooLong, BoundedSession, Redirected, is_loopback
from niftyformer_assets_tests.odd_server import CLOSE, Script, answer, for_ever, head, odd_server

DRIP = b"x" * 20
DRIPS: dict[str, Script] = {
    "a body without a length": lambda _: chain([head()], for_ever(DRIP)),
    "a body with a length": lambda _: chain([head("Content-Length: 1000000")], for_ever(DRIP)),
    "chunks": lambda _: chain([head("Transfer-Encoding: chunked")], for_ever(b"1\r\nx\r\n")),
    "a chunk's length": lambda _: chain([head("Transfer-Encoding: chunked")], for_ever(b"0")),
    "a status line": lambda _: chain([b"HTTP/1.1 200 "], for_ever(DRIP)),
    "headers": lambda _: chain([b"HTTP/1.1 200 OK\r\n"], for_ever(b"X-Y: z\r\n")),
    "a header": lambda _: chain([b"HTTP/1.1 200 OK\r\nX: "], for_ever(DRIP)),
    "interim answers": lambda _: for_ever(head(status="100 Continue")),
    "gzip": lambda _: chain(
        [head("Content-Encoding: gzip"), gzip.compress(b"x" * 100)[:10]], for_ever(b"\0\0\0\xff\xff")
    ),
}


@pytest.mark.parametrize("script", DRIPS.values(), ids=DRIPS)
def test_a_drip_ends_with_the_deadline(script: Script) -> None:
    with odd_server(script) as server, pytest.raises(requests.Timeout, match=r"within 0\.5 s"):
        BoundedSession(deadline_s=0.5).get(server.url, timeout=5)


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:8720", True),
        ("https://localhost/", True),
        ("http://[::1]:1/x", True),
        ("https://api.kite.trade", False),
        ("ftp://localhost/", False),
        ("http://localhost\\.elsewhere.example/", False),
        ("http://localhost@elsewhere.example/", False),
        ("http://[::1", False),
    ],
)
def test_what_is_on_this_machine(address: str, here: bool) -> None:
    assert is_loopback(address) is here


def test_a_drip_before_tls_ends_too() -> None:
    # A record of a handshake that goes on and on.
    with (
        odd_server(lambda _: chain([b"\x16\x03\x03\x40\x00"], for_ever(b"\x02"))) as server,
        pytest.raises(requests.Timeout, match=r"within 0\.5 s"),
    ):
        BoundedSession(deadline_s=0.5).get(f"https://127.0.0.1:{server.port}", timeout=5)


def test_a_drip_on_a_connection_that_was_used_before() -> None:
    slow = chain([head()], for_ever(DRIP))
    with odd_server(lambda _: [answer(b"first")] if len(server.asked) == 1 else slow) as server:
        session = BoundedSession(deadline_s=0.5)
        assert session.get(server.url, timeout=5).content == b"first"
        with pytest.raises(requests.Timeout):
            session.get(server.url, timeout=5)


def test_what_came_before_the_deadline_is_not_taken_for_all(tmp_path: Path) -> None:
    """A list that ends with the connection is cut by the deadline where a line ends."""
    lines = b"Company Name,Industry,Symbol,Series,ISIN Code\nAAA,Power,AAA,EQ,INE000A01010\n"
    with (
        odd_server(lambda _: chain([head("Content-Type: text/csv"), lines], for_ever(b"\n"))) as server,
        pytest.raises(NiftyFormerError, match=r"no constituent list \(Timeout\)"),
    ):
        fetch_list(tmp_path, date(2024, 1, 1), server.url, attempts=1, timeout_s=0.2)
    assert not list(tmp_path.iterdir())


def test_a_slow_answer_in_time_is_whole() -> None:
    with odd_server(lambda _: [head("Content-Length: 60"), DRIP, DRIP, DRIP]) as server:
        assert BoundedSession(deadline_s=20).get(server.url, timeout=5).content == DRIP * 3


def packed(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20)) + packer.flush()


BOMB = packed(256 * 2**20)
LONG: dict[str, Script] = {
    "packed": lambda _: [answer(BOMB, "Content-Encoding: gzip")],
    "packed, in chunks": lambda _: [
        head("Transfer-Encoding: chunked", "Content-Encoding: x-gzip") + b"%x\r\n" % len(BOMB) + BOMB + b"\r\n0\r\n\r\n"
    ],
    "many packed ones": lambda _: [answer(gzip.compress(bytes(2**19)) * 1000, "Content-Encoding: gzip")],
    "plain": lambda _: [answer(bytes(2**22))],
    "without an end": lambda _: chain([head()], for_ever(bytes(2**16))),
    "an error": lambda _: [answer(bytes(2**22), status="500 Oh")],
}


@pytest.mark.parametrize("script", LONG.values(), ids=LONG)
def test_an_answer_beyond_the_limit_is_not_read(script: Script) -> None:
    with odd_server(script) as server:
        tracemalloc.start()
        try:
            with pytest.raises(AnswerTooLong):
                BoundedSession(max_bytes=2**20).get(server.url, timeout=5)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    # The server's own copies are in it.
    assert peak < 12 * 2**20


def test_packed_answers_are_unpacked_and_cut_ones_refused() -> None:
    text = b"symbol,close\n" * 5000
    whole = gzip.compress(text)
    session = BoundedSession()
    bodies = {
        whole: text,
        gzip.compress(b"a") + gzip.compress(b"b"): b"ab",
        whole + b"trailing": text,
        gzip.compress(b""): b"",
        b"": b"",
    }
    for body, expected in bodies.items():
        with odd_server(lambda _, body=body: [answer(body, "Content-Encoding: gzip")]) as server:  # type: ignore[misc]
            assert session.get(server.url, timeout=5).content == expected
    for body in (whole[:-9], whole[: len(whole) // 2], b"no gzip", whole[:3]):
        with (
            odd_server(lambda _, body=body: [answer(body, "Content-Encoding: gzip")]) as server,
            pytest.raises(requests.exceptions.ContentDecodingError),
        ):  # type: ignore[misc]
            session.get(server.url, timeout=5)
    for encoding in ("br", "gzip, gzip", "deflate"):
        with (
            odd_server(lambda _, e=encoding: [answer(whole, f"Content-Encoding: {e}")]) as server,
            pytest.raises(requests.exceptions.ContentDecodingError, match="was not asked for"),
        ):  # type: ignore[misc]
            session.get(server.url, timeout=5)


def test_a_body_that_is_cut_off_is_no_answer() -> None:
    with (
        odd_server(lambda _: [answer(b"half", length=100), CLOSE]) as server,
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        BoundedSession().get(server.url, timeout=5)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_login_is_sent_nowhere_else(status: int) -> None:
    with odd_server() as other:
        script = [answer(b"", f"Location: {other.url}/session/token", status=f"{status} Go")]
        with odd_server(lambda _: script) as server:
            session = KiteSession("an-app", None, root=server.url)
            with pytest.raises(kite.RequestRefused, match="sends elsewhere for an access token"):
                session.exchange("a-request-token", "a-secret")
            for ask in (session.check, session.instruments):
                with pytest.raises(kite.RequestRefused, match="sends elsewhere"):
                    ask()
            # Nor to another path of the same server.
            script[0] = answer(b"", "Location: /other", status=f"{status} Go")
            with pytest.raises(kite.RequestRefused):
                session.exchange("a-request-token", "a-secret")
            assert len(server.asked) == 4
        assert other.asked == []


def test_redirects_where_there_is_no_secret() -> None:
    with (
        odd_server() as other,
        odd_server(lambda _: [answer(b"", f"Location: {other.url}/list", status="301 Moved")]) as server,
    ):
        assert BoundedSession(redirects="followed").get(server.url, timeout=5).content == b"ok"
        assert BoundedSession(redirects="kept").get(server.url, timeout=5).status_code == 301
        with pytest.raises(Redirected):
            BoundedSession().get(server.url, timeout=5)
    with odd_server(lambda _: [answer(b"", "Location: /again", status="302 Found")]) as server:
        with pytest.raises(Redirected):
            BoundedSession(redirects="followed").get(server.url, timeout=5)
        assert len(server.asked) == 6


@pytest.mark.parametrize("redirects", ["refused", "followed"])
def test_a_redirect_to_what_is_no_address(tmp_path: Path, redirects: Literal["refused", "followed"]) -> None:
    with odd_server(lambda _: [answer(b"", "Location: http://[::1", status="307 Temporary Redirect")]) as server:
        with pytest.raises(Redirected, match="no address"):
            BoundedSession(redirects=redirects).get(server.url, timeout=5)
        with pytest.raises(NiftyFormerError) as caught:
            fetch_list(tmp_path, date(2024, 1, 1), server.url, attempts=1)
        assert "\n" not in str(caught.value)


def test_a_list_that_is_far_too_long(tmp_path: Path) -> None:
    with (
        odd_server(lambda _: chain([head()], for_ever(bytes(2**16)))) as server,
        pytest.raises(NiftyFormerError, match=r"no constituent list \(AnswerTooLong\)"),
    ):
        fetch_list(tmp_path, date(2024, 1, 1), server.url, attempts=1)
    assert not list(tmp_path.iterdir())


def test_a_list_with_far_more_members_than_an_index_has(tmp_path: Path) -> None:
    head = b"Company Name,Industry,Symbol,Series,ISIN Code\n"
    for body in (
        head + b"".join(b"A%d,Power,A%d,EQ,INE%09d\n" % (n, n, n) for n in range(40_000)),
        head + b"A,Power," + b"A" * 41 + b",EQ,INE000A01010\n",
        head + b"A,Power," + b"A" * 100_000 + b",EQ,INE000A01010\n",
    ):
        with odd_server(lambda _, body=body: [answer(body)]) as server, pytest.raises(NiftyFormerError) as caught:  # type: ignore[misc]
            fetch_list(tmp_path, date(2024, 1, 1), server.url, attempts=1)
        assert len(str(caught.value)) < 400
    assert not list(tmp_path.iterdir())


def test_kite_in_one_line() -> None:
    for script, error, said in (
        (DRIPS["chunks"], kite.ServerTrouble, "no answer for the list of instruments in time"),
        (LONG["packed"], kite.BrokenAnswer, "far too long"),
    ):
        with odd_server(script) as server:
            session = KiteSession("key", "token", root=server.url, deadline_s=0.5, max_bytes=2**20)
            with pytest.raises(error, match=said) as caught:
                session.instruments()
            assert "\n" not in str(caught.value)
