"""A service on loopback that messages are posted to, as Apprise's `json://` does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PASSWORD, TOKEN = "pass-Wq81", "token-Zx42"


class Listener:
    """heard: what came, the oldest first. status: what is answered."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.status = 200
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path.startswith(f"/{TOKEN}") and self.headers["Authorization"]
                if listener.status == 200:
                    listener.heard.append(json.loads(body))
                self.send_response(listener.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://somebody:{PASSWORD}@127.0.0.1:{self.server.server_address[1]}/{TOKEN}"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.heard]


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener for the time of a block."""
    listener = Listener()
    thread = threading.Thread(target=listener.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        listener.server.shutdown()
        listener.server.server_close()
