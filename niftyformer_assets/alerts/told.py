"""What was told already: a file beside Dagster's history, written before a message is sent.

So a machine that goes down at any moment tells nothing twice; of the message that it was about to send it may be that
nobody got it. A message that no service took is taken out again, and sent later.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import NiftyFormerError


@dataclass(frozen=True)
class Told:
    """since: from when on there is anything to tell. causes: when each was told."""

    path: Path
    since: datetime
    causes: dict[str, str]

    def begun(self) -> Told:
        """The same, written if it never was: what happens from now on is told."""
        return self if self.path.exists() else self._written(self.causes)

    def with_cause(self, cause: str, now: datetime) -> Told:
        """The same, written, with one more."""
        return self._written({**self.causes, cause: now.isoformat(timespec="seconds")})

    def without(self, cause: str) -> Told:
        """The same, written, without it."""
        return self._written({known: at for known, at in self.causes.items() if known != cause})

    def once(self, cause: str, now: datetime, send: Callable[[], bool]) -> tuple[Told, bool]:
        """Send a message unless its cause was told; whether it was sent, and somebody took it."""
        if cause in self.causes:
            return self, False
        written = self.with_cause(cause, now)
        return (written, True) if send() else (written.without(cause), False)

    def _written(self, causes: dict[str, str]) -> Told:
        content = {"since": self.since.isoformat(), "told": causes}
        write_text(self.path, json.dumps(content, indent=1) + "\n")
        return replace(self, causes=causes)


def read_told(path: Path, now: datetime) -> Told:
    """What was told by a file; where there is none it begins now.

    Raises:
        NiftyFormerError: the file is not what was written.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        since, causes = datetime.fromisoformat(content["since"]), dict(content["told"])
        if since.tzinfo is None or not all(isinstance(text, str) for pair in causes.items() for text in pair):
            raise ValueError
    except FileNotFoundError:
        return Told(path, now, {})
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise NiftyFormerError(
            f"{path} cannot be read, so nobody knows what was told: remove it, and what happens from then on is told"
        ) from None
    return Told(path, since, causes)
