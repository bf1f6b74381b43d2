"""A sandbox as the hub starts it: a child process that ends when its standard input is closed."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import requests

from hub.sdk.sandboxes import Sandbox

S = TypeVar("S", bound=Sandbox)


@contextmanager
def sandboxed(kind: type[S], state: Path) -> Iterator[S]:
    """The running sandbox."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, *kind.command(port, state)], stdin=subprocess.PIPE)
    assert process.stdin is not None
    with requests.Session() as http:
        http.trust_env = False
        sandbox = kind(f"http://127.0.0.1:{port}", state, http)
        try:
            deadline = time.monotonic() + 60
            while not sandbox.is_ready():
                assert process.poll() is None, "the sandbox ended at once"
                assert time.monotonic() < deadline, "the sandbox is not ready after a minute"
                time.sleep(0.05)
            yield sandbox
        finally:
            process.stdin.close()
            assert process.wait(10) == 0
