"""An answer in Kite's error form."""

from __future__ import annotations


class RefusedError(Exception):
    """Sent as `{"status": "error", "message": …, "error_type": …}` with an HTTP status.

    reason: for the traffic record, what was behind it (`limit`, or the name of a fault).
    """

    def __init__(self, status: int, message: str, error_type: str, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error_type = error_type
        self.reason = reason


def too_many_requests(reason: str) -> RefusedError:
    """Kite's 429, which the client raises as a NetworkException."""
    return RefusedError(429, "Too many requests", "NetworkException", reason)
