"""Dagster's history in PostgreSQL: what is wrong with it is said in one line, and a backup holds all of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from niftyformer_assets.settings import PROJECT
from niftyformer_assets_tests.deploy.servers import PASSWORD, Postgres, free_port

HOME = [sys.executable, "-c", "from niftyformer_assets.cli import app; app()", "home"]


def home(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`niftyformer home` of a workspace with the settings of `deploy/single/`, as the units ask it."""
    place = folder / "storage" / "demo"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT / "deploy" / "single" / "dagster.yaml", place)
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("NIFTYFORMER", "KITE", "PG"))}
    ours = {"NIFTYFORMER_WORKSPACE": "demo", "NIFTYFORMER_STORAGE": str(folder / "storage")}
    return subprocess.run(HOME, env={**usual, **ours, **environment}, capture_output=True, text=True, check=False)


def test_a_database_that_answers(server: Postgres, tmp_path: Path) -> None:
    environment = server.database("answers")
    done = home(tmp_path, environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "storage" / "demo")
    tables = server.client("psql", "-d", "answers", "-Atc", "select tablename from pg_tables")
    assert {"runs", "event_logs", "instigators"} <= {*tables.split()}
    # Nothing is kept in files of SQLite's.
    assert not [*tmp_path.rglob("*.db")]


WRONG = {
    "no server": "Connection refused",
    "password": "password authentication failed",
    "no password": "no password supplied",
    "password that others can read": "no password supplied",
    "no such database": 'database "nowhere" does not exist',
    "no such user": "password authentication failed",
    "no variable": "PGHOST",
    "a port that is no number": "PGPORT",
}


def test_a_database_that_cannot_be_used_is_one_line(server: Postgres, tmp_path: Path) -> None:
    # At the same time: each waits as long as Dagster does for a server that is only starting.
    with ThreadPoolExecutor() as pool:
        asked = {wrong: pool.submit(home, tmp_path / wrong, spoilt(server, tmp_path, wrong)) for wrong in WRONG}
    for wrong, said in WRONG.items():
        done = asked[wrong].result()
        (line,) = [line for line in done.stderr.splitlines() if not line.startswith("WARNING: password file")]
        assert done.returncode == 1
        assert line.startswith("error: PostgreSQL, which ") and "PGPASSFILE" in line
        assert said in line, line
        assert PASSWORD not in done.stderr + done.stdout


def spoilt(server: Postgres, folder: Path, wrong: str) -> dict[str, str]:
    """The environment of a client, with something wrong in it."""
    environment, given = dict(server.environment), folder / f"{wrong}.pgpass"
    given.write_text(server.password_file.read_text())
    given.chmod(0o600)
    environment["PGPASSFILE"] = str(given)
    if wrong == "no server":
        environment["PGPORT"] = str(free_port())
    elif wrong == "password":
        given.write_text(given.read_text().replace(PASSWORD, "another"))
    elif wrong == "no password":
        given.unlink()
    elif wrong == "password that others can read":
        given.chmod(0o644)
    elif wrong == "no such database":
        environment["PGDATABASE"] = "nowhere"
    elif wrong == "no such user":
        environment["PGUSER"] = "nobody"
        given.write_text(given.read_text().replace("niftyformer", "nobody"))
    elif wrong == "no variable":
        del environment["PGHOST"]
    else:
        environment["PGPORT"] = "five"
    return environment


def test_a_backup_holds_the_history_and_the_files(server: Postgres, tmp_path: Path) -> None:
    project, backups, environment = tmp_path / "project", tmp_path / "backups", server.database("kept")
    assert home(project, environment).returncode == 0
    (project / "data" / "demo").mkdir(parents=True)
    (project / "data" / "demo" / "returns.csv").write_text("0.01\n")
    (project / "data" / "demo" / ".returns.csv.1-2.tmp").write_text("0.0")
    (project / "storage" / "demo" / "access_token.json").write_text("{}")
    backups.mkdir()
    (backups / "notes.txt").write_text("a person's own")
    ours = {"NIFTYFORMER_PROJECT": str(project), "NIFTYFORMER_BACKUPS": str(backups), "NIFTYFORMER_BACKUPS_KEPT": "2"}
    script = [PROJECT / "deploy" / "single" / "backup.sh"]
    for old in ("2020-01-01T000000Z", "2020-01-02T000000Z", ".unfinished-2020-01-03T000000Z"):
        (backups / old).mkdir()
    made = subprocess.run(script, env={**os.environ, **environment, **ours}, capture_output=True, text=True, check=True)
    new = Path(made.stdout.strip())
    assert {path.name for path in backups.iterdir()} == {".lock", "notes.txt", "2020-01-02T000000Z", new.name}
    assert new.stat().st_mode & 0o077 == 0

    server.client("createdb", "restored")
    server.client("pg_restore", "-d", "restored", str(new / "history.dump"))
    count = "select count(*) from pg_tables where schemaname = 'public'"
    tables = [server.client("psql", "-d", name, "-Atc", count).strip() for name in ("kept", "restored")]
    assert tables[0] == tables[1] != "0"
    (tmp_path / "again").mkdir()
    subprocess.run(["tar", "-xzf", new / "files.tar.gz", "-C", tmp_path / "again"], check=True)
    files = {path.relative_to(tmp_path / "again").as_posix() for path in (tmp_path / "again").rglob("*.*")}
    assert files == {"data/demo/returns.csv", "storage/demo/dagster.yaml"}

    gone = {**environment, "PGDATABASE": "nowhere"}
    failed = subprocess.run(script, env={**os.environ, **gone, **ours}, capture_output=True, text=True, check=False)
    assert failed.returncode != 0 and 'database "nowhere" does not exist' in failed.stderr
    assert new.is_dir() and len([*backups.glob("20*")]) == 2
