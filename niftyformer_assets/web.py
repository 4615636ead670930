"""Asking a server over HTTP so that every answer ends: in time, in size, and where it was asked for.

`requests` waits for each piece of an answer anew, so that a server that drips holds its caller for
ever; it unpacks whatever is sent; and it repeats a request, body and all, wherever it is redirected.
"""

from __future__ import annotations

import socket
import threading
import zlib
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

# Ten times what the longest answer has, the list of all of NSE's instruments.
MAX_BYTES = 16 * 2**20
DEADLINE_S = 30.0
# Where this machine listens, and what a loopback address may call it.
HOST = "127.0.0.1"
LOOPBACK = (HOST, "::1", "localhost")
_PIECE = 2**16
_MAX_REDIRECTS = 5
_GZIP_MAGIC = b"\x1f\x8b"


def is_loopback(address: str, schemes: Collection[str] = ("http", "https")) -> bool:
    """Is it an address on this machine, in whatever way a browser reads it?

    Then no proxy of the environment may stand between. A browser takes a backslash for a slash and drops line
    ends, and what stands before an @ is no host.
    """
    if any(letter <= " " or letter in "\\@\x7f" for letter in address.partition("?")[0]):
        return False
    try:
        parts = urlsplit(address)
        return parts.scheme in schemes and parts.hostname in LOOPBACK and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


class AnswerTooLong(requests.exceptions.RequestException):
    """An answer beyond the limit; no more of it was read."""


class Redirected(requests.exceptions.RequestException):
    """An answer that sends elsewhere; nobody was asked there."""


class BoundedSession(requests.Session):
    """A session whose answers are read at once, and refused where they take too long or are too large.

    Beside what `requests` raises, it raises AnswerTooLong, Redirected, and Timeout where time was up.

    Args:
        deadline_s: how long one request may take in all, redirects included.
        max_bytes: how large an answer may be, packed and unpacked.
        redirects: `refused`, for whatever carries a secret; `followed`, but never from https to http;
            `kept`, handed to the caller as an answer.
        connections: how many threads ask at once.
    """

    def __init__(
        self,
        *,
        deadline_s: float = DEADLINE_S,
        max_bytes: int = MAX_BYTES,
        redirects: Literal["refused", "followed", "kept"] = "refused",
        connections: int = 1,
    ) -> None:
        super().__init__()
        self._deadline_s, self._max_bytes, self._redirects = deadline_s, max_bytes, redirects
        self.headers["Accept-Encoding"] = "gzip"
        # A pool smaller than the threads reconnects all the time.
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(pool_maxsize=max(connections, 1)))

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        with _Deadline(self._deadline_s) as deadline:
            try:
                response = self._answer(request, {**options, "stream": True, "allow_redirects": False})
            except requests.exceptions.RequestException:
                if not deadline.is_over:
                    raise
            else:
                # A body that ends with the connection looks whole when the deadline ended it.
                if not deadline.is_over:
                    return response
        raise requests.exceptions.Timeout(f"no whole answer within {self._deadline_s:g} s", request=request)

    def _answer(self, request: requests.PreparedRequest, options: dict[str, Any]) -> requests.Response:
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._one_answer(request, options)
            _read(response, self._max_bytes)
            if self._redirects == "kept" or not response.is_redirect:
                return response
            if self._redirects == "refused":
                break
            secure = str(request.url).startswith("https:")
            onward = {name: value for name, value in options.items() if name != "allow_redirects"}
            request = next(self.resolve_redirects(response, request, yield_requests=True, **onward))
            if secure and not str(request.url).startswith("https:"):
                break
        raise Redirected(f"status {response.status_code} sends elsewhere", request=request)

    def _one_answer(self, request: requests.PreparedRequest, options: dict[str, Any]) -> requests.Response:
        try:
            return super().send(request, **options)
        except requests.exceptions.RequestException:
            raise
        except ValueError as error:  # it looks where an answer sends also where nobody is asked there
            raise Redirected("an answer sends elsewhere, to what is no address", request=request) from error


def _read(response: requests.Response, limit: int) -> None:
    """Read and unpack the body, at most `limit` bytes of it."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        response.close()
        raise requests.exceptions.ContentDecodingError(f"an encoding that was not asked for: {encoding[:40]}")
    unpacker = _Gzip() if "gzip" in encoding else None
    body, packed = bytearray(), 0
    try:
        while piece := response.raw.read(_PIECE, decode_content=False):
            packed += len(piece)
            body += unpacker.unpacked(piece, limit - len(body)) if unpacker else piece
            if max(packed, len(body)) > limit:
                raise AnswerTooLong(f"more than {limit} bytes")
        if packed and unpacker and not unpacker.is_whole:
            raise requests.exceptions.ContentDecodingError("the packed body ends early")
        response._content, response._content_consumed = bytes(body), True  # type: ignore[attr-defined]
    except zlib.error as error:
        raise requests.exceptions.ContentDecodingError(str(error)) from error
    except ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from error
    except ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    except (HTTPError, OSError) as error:
        if isinstance(error, requests.exceptions.RequestException):
            raise
        raise requests.exceptions.ConnectionError(error) from error
    finally:
        response.close()


class _Gzip:
    """Unpacks piece by piece, and never more than is asked for."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)

    def unpacked(self, piece: bytes, room: int) -> bytes:
        """What the piece holds; where that is more than `room` bytes, one byte more than those."""
        out = b""
        while piece and len(out) <= room:
            if self._member.eof:
                if not piece.startswith(_GZIP_MAGIC):
                    break
                self._member = zlib.decompressobj(wbits=31)
            out += self._member.decompress(piece, room + 1 - len(out))
            piece = self._member.unused_data
        return out

    @property
    def is_whole(self) -> bool:
        return self._member.eof


class _Deadline:
    """For the time of a block, ends the connections of this thread's requests once time is up."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._lock = threading.Lock()
        self._twin: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        _this_thread.deadline = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        _this_thread.deadline = None
        self._timer.cancel()
        with self._lock:
            if self._twin is not None:
                self._twin.close()
            self._twin = None

    def watch(self, connection: socket.socket) -> None:
        # A second descriptor: the first one changes hands when TLS begins, and is closed before the body is read.
        twin = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        with self._lock:
            before, self._twin = self._twin, twin
            if self.is_over:
                self._shut()
        if before is not None:
            before.close()

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            self._shut()

    def _shut(self) -> None:
        if self._twin is not None:
            with suppress(OSError):  # it may have ended by itself
                self._twin.shutdown(socket.SHUT_RDWR)


_this_thread = threading.local()


def _watch(connection: socket.socket | None) -> None:
    deadline: _Deadline | None = getattr(_this_thread, "deadline", None)
    if deadline is not None and connection is not None:
        deadline.watch(connection)


class _Watched:
    """What a connection of urllib3 does besides: it tells the deadline its socket, before anything can stall."""

    sock: Any

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        _watch(connection)
        return connection

    def request(self, *arguments: Any, **options: Any) -> Any:
        _watch(self.sock)
        return super().request(*arguments, **options)  # type: ignore[misc]


@cache
def _watched(kind: type) -> type:
    return type(kind.__name__, (_Watched, kind), {})


class _Adapter(HTTPAdapter):
    """Makes the connections, those through a proxy included, watched ones."""

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        if not issubclass(pool.ConnectionCls, _Watched):
            pool.ConnectionCls = _watched(pool.ConnectionCls)
        return pool
