"""NSE's constituent lists fetched from where they are published, and kept by date."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from niftyformer_assets.indices import DEFAULT, INDICES, Index, less_a_few
from niftyformer_assets.market.index_lists import MOST_BYTES, parse_list
from niftyformer_assets.market.membership_files import dated_lists
from niftyformer_assets.market.servers import NSE_ROOT
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import write_entered


def fetch_list(
    folder: Path,
    today: date,
    root: str = NSE_ROOT,
    index: Index = INDICES[DEFAULT],
    min_members: int = 1,
    attempts: int = 3,
    timeout_s: float = 20.0,
) -> Path:
    """Fetch the list in force from NSE (or what speaks for it) and keep it under today's date.

    A list with the same members as the last one at hand is not kept again. A broken answer never
    replaces a list.

    Args:
        folder: where lists are kept.
        index: whose list.
        min_members: fewer are a broken answer.

    Returns:
        The file that holds the list in force.

    Raises:
        NiftyFormerError: no answer, or an answer that is no list, or one cut short.
    """
    url = root.rstrip("/") + index.route
    content = _download(url, attempts, timeout_s)
    members = parse_list(content, url)
    known = [kept for kept in dated_lists(folder, index) if kept.as_of <= today]
    before = known[-1] if known else None
    # A review puts as many names in as it takes out.
    least = max(min_members, less_a_few(len(before.members)) if before else 0)
    if len(members) < least:
        raise NiftyFormerError(
            f"{url} gave {len(members)} members where at least {least} were expected: the answer was cut short. "
            "The lists at hand are kept; fetch it again later."
        )
    if before is not None and set(before.members) == set(members):
        return before.path
    path = folder / index.dated(today)
    write_entered(path, content)
    return path


def _download(url: str, attempts: int, timeout_s: float) -> bytes:
    import requests
    from tenacity import (
        RetryError,
        Retrying,
        retry_if_exception_type,
        stop_after_attempt,
        wait_exponential,
        wait_random,
    )

    from niftyformer_assets.web import BoundedSession, is_loopback

    session = BoundedSession(redirects="followed", deadline_s=3 * timeout_s, max_bytes=MOST_BYTES)
    session.trust_env = not is_loopback(url)
    # NSE's site answers 403 to a client that does not look like a browser.
    headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) niftyformer", "Accept": "text/csv,*/*"}
    try:
        for attempt in Retrying(
            stop=stop_after_attempt(attempts),
            wait=wait_exponential(multiplier=0.5, max=5) + wait_random(0, 0.5),
            retry=retry_if_exception_type(requests.RequestException),
        ):
            with attempt:
                answer = session.get(url, headers=headers, timeout=timeout_s)
                answer.raise_for_status()
                return answer.content
    except RetryError as error:
        cause = error.last_attempt.exception()
        status = getattr(getattr(cause, "response", None), "status_code", None)
        detail = f"HTTP status {status}" if status else type(cause).__name__
        raise NiftyFormerError(
            f"{url} gave no constituent list ({detail}): the lists at hand are kept; fetch it again later, or put a "
            "downloaded list into data/reference/index_lists/."
        ) from cause
    raise AssertionError("a retry loop ends by returning or by raising")
