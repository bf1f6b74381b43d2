"""Answers where a vendor's page sends a person back to, while no hub runs there."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hub.cli.opening import CannotStart

if TYPE_CHECKING:
    from hub.catalogue import Catalogue
    from hub.configuration import HubConfig
    from hub.flow.hub import Hub

LOOK_EVERY = 0.3


@contextmanager
def answering(hub: Hub, config: HubConfig, catalogue: Catalogue) -> Iterator[None]:
    """Something answers where the hub listens: the hub that runs, else these few pages for as long as this lasts."""
    from waitress import wasyncore
    from waitress.server import create_server

    from hub.cli.status import is_running
    from hub.web import create_connecting_app

    if is_running(config):
        yield
        return
    host, port = config.hub.address
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise CannotStart(
            f"Cannot listen on {config.hub.listen}: {error.strerror}. Stop what uses it, or take --paste."
        ) from error
    # Its warning counts queued requests, in the middle of what a person reads.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    sockets: dict[int, Any] = {}
    app = create_connecting_app(hub, config, catalogue)
    server = create_server(app, sockets=[listening], threads=2, map=sockets, clear_untrusted_proxy_headers=False)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            wasyncore.loop(timeout=0.05, map=sockets, count=1)

    thread = threading.Thread(target=serve, name="callback", daemon=True)
    thread.start()
    try:
        yield
        time.sleep(LOOK_EVERY)  # the person's browser is still to be told
    finally:
        stop.set()
        thread.join()
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets)
