"""What tests of the deployment share: a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from niftyformer_assets_tests.deploy.servers import Postgres, postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    with postgres() as running:
        yield running
