"""Equal scores: lots are drawn, so that neither the alphabet nor the order of columns picks stocks."""

from __future__ import annotations

import hashlib

import numpy as np

from niftyformer_assets.store.arrays import Axes


def lots(axes: Axes, seed: int) -> np.ndarray:
    """uint64 [T, N]: a number for each session and symbol; of equal scores the smaller one goes first.

    It is a hash of seed, date and symbol: a stock has its lot whatever other stocks and sessions
    there are. The mixing is the finalizer of splitmix64 (Steele, Lea and Flood 2014).
    """
    stock = np.array([_hash(symbol) for symbol in axes.symbols], dtype=np.uint64)
    session = np.array([_hash(f"{seed} {day}") for day in axes.dates], dtype=np.uint64)
    mixed = stock[None, :] ^ session[:, None]
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
