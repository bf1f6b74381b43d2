"""The hub of a run, as an operator runs it: its configuration folder and its command."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEAMS = """\
default_team = "care"

[teams.care]
sink = "tracker"
label = { en = "Customer care", it = "Assistenza clienti" }
"""


@dataclass
class HubProcess:
    """``hub run`` on a configuration in ``folder``; its secrets come from ``environment``."""

    folder: Path
    port: int
    connections: str  # their blocks in hub.toml
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder / "hub.log"

    def configure(self) -> None:
        """Write the configuration that ``hub init`` gives, with our two connections and without the trial."""
        self.command("init", str(self.folder))
        path = self.folder / "config" / "hub.toml"
        text = path.read_text()
        for old, new in [
            ('listen = "127.0.0.1:8765"', f'listen = "127.0.0.1:{self.port}"'),
            ("enabled = true", "enabled = false"),
        ]:
            if text.count(old) != 1:
                raise SystemExit(f"hub init writes another hub.toml than this run knows: no single {old}")
            text = text.replace(old, new)
        marker = "\n[[routers]]"
        path.write_text(text.replace(marker, f"\n{self.connections}{marker}", 1))
        (path.parent / "teams.toml").write_text(TEAMS)
        self.command("config", "check", *self.where)

    @property
    def where(self) -> list[str]:
        """The option every command takes."""
        return ["--config", str(self.folder / "config")]

    def command(self, *arguments: str) -> str:
        """Run a ``hub`` command; return what it prints."""
        result = subprocess.run(
            [sys.executable, "-m", "hub.cli", *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise SystemExit(
                f"hub {' '.join(arguments)}: exit code {result.returncode}\n{result.stdout}\n{result.stderr}"
            )
        return result.stdout

    def ask(self, *arguments: str) -> Any:
        """Run a ``hub`` command with ``--json``."""
        return json.loads(self.command(*arguments, *self.where, "--json"))

    def start(self) -> None:
        """Start it; return when it answers."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "hub.cli", "run", *self.where]
            environment = {**os.environ, **self.environment}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + 60
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the hub did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
        except OSError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, politely or with ``SIGKILL``."""
        if self.process is not None:
            self.process.send_signal(how)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                raise SystemExit("the hub did not end within 60 s") from None
            self.process = None
