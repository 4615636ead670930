"""Which variants have been tried on which sessions: the more, the more of the best one's result is luck.

One small file a record and window in a folder that is only ever added to, so that an experiment whose file is
edited, or run with other values on the command line, is remembered with the values it had. What makes
two records two variants is decided when they are read: a setting that came later, or one that decides nothing
of the result, makes none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from niftyformer_assets.portfolio.names import NAMES
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import damaged
from niftyformer_assets.store.given import read_given_json


@dataclass(frozen=True)
class Tries:
    """The record of what was tried.

    deciding: the part of an experiment's settings that decides on its traded result; two experiments are one
        variant where it is the same.
    """

    folder: Path
    deciding: Callable[[Mapping[str, Any]], Mapping[str, Any]]

    def remember(self, settings: Mapping[str, Any], first: str, last: str) -> None:
        """Keep that a report was made with these settings on the sessions first..last (ISO dates)."""
        content = {"first_session": first, "last_session": last, "settings": dict(settings)}
        path = self.folder / f"{_stem(settings, first, last)}.json"
        write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")

    def count(self, settings: Mapping[str, Any], first: str, last: str) -> int:
        """How many variants were tried on any of the sessions first..last, that of `settings` included.

        The one count of the report, of the web UI and of the comparison. A file of settings that no
        report was made of has tried nothing.
        """
        return len(self.on(first, last) | {self.variant(settings)})

    def on(self, first: str, last: str) -> set[str]:
        """The variants of which a report was made on any of the sessions first..last.

        Raises:
            NiftyFormerError: a file is damaged.
        """
        found = set()
        for path in sorted(self.folder.glob("*.json")):
            content = read_given_json(path)
            try:
                if path.stem != _stem(content["settings"], content["first_session"], content["last_session"]):
                    raise ValueError("its name is not that of its content")
                if content["first_session"] <= last and first <= content["last_session"]:
                    found.add(self.variant(content["settings"]))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise damaged(path, error) from error
        return found

    def variant(self, settings: Mapping[str, Any]) -> str:
        """24 hex digits that are those of another experiment only if all that decides on its result is alike."""
        return _digest(self.deciding(settings))


def _stem(settings: Mapping[str, Any], first: str, last: str) -> str:
    """The name of a record: of all its values, so that it tells a damaged one."""
    return f"{_digest({key: value for key, value in settings.items() if key not in NAMES})}_{first}_{last}"


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:24]
