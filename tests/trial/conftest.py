"""A running hub in an empty folder, as `hub init` and `hub run` make it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class RunningHub:
    """The process, its folder and its address."""

    process: subprocess.Popen[str]
    folder: Path
    url: str
    printed: str

    def hub(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `hub` command beside it."""
        return run_hub(self.folder, *arguments)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def run_hub(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One `hub` command in ``folder``."""
    command = [sys.executable, "-m", "hub.cli", *arguments]
    environ = {name: value for name, value in os.environ.items() if name != "HUB_CONFIG"}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=100, check=False)


def prepare(folder: Path) -> int:
    """A configuration in an empty folder, on a free port."""
    assert run_hub(folder, "init", ".").returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    file = folder / "config" / "hub.toml"
    file.write_text(file.read_text().replace("127.0.0.1:8765", f"127.0.0.1:{port}"))
    return port


def start(folder: Path) -> RunningHub:
    """`hub run`, until it prints its address."""
    errors = (folder / "errors.txt").open("w")
    command = [sys.executable, "-m", "hub.cli", "run"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True)
    errors.close()
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("Stop with"):
            break
    else:
        process.wait(10)
        pytest.fail(f"hub run ended: {(folder / 'errors.txt').read_text()}")
    found = re.search(r"try it:\s+(\S+)", printed)
    assert found, printed
    return RunningHub(process, folder, found[1], printed)


@pytest.fixture(scope="module")
def running_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """One hub with its trial for all tests of a file."""
    folder = tmp_path_factory.mktemp("empty")
    prepare(folder)
    hub = start(folder)
    yield hub
    if hub.process.poll() is None:
        hub.stop()
