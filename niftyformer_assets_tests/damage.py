"""What can happen to a file that nobody meant to change."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator


def flips(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """`content` with one bit flipped, at its beginning, at its end and at random places between."""
    draw = random.Random(seed)
    places = [0, 8 * len(content) - 1, *(draw.randrange(8 * len(content)) for _ in range(count))]
    for place in places:
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


def cuts(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """`content` with its end lost, all of it included, or with a block of it zeroed, as after a power failure."""
    draw = random.Random(seed)
    yield b""
    yield content[:-1]
    for _ in range(count):
        yield content[: draw.randrange(len(content))]
    start = draw.randrange(max(1, len(content) // 2))
    zeroed = content[:start] + bytes(min(64, len(content) - start)) + content[start + 64 :]
    if zeroed != content:
        yield zeroed


def same_json(one: bytes, other: bytes) -> bool:
    """Do two files differ in the space between their values only?"""
    try:
        return bool(json.loads(one) == json.loads(other))
    except (ValueError, RecursionError):
        return False
