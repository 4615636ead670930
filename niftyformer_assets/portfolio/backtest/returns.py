"""Returns of sessions: which of them can earn, and what a yearly rate is in one."""

from __future__ import annotations

import numpy as np

# Sessions.
YEAR = 252


def session_returns(nav: np.ndarray, trade_at: str) -> np.ndarray:
    """Simple returns of the sessions in which something could be earned, compounding to all that nav grew.

    The first session only makes scores. What they buy fills in the second one: at its open, so that
    it earns, or at its close; then its charges count with the third session, the first that earns.

    Args:
        nav: float [..., T], above 0.
        trade_at: open or close.

    Returns:
        float [..., T - 1] or [..., T - 2].
    """
    first = 1 if trade_at == "open" else 2
    after = nav[..., first:]
    before = np.concatenate([nav[..., :1], nav[..., first:-1]], axis=-1)[..., : after.shape[-1]]
    return after / before - 1


def session_rate(annual: float) -> float:
    """The rate of one session that compounds to `annual` over a year."""
    return (1 + annual) ** (1 / YEAR) - 1
