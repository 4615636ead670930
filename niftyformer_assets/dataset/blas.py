"""Linear algebra on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep NumPy's linear algebra on one thread inside the block.

    Sums are then in one order however many cores there are, so the same data gives the same bits. It
    is no slower: matrices of a few hundred rows gain nothing from threads, and beside other busy
    processes threads that wait for each other made them 50 × slower.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
