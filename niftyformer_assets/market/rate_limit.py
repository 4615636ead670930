"""One pace for all threads and processes that use one API key.

Kite counts requests over a sliding second and answers 429 to the fourth. What counts there is when
a request arrives, so a limiter that lets the fourth go exactly a second after the first is refused
for any jitter on the way; and pyrate-limiter's, which hold between processes, keep a row a request
in SQLite. All that must be shared is when the last few requests left: 24 bytes in a file.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import time
from pathlib import Path

from filelock import FileLock

from niftyformer_assets.market.servers import REQUESTS_PER_SECOND
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.private import open_own, private_temporary_folder

# The fourth request leaves this many seconds after the first where the limit is 3/s: room for 40 ms of jitter.
_WINDOW = 1.04
# More of the file than anybody notes is not read.
_MAX_NOTED = 2**16
# Requests of one window are spread over this share of it, not sent at once; the rest lets a late one be made up for.
_SPREAD = 0.7


class Pacer:
    """Lets callers through one at a time, at most `per_second` in any second and spread over it.

    Args:
        path: the shared file; its folder is made where missing.
        per_second: Kite's limit.
    """

    def __init__(self, path: Path, per_second: float = REQUESTS_PER_SECOND) -> None:
        if per_second <= 0:
            raise ValueError("per_second must be above 0")
        self._count = max(int(per_second), 1)
        self._window = _WINDOW * self._count / per_second
        self._gap = _SPREAD * self._window / self._count
        self._path = path
        self._turn = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(open_own(path))
        except OSError as error:
            raise NiftyFormerError(
                f"{path} could not be written ({error.strerror}): it paces requests; remove what is there."
            ) from error
        self._lock = FileLock(f"{path}.lock")

    def wait(self, stop: threading.Event | None = None) -> bool:
        """Wait for this caller's turn. False if `stop` was set meanwhile: then do not send."""
        stop = stop or threading.Event()
        with self._turn:
            while not stop.is_set():
                left = self._taken()
                if left <= 0:
                    return True
                stop.wait(left)
        return False

    def _taken(self) -> float:
        """How long this caller must wait yet; at 0 it leaves now, and that is noted."""
        # Noted is when a request really leaves, not when it was due: a thread that wakes late crowds nobody.
        try:
            with self._lock.acquire(poll_interval=0.002), os.fdopen(open_own(self._path), "r+b") as file:
                left, noted = self._left(file.read(_MAX_NOTED))
                if left <= 0:
                    noted = [*noted, time.monotonic()][-self._count :]
                    file.seek(0)
                    file.truncate()
                    file.write(struct.pack(f"{len(noted)}d", *noted))
                return left
        except OSError as error:
            raise NiftyFormerError(
                f"{self._path} could not be written ({error.strerror}): it paces requests; remove what is there."
            ) from error

    def _left(self, content: bytes) -> tuple[float, list[float]]:
        """How long the next caller must wait, and when the last ones left."""
        now = time.monotonic()
        # The monotonic clock starts anew when the machine does: a time ahead of us is from before.
        noted = [at for (at,) in struct.iter_unpack("d", content[: len(content) // 8 * 8]) if at <= now]
        if not noted:
            return 0.0, []
        left = noted[-1] + self._gap - now
        if len(noted) >= self._count:
            left = max(left, noted[-self._count] + self._window - now)
        return left, noted


def pacer_of(api_key: str, root: str, per_second: float = REQUESTS_PER_SECOND) -> Pacer:
    """The pacer that every process of this user on this machine shares for this key and server.

    Raises:
        NiftyFormerError: another user may have put something where its file lies.
    """
    name = hashlib.sha256(f"{root}|{api_key}".encode()).hexdigest()[:16]
    return Pacer(private_temporary_folder() / f"kite-{name}", per_second)
