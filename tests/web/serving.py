"""A hub's web behind the real server, for as long as a test needs it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

from hub.flow.receive import MAX_BODY


@contextmanager
def serving(app: Flask) -> Iterator[tuple[str, int]]:
    """Host and port of a server as `hub run` starts it."""
    sockets: dict[int, Any] = {}
    stop = threading.Event()
    server = create_server(app, host="127.0.0.1", port=0, threads=2, max_request_body_size=MAX_BODY, map=sockets)

    def serve() -> None:
        while not stop.is_set():
            wasyncore.loop(timeout=0.05, map=sockets, count=1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield "127.0.0.1", server.effective_port
    finally:
        stop.set()
        thread.join()
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets)
