"""Where runs are retried by themselves: what was refused for a person is not tried again, what nobody foresaw is."""

from __future__ import annotations

import dagster as dg
import pytest

from niftyformer_assets.defs.results import RETRY_AFTER_A_FAILURE, one_line_errors
from niftyformer_assets.store.errors import NiftyFormerError

RETRIES = {"run_retries": {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": True}}


def failed_run(error: Exception, instance: dg.DagsterInstance) -> dg.DagsterRun:
    @dg.asset
    def failing() -> None:
        with one_line_errors():
            raise error

    result = dg.materialize([failing], instance=instance, raise_on_error=False)
    run = instance.get_run_by_id(result.run_id)
    assert run is not None and run.status is dg.DagsterRunStatus.FAILURE
    return run


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (NiftyFormerError("there is no file: make it"), "false"),
        (dg.Failure("3 of 5 symbols failed"), "false"),
        (OSError("server closed the connection unexpectedly"), "true"),
        (ValueError("a fault in the code"), "true"),
    ],
)
def test_what_is_tried_again(error: Exception, again: str) -> None:
    with dg.DagsterInstance.ephemeral(settings=RETRIES) as instance:
        assert failed_run(error, instance).tags["dagster/will_retry"] == again


def test_without_retries_a_run_has_no_word_of_them() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert RETRY_AFTER_A_FAILURE not in failed_run(NiftyFormerError("refused"), instance).tags
