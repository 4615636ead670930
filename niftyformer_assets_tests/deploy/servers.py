"""PostgreSQL and Redis as Debian packages them, run by a test on loopback in folders of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from niftyformer_assets.settings import PROJECT

PASSWORD = "not-a-word-in-any-log"


class Postgres:
    """A server of one user with one password, over TCP; what a client has to know is in `environment`."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder, self._programs = folder, programs
        self._process: subprocess.Popen[bytes] | None = None
        # It refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        self.port = free_port()
        self.password_file = folder / "pgpass"
        if self._user:
            shutil.chown(folder, self._user)
        given = folder / "password"
        given.write_text(PASSWORD)
        given.chmod(0o644)
        self._run("initdb", "-D", str(folder / "data"), "-U", "niftyformer", "-A", "scram-sha-256", f"--pwfile={given}")
        self.password_file.write_text(f"127.0.0.1:{self.port}:*:niftyformer:{PASSWORD}\n")
        self.password_file.chmod(0o600)
        self.environment = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGDATABASE": "postgres",
            "PGUSER": "niftyformer",
            "PGPASSFILE": str(self.password_file),
        }

    def start(self) -> None:
        """Start it, and wait until it answers."""
        listening = ("-h", "127.0.0.1", "-p", str(self.port))
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", "-k", self._folder, *listening],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self._folder,
            )
        deadline = time.monotonic() + 60
        ready = [self._programs / "pg_isready", "-q", *listening]
        while subprocess.run(ready, check=False).returncode != 0:
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, mode: str = "fast") -> None:
        """End it: `fast` ends its connections in order, `immediate` is as a crash."""
        if self._process is not None:
            self._run("pg_ctl", "stop", "-D", str(self._folder / "data"), "-m", mode, "-w")
            self._process.wait(60)
            self._process = None

    def database(self, name: str) -> dict[str, str]:
        """The environment of a client of a database that is made for it, empty."""
        self.client("createdb", name)
        return {**self.environment, "PGDATABASE": name}

    def client(self, program: str, *words: str) -> str:
        """What a client of PostgreSQL's says."""
        return subprocess.run(
            [self._programs / program, *words],
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [self._programs / program, *words],
            user=self._user,
            cwd=self._folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running server for the time of the block; the test is skipped, saying so, where PostgreSQL is not installed."""
    pytest.importorskip("dagster_postgres", reason="needs dagster-postgres: install the extra `deploy`")
    # Debian has the server's programs in no folder of PATH.
    found = [*filter(None, [shutil.which("initdb")]), *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    if not found:
        pytest.skip("needs PostgreSQL: Debian's package is postgresql")
    # Not below pytest's folder, which another user cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="niftyformer-postgres-"))
    try:
        server = Postgres(folder, Path(found[-1]).resolve().parent)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)


class Redis:
    """A server with a password and the settings of `deploy/several/`; its address, with the password, is `address`."""

    def __init__(self, folder: Path, program: str) -> None:
        self._folder, self._program = folder, program
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.address = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        lines = ("include " + str(PROJECT / "deploy" / "several" / "redis.conf"), f"requirepass {PASSWORD}")
        (folder / "redis.conf").write_text("\n".join((*lines, f"port {self.port}", f"dir {folder}", "")))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self._program, self._folder / "redis.conf"], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, (self._folder / "log").read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)
            self._process = None


@contextmanager
def redis(folder: Path) -> Iterator[Redis]:
    """A running server for the time of the block; the test is skipped, saying so, where Redis is not installed."""
    pytest.importorskip("dagster_celery", reason="needs dagster-celery: install the extra `deploy`")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs Redis: Debian's package is redis-server")
    server = Redis(folder, program)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
