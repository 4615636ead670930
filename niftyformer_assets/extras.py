"""What is not installed with the rest, and what is said where it is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from niftyformer_assets.store.errors import NiftyFormerError


@contextmanager
def torch_or_one_line() -> Iterator[None]:
    """Say in one line that torch is wanted where it is not installed: it is an extra, for it is most of what is."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise NiftyFormerError(
            "torch, which trains models and lets them predict, is not installed: in the checkout "
            "pip install -c constraints.txt -e '.[train]', elsewhere the version of torch that constraints.txt names."
        ) from None
