"""What a report must say of its experiment besides figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from niftyformer_assets.factors.labels import Label


@dataclass(frozen=True)
class Background:
    """Of the experiment that a report is about.

    market: where the candles are from, in words, such as "a made-up market".
    labels: of the experiment; none of a study, which is judged by what is earned.
    settings: the experiment as it was run. provenance: name -> fingerprint or version.
    left_out: symbol -> reason. survivorship: whether stocks that left the index are in it, in words.
    confirmed_breaks: symbol and session (YYYY-MM-DD) of each broken adjustment that something confirms.
    differs: what was given instead of the values of the experiment's file, in words; empty where nothing was.
    """

    experiment: str
    market: str
    labels: tuple[Label, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    survivorship: str = ""
    confirmed_breaks: frozenset[tuple[str, str]] = frozenset()
    differs: str = ""
