"""What lies in `deploy/` is taken by what reads it, and says the same as the code."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from dagster._cli import create_dagster_cli
from dagster._core.instance.config import dagster_instance_config
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import create_dagster_webserver_cli
from typer.core import TyperGroup
from typer.main import get_command

from niftyformer_assets.cli import app
from niftyformer_assets.defs import build
from niftyformer_assets.defs.assets.model import POOL
from niftyformer_assets.defs.workers import AT_A_TIME
from niftyformer_assets.settings import PROJECT, Settings
from niftyformer_assets_tests.conftest import tiny_settings
from niftyformer_assets_tests.deploy.running import (
    INSTALLED,
    SEVERAL,
    SINGLE,
    UNITS,
    WORKERS,
    command_of,
    read_unit,
    with_environment,
)

SERVICES = ("code", "daemon", "webserver", "reports")
CLIENT = {"PGHOST": "127.0.0.1", "PGPORT": "5432", "PGDATABASE": "made_up", "PGUSER": "made_up"}


def read_yaml(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def example(folder: Path = SINGLE) -> dict[str, str]:
    lines = (folder / "environment.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def leaves(content: Any, *path: str) -> dict[tuple[str, ...], Any]:
    """The values of a file of settings by where they stand."""
    if not isinstance(content, dict):
        return {path: content}
    return {place: value for key, each in content.items() for place, value in leaves(each, *path, key).items()}


def takes(program: click.Command, words: list[str]) -> dict[str, Any]:
    """The values that a program takes of its words; they are refused where it has no such option."""
    context = program.make_context(program.name or "", list(words))
    if isinstance(program, click.Group):
        _, command, rest = program.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        return takes(command, rest)
    return context.params


def test_dagster_takes_the_settings_and_they_have_what_the_local_ones_have() -> None:
    pytest.importorskip("dagster_postgres", reason="needs dagster-postgres: install the extra `deploy`")
    local, ours = read_yaml(PROJECT / "storage" / "dagster.yaml"), read_yaml(SINGLE / "dagster.yaml")
    assert leaves(local).items() <= leaves(ours).items()
    with with_environment(CLIENT):
        # Refused where a key or a value is none of this release's.
        content, _ = dagster_instance_config(str(SINGLE))
    assert content["run_retries"] == {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": True}
    assert "password" not in content["storage"]["postgres"]["postgres_db"]


def test_the_pools_of_the_assets_are_those_that_are_written_of(tmp_path: Path) -> None:
    graph = build(tiny_settings(tmp_path)).resolve_asset_graph()
    pools = {pool for key in graph.executable_asset_keys for pool in graph.get(key).pools or ()}
    assert pools == {POOL}
    assert f"pool `{POOL}`" in (SINGLE / "dagster.yaml").read_text()


def test_the_programs_take_what_the_units_tell_them() -> None:
    programs = {
        "dagster": create_dagster_cli(),
        "dagster-daemon": create_dagster_daemon_cli(),
        "dagster-webserver": create_dagster_webserver_cli(),
    }
    environment, taken = example(), {}
    for service in SERVICES:
        program, *words = command_of(service, environment)
        if (name := Path(program).name) in programs:
            taken[service] = takes(programs[name], words)
        else:
            assert (name, words) == ("niftyformer", ["reports"])
    assert taken["code"]["host"] == taken["webserver"]["host"] == "127.0.0.1"
    local = read_yaml(PROJECT / "workspace.yaml")["load_from"][0]["python_module"]
    assert taken["code"]["module_name"] == local["module_name"]
    assert taken["daemon"]["workspace"] == taken["webserver"]["workspace"] == ("deploy/single/workspace.yaml",)
    with with_environment(environment):
        (origin,) = location_origins_from_yaml_paths([str(SINGLE / "workspace.yaml")])
    assert isinstance(origin, GrpcServerCodeLocationOrigin)
    assert (origin.host, origin.port) == (taken["code"]["host"], taken["code"]["port"])
    assert origin.location_name == local["location_name"] == taken["code"]["location_name"]


def test_the_target_starts_every_unit_with_the_same_environment() -> None:
    units = {path.name: read_unit(path) for path in UNITS.iterdir()}
    services = {f"niftyformer-{name}.service" for name in SERVICES}
    backup = {"niftyformer-backup.service", "niftyformer-backup.timer"}
    assert units.keys() == services | backup | {"niftyformer.target"}
    wanted = {*units["niftyformer.target"]["Unit"]["Wants"].split()}
    assert wanted == services | {"niftyformer-backup.timer"}
    assert all(units[name]["Unit"]["PartOf"] == "niftyformer.target" for name in wanted)
    for name in services | {"niftyformer-backup.service"}:
        service = units[name]["Service"]
        assert service["EnvironmentFile"] == "/etc/niftyformer/environment" and service["User"] == "niftyformer"
        assert service["UMask"] == "0077" and service["WorkingDirectory"] == INSTALLED
        # All of them see the file that paces requests to Kite.
        assert "PrivateTmp" not in service
    assert all(units[name]["Service"]["ExecStartPre"].endswith("/niftyformer home") for name in services)


def test_the_example_of_the_environment_has_what_is_asked_for() -> None:
    environment = example()
    assert environment["DAGSTER_HOME"] == f"{INSTALLED}/storage/{environment['NIFTYFORMER_WORKSPACE']}"
    files = [*UNITS.iterdir(), *SINGLE.glob("*.yaml"), SINGLE / "backup.sh"]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    asked = {*re.findall(r"\$\{([A-Z_]+)", text), *re.findall(r"\{env: ([A-Z_]+)\}", text)}
    assert asked - {"NIFTYFORMER_PROJECT"} <= environment.keys()
    assert not environment["KITE_API_SECRET"] and "PGPASSWORD" not in environment


def test_workers_are_started_by_queue_and_know_what_the_others_know(tmp_path: Path) -> None:
    unit = read_unit(WORKERS / "niftyformer-worker@.service")
    service, code = unit["Service"], read_unit(UNITS / "niftyformer-code.service")["Service"]
    for name in ("User", "WorkingDirectory", "EnvironmentFile", "UMask"):
        assert service[name] == code[name]
    assert service["Restart"] == "always" and "PrivateTmp" not in service
    # With the process of a step the whole group is ended: none goes on training unseen.
    assert "KillMode" not in service
    commands = get_command(app)
    assert isinstance(commands, TyperGroup)
    for queue in AT_A_TIME:
        program, command, *words = command_of(f"worker@{queue}", {}, WORKERS)
        assert Path(program).name == "niftyformer"
        assert commands.commands[command].make_context(command, words).params["queue"] == queue
    several = example(SEVERAL)
    assert {*several} - {*example()} <= {f"NIFTYFORMER_{name.upper()}" for name in Settings.model_fields}
    assert several["DAGSTER_HOME"] == f"{several['NIFTYFORMER_STORAGE']}/{example()['NIFTYFORMER_WORKSPACE']}"


def test_redis_writes_down_what_waits_and_listens_on_loopback() -> None:
    lines = (SEVERAL / "redis.conf").read_text(encoding="utf-8").splitlines()
    settings = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    assert settings["bind"] == "127.0.0.1" and settings["protected-mode"] == "yes"
    assert settings["appendonly"] == "yes" and settings["maxmemory-policy"] == "noeviction"
    assert "requirepass" not in settings


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: Debian's package is systemd")
    for path in (*UNITS.iterdir(), *WORKERS.iterdir()):
        # It looks for the programs and the user.
        text = re.sub(rf"={INSTALLED}/\.venv/bin/\S+", "=/bin/true", path.read_text(encoding="utf-8"))
        text = text.replace(INSTALLED, str(PROJECT)).replace("User=niftyformer", "User=root")
        (tmp_path / path.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "niftyformer" in line]
    assert done.returncode == 0 and not ours, done.stderr


def test_every_dagster_package_is_of_one_release() -> None:
    lines = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split(" ")[0].split("==") for line in lines if line.startswith("dagster"))
    release = pinned["dagster"]
    # The libraries count on beside: 0.29.27 goes with 1.13.27.
    library = f"0.{int(release.split('.')[1]) + 16}.{release.split('.')[2]}"
    assert {"dagster-postgres", "dagster-celery"} <= pinned.keys()
    assert {*pinned.values()} == {release, library}
    for name in ("dagster-postgres", "dagster-celery"):
        try:
            assert f"dagster=={release}" in [need.replace(" ", "") for need in requires(name) or []]
        except PackageNotFoundError:
            pytest.skip(f"needs {name}: install the extra `deploy`")
