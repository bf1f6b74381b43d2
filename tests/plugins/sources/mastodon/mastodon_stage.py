"""Starts the sandbox server, and makes the toolbox a connector works with."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import requests

from hub.sdk import HttpSession, Toolbox
from plugins.sources.mastodon.sandbox import MastodonSandbox


class NoVault:
    """A static token needs no vault: whoever touches this one fails."""


def make_toolbox(http: HttpSession, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Toolbox:
    log = logging.LoggerAdapter(logging.getLogger("test.mastodon"))
    return Toolbox(connection="acme-mastodon", http=http, vault=NoVault(), now=now, log=log)  # type: ignore[arg-type]


@contextmanager
def running(state: Path, port: int = 0) -> Iterator[tuple[MastodonSandbox, subprocess.Popen[bytes]]]:
    """A sandbox process and its driver; the process ends with the block."""
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, *MastodonSandbox.command(port, state)], stdin=subprocess.PIPE)
    with requests.Session() as http:
        sandbox = MastodonSandbox(f"http://127.0.0.1:{port}", state, http)
        try:
            deadline = time.monotonic() + 40
            while not sandbox.is_ready():
                assert process.poll() is None, "the sandbox died at its start"
                assert time.monotonic() < deadline, "the sandbox did not start"
                time.sleep(0.05)
            yield sandbox, process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(20)
            finally:
                process.kill()  # a sandbox that does not end by itself fails the test, and is not left behind
