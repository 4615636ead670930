"""Which variants have been tried on which sessions: the more, the more of the best one's result is luck.

One small file a variant and window in a folder that is only ever added to, so that an experiment whose file is
edited, or run with other values on the command line, is remembered with the values it had.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import damaged
from niftyformer_assets.store.given import read_given_json

# What an experiment is called, and how it came by its values, makes no other variant of it.
NAMES = ("name", "market", "overrides")


def variant_id(settings: Mapping[str, Any]) -> str:
    """24 hex digits that are those of another experiment only if all that decides on its figures is alike."""
    deciding = {key: value for key, value in settings.items() if key not in NAMES}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:24]


def remember_try(folder: Path, settings: Mapping[str, Any], first: str, last: str) -> None:
    """Keep that a report was made with these settings on the sessions first..last (ISO dates)."""
    content = {"first_session": first, "last_session": last, "settings": dict(settings)}
    write_text(folder / f"{_stem(settings, first, last)}.json", json.dumps(content, indent=1, sort_keys=True) + "\n")


def _stem(settings: Mapping[str, Any], first: str, last: str) -> str:
    return f"{variant_id(settings)}_{first}_{last}"


def count_variants(folder: Path, settings: Mapping[str, Any], first: str, last: str) -> int:
    """How many variants were tried on any of the sessions first..last, that of `settings` included.

    The one count of the report, of the web UI and of the comparison. A file of settings that no
    report was made of has tried nothing.
    """
    return len(tried_on(folder, first, last) | {variant_id(settings)})


def tried_on(folder: Path, first: str, last: str) -> set[str]:
    """The variants of which a report was made on any of the sessions first..last.

    Raises:
        NiftyFormerError: a file is damaged.
    """
    found = set()
    for path in sorted(folder.glob("*.json")):
        content = read_given_json(path)
        try:
            if path.stem != _stem(content["settings"], content["first_session"], content["last_session"]):
                raise ValueError("its name is not that of its content")
            if content["first_session"] <= last and first <= content["last_session"]:
                found.add(path.stem.partition("_")[0])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(path, error) from error
    return found
