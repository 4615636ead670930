"""Dagster's home of a workspace: its settings, and where its history is kept."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from sqlalchemy.exc import SQLAlchemyError

from niftyformer_assets.defs.automation.dead_runs import fail_dead_runs
from niftyformer_assets.settings import PROJECT, Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line


def make_home(settings: Settings) -> Path:
    """The workspace's Dagster home; one without settings gets those of `storage/dagster.yaml`."""
    home = settings.dagster_home
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists():
            shutil.copy(PROJECT / "storage" / "dagster.yaml", home / "dagster.yaml")
    except OSError as error:
        raise NiftyFormerError(
            f"{home} cannot be written ({error.strerror}): set NIFTYFORMER_STORAGE to a folder that can"
        ) from None
    return home


def usable_home(settings: Settings) -> Path:
    """The workspace's Dagster home, for whoever starts Dagster there.

    Raises:
        NiftyFormerError: something in it cannot be used, of which Dagster's own servers say many lines.
    """
    with dagster_home(settings) as instance:
        # One question to each of its databases.
        instance.get_runs_count()
        instance.all_asset_keys()
        instance.all_instigator_state()
    return settings.dagster_home


@contextmanager
def dagster_home(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The workspace's own Dagster instance, with nothing in it that waits for a killed run.

    Raises:
        NiftyFormerError: its settings or its history cannot be used, or PostgreSQL does not answer where that is there.
    """
    home = make_home(settings)
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        with _without_warnings():
            # What steps print goes to the terminal as it is. Dagster would keep it in files, with processes of its own
            # a step that follow them and that say much when they are interrupted.
            ref = InstanceRef.from_dir(
                str(home),
                overrides={
                    "compute_logs": {
                        "module": NoOpComputeLogManager.__module__,
                        "class": NoOpComputeLogManager.__name__,
                    }
                },
            )
            instance = dg.DagsterInstance.from_ref(ref)
    except Exception as error:  # of as many kinds as there are files in it
        raise _unusable(home, error) from error
    try:
        with instance:
            # Runs that are spread over machines have their processes where the code server is, which looks after them.
            if settings.broker is None:
                fail_dead_runs(instance)
            yield instance
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _unusable(home, error) from error


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Dagster asks PostgreSQL several times, and warns of each with many lines; what comes of it is said in one."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _unusable(home: Path, error: Exception) -> NiftyFormerError:
    reason = in_one_line(_first_cause(error))[:300]
    if _in_postgres(home):
        return NiftyFormerError(
            f"PostgreSQL, which {home / 'dagster.yaml'} names for Dagster's history, cannot be used ({reason}): start "
            "it, or correct PGHOST, PGPORT, PGDATABASE, PGUSER and the password in the file PGPASSFILE names; "
            "docs/scale.md says how it is set up."
        )
    return NiftyFormerError(
        f"Dagster's history in {home} cannot be used ({reason}): let the folder be written, or move "
        "its history, schedules and dagster.yaml away; they are made anew, and no artifact is in them."
    )


def _first_cause(error: BaseException) -> object:
    """What the driver said, below those who asked again or translated it."""
    while not hasattr(error, "orig") and error.__cause__ is not None:
        error = error.__cause__
    return getattr(error, "orig", error)


def _in_postgres(home: Path) -> bool:
    with suppress(OSError, ValueError, yaml.YAMLError):
        content = yaml.safe_load((home / "dagster.yaml").read_text(encoding="utf-8"))
        storage = content.get("storage") if isinstance(content, dict) else None
        return isinstance(storage, dict) and "postgres" in storage
    return False
