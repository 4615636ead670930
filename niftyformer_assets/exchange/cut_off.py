"""An answer whose body ends in the middle."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class CutOff(Response):
    """The first half of another response's body."""

    def __init__(self, whole: Response, breaks: bool) -> None:
        half = bytes(whole.body[: len(whole.body) // 2])
        super().__init__(half, whole.status_code, media_type=whole.headers["content-type"])
        self.breaks = breaks
        if breaks:
            self.headers["content-length"] = str(len(whole.body))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.breaks:
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        # Announced as unfinished and never continued, so the server closes the connection.
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
