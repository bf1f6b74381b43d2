"""``python -m plugins.sources.mastodon.sandbox --port P --state DIR``: the server of the sandbox."""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from mastodon_mock.app import create_app
from mastodon_mock.config import DatabaseConfig, MastodonMockConfig, SeedConfig, StreamingConfig
from mastodon_mock.serializers.instance import serialize_instance_v2

from plugins.sources.mastodon.sandbox import permalinks

HANDLES_DOMAIN = "mastodon.example"
"""The domain in handles. It does not hold the port, so that the trial's accounts stay the same people after it moved
to another one (real servers, too, may have handles under another domain than their API)."""


def build(port: int, state: Path) -> FastAPI:
    """The server, with its posts in ``state``."""
    state.mkdir(parents=True, exist_ok=True)
    config = MastodonMockConfig(
        domain=f"127.0.0.1:{port}",
        url_scheme="http",
        title="Mastodon (sandbox)",
        media_storage_path=str(state / "media"),
        database=DatabaseConfig(path=str(state / "mastodon.sqlite")),
        streaming=StreamingConfig(enabled=False),
        seed=SeedConfig(),
    )
    app = create_app(config)

    def instance() -> dict[str, Any]:
        with app.state.session_factory() as session:
            return {**serialize_instance_v2(session, config), "domain": HANDLES_DOMAIN}

    def permalink(request: Request, acct: str, status_id: str) -> HTMLResponse:
        language = permalinks.language_of(request.headers.get("accept-language", ""))
        page, status = permalinks.show(app.state.session_factory, acct, status_id, language)
        return HTMLResponse(page, status, permalinks.HEADERS)

    # First in the list, because the router takes the first that matches.
    app.router.routes.insert(0, APIRoute("/api/v2/instance", instance))
    app.router.routes.insert(0, APIRoute("/@{acct}/{status_id}", permalink, response_model=None))
    return app


def main(arguments: list[str] | None = None) -> None:
    """Serve until standard input closes: the hub holds the other end, so the server cannot outlive it."""
    parser = argparse.ArgumentParser(prog="python -m plugins.sources.mastodon.sandbox")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    given = parser.parse_args(arguments)
    server = uvicorn.Server(
        uvicorn.Config(
            build(given.port, given.state),
            host="127.0.0.1",
            port=given.port,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )

    def stop_with_the_hub() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True

    threading.Thread(target=stop_with_the_hub, name="stdin", daemon=True).start()
    server.run()


if __name__ == "__main__":
    main()
