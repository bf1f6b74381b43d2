# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m plugins.sinks.zendesk.sandbox --port P --state DIR``."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path

from waitress import serve

from plugins.sinks.zendesk.sandbox.server import Gate, create_app


def main() -> None:
    """Serve on 127.0.0.1 until standard input is closed."""
    parser = argparse.ArgumentParser(prog="python -m plugins.sinks.zendesk.sandbox")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    app = create_app(options.state / "zendesk.sqlite", description=os.environ.get("HUB_SANDBOX_OAS", ""))
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    threading.Thread(target=_beat, args=(app.wsgi_app,), daemon=True).start()
    serve(app, host="127.0.0.1", port=options.port, threads=16, _quiet=True)


def _beat(gate: Gate) -> None:
    stopped = threading.Event()
    while not stopped.wait(0.1):
        gate.beat()


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # waitress has no way to stop from another thread; every answer was committed before it left


if __name__ == "__main__":
    main()
