"""A server on loopback that answers each connection with whatever bytes a test wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import repeat

Script = Callable[[bytes], Iterable[bytes]]
PAUSE_S = 0.02


class OddServer:
    """asked: the requests as they came. script: from a request to the pieces of its answer, sent one by one."""

    def __init__(self, script: Script) -> None:
        self.script, self.asked = script, []  # type: tuple[Script, list[bytes]]
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while request := connection.recv(65536):
                self.asked.append(request)
                ends = False
                for piece in self.script(request):
                    if piece == CLOSE:
                        ends = True
                        break
                    connection.sendall(piece)
                    if self._stop.wait(PAUSE_S if len(piece) < 100 else 0):
                        return
                if ends:
                    return

    def stop(self) -> None:
        self._stop.set()
        self._listener.close()


CLOSE = b"\0close"


@contextmanager
def odd_server(script: Script | None = None) -> Iterator[OddServer]:
    server = OddServer(script or (lambda _: [answer(b"ok")]))
    try:
        yield server
    finally:
        server.stop()


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """A whole answer; `length` is what it says of itself."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def for_ever(piece: bytes) -> Iterator[bytes]:
    return repeat(piece)
