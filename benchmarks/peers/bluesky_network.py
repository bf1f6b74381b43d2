"""Starts and stops a real Bluesky network on this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.install import network_folder, node
from tests.databases import Postgres


@dataclass
class BlueskyNetwork:
    """One network: its files in ``folder``, its data server at ``url`` (XRPC under ``/xrpc/``)."""

    folder: Path
    ports: dict[str, int]  # pds, bsky, plc, bsync
    postgres: Postgres = field(init=False)
    database: str = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.postgres = Postgres.start()
        # The address as node's pg reads it.
        self.database = self.postgres.new_database("bluesky").replace(
            "postgresql+psycopg://hub@/", "postgresql://hub@localhost/"
        )

    @property
    def url(self) -> str:
        """The data server's address."""
        return f"http://localhost:{self.ports['pds']}"

    @property
    def log(self) -> Path:
        """What the servers print."""
        return self.folder / "bluesky.log"

    def start(self) -> float:
        """Start it, or start it again with its data; return the seconds it took to answer."""
        started = time.monotonic()
        options = {"folder": str(self.folder), "postgres": self.database, "ports": self.ports}
        # Node finds packages from the file's own folder.
        script = shutil.copy(Path(__file__).with_name("network.mjs"), network_folder())
        environment = {**os.environ, "LOG_ENABLED": "false", "NODE_ENV": "test"}
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(
                [node() / "bin" / "node", script, json.dumps(options)], stdout=log, stderr=log, env=environment
            )
        while not any(line.startswith("ready ") for line in self.log.read_text()[begin:].splitlines()):
            if self.process.poll() is not None or time.monotonic() > started + 90:
                raise SystemExit(f"the Bluesky network did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)
        return time.monotonic() - started

    def stop(self) -> None:
        """End the servers at once, as a power cut would; their data stays."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def close(self) -> None:
        """End the servers and their database."""
        self.stop()
        self.postgres.stop()
