"""The services that a person named by addresses, and a message to each: by Apprise.

An address holds a password or a token. It is in no message, log or error of ours: a service is known by the scheme of
its address (`mailto`, `tgram`, `slack`, `json`), one that is not understood by its place.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from niftyformer_assets.alerts.words import LONGEST, Alert
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.words import counted

if TYPE_CHECKING:
    from apprise import Apprise

VARIABLE = "NIFTYFORMER_ALERTS"
# They log the addresses that they ask.
_TALKATIVE = ("apprise", "oauthlib", "requests_oauthlib", "urllib3")


@dataclass(frozen=True)
class Service:
    """kind: the scheme of its address."""

    kind: str
    asked: Apprise = field(repr=False)


@dataclass(frozen=True)
class Services:
    """all: those that are understood. wrong: what is to be said of the others, in one line; empty without any."""

    all: tuple[Service, ...]
    wrong: str

    @property
    def kinds(self) -> str:
        return ", ".join(service.kind for service in self.all)


def services_of(addresses: str) -> Services:
    """The services of addresses that are parted by spaces or commas, as Apprise reads them."""
    from apprise import Apprise, AppriseAsset
    from apprise.utils.parse import parse_urls

    asset = AppriseAsset(app_id="NiftyFormer", app_desc="NiftyFormer", storage_mode="memory", async_mode=False)
    found, wrong, given = [], [], parse_urls(addresses)
    with _silent():
        for place, address in enumerate(given, 1):
            asked = Apprise(asset=asset)
            try:
                understood = asked.add(address)
            except Exception:  # of any service's own; what it says may hold the address
                understood = False
            if understood:
                found.append(Service(address.partition("://")[0].lower(), asked))
            else:
                wrong.append(str(place))
    said = ""
    if wrong:
        said = (
            f"{VARIABLE}: of {counted(len(given), 'address', 'addresses')} number {' and '.join(wrong)} cannot be "
            "understood: write them as https://appriseit.com/services/ says"
        )
    return Services(tuple(found), said)


def send(services: Sequence[Service], alert: Alert, of: str, secrets: Sequence[str] = ()) -> list[str]:
    """Send a message to each service, one after the other.

    Args:
        of: whose message it is, in the title.
        secrets: are not sent, wherever they may have come from.

    Returns:
        The kinds of those that did not take it.
    """
    title, text = _without(f"{of}: {alert.title}", secrets), _without(alert.text, secrets)
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    deaf = []
    with _silent():
        for service in services:
            try:
                taken = bool(service.asked.notify(title=title, body=text))
            except Exception:  # as above
                taken = False
            if not taken:
                deaf.append(service.kind)
    return deaf


def send_test(addresses: str, alert: Alert, of: str) -> str:
    """Send a message to every service, and say to which kinds.

    Raises:
        NiftyFormerError: nobody is to be told, an address is not understood, or a service did not take it.
    """
    services = services_of(addresses)
    if not addresses.strip():
        raise NiftyFormerError(f"nobody is to be told: put addresses of Apprise into {VARIABLE}, see docs/alerts.md")
    if services.wrong:
        raise NiftyFormerError(services.wrong)
    if deaf := send(services.all, alert, of):
        raise NiftyFormerError(
            f"{', '.join(deaf)} did not take the message: look at the address in {VARIABLE}, and whether its server "
            "can be reached from here"
        )
    return services.kinds


def _without(text: str, secrets: Sequence[str]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    return text


@contextmanager
def _silent() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
