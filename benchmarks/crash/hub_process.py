"""The hub of a crash run: the embedded hub and its web server, on the fake vendors."""

from __future__ import annotations

import argparse
import logging
import os
import random
from datetime import timedelta
from pathlib import Path

import waitress

from benchmarks.crash.bugs import BUGS
from hub.catalogue import Catalogue
from hub.configuration import Connection, HubConfig, Team, Teams
from hub.flow.hub import Connected, Hub, Timing
from hub.store import Store, lock_database, migrate
from hub.store.secrets import Cipher
from hub.web import create_app
from hub.work.assembly import utc_now
from hub.work.embedded import Embedded
from hub.work.engine import Engine
from tests.fakes.connectors import FakeSettings, FakeSink, FakeSource

KEY = b"Q0tDS0tDS0NLQ0tDS0NLQ0tDS0NLQ0tDS0NLQ0tDS0M="
TIMING = Timing(
    lease=timedelta(seconds=20),
    call=timedelta(seconds=10),
    first_retry=timedelta(seconds=0.2),
    longest_retry=timedelta(seconds=2),
    attempts=50,
    looks=50,
    proof_alone_after=timedelta(seconds=1),
    echo_retry=timedelta(seconds=0.2),
    unsaid_rate_limit=timedelta(seconds=1),
    probe_paused_every=timedelta(seconds=1),
)


def connected(name: str, connector: type, url: str) -> Connected:
    """One connection to a fake vendor."""
    config = Connection(name=name, connector=connector.name, mode="live")  # type: ignore[attr-defined]
    return Connected(config=config, connector=connector, settings=FakeSettings(url=url, poll_every=0.3))


def zendesk(url: str, email: str, token: str, secret: str) -> Connected:
    """The Zendesk sink, webhook and export both on."""
    kind = Catalogue.load().sinks["zendesk"]
    config = Connection(name="desk", connector="zendesk", mode="live")
    given = {"base_url": url, "email": email, "api_token": token, "webhook_secrets": (secret,), "poll_every": 6}
    return Connected(config=config, connector=kind, settings=kind.Settings.model_validate(given))


def build(database: str, vendors: str, desk: Connected) -> Hub:
    """The hub."""
    return Hub(
        store=Store(database),
        cipher=Cipher(KEY),
        connected={
            "network": connected("network", FakeSource, f"{vendors}/network"),
            "desk": desk,
        },
        routers=[],
        teams=Teams(default_team="care", teams={"care": Team(name="care", sink="desk", group="Care")}),
        categories={},
        now=utc_now,
        timing=TIMING,
        random=random.Random(),
    )


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--db", required=True)
    parser.add_argument("--vendors", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--var", required=True)
    parser.add_argument("--bug", default="")
    parser.add_argument("--zendesk", nargs=4)
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    os.environ["HUB_SECRET_KEY"] = KEY.decode()
    if options.bug:
        BUGS[options.bug]()
    lock = lock_database(options.db, "crash run")
    migrate(options.db)
    fake = connected("desk", FakeSink, f"{options.vendors}/helpdesk")
    desk = zendesk(*options.zendesk) if options.zendesk else fake
    hub = build(options.db, options.vendors, desk)
    hub.store.start()
    work = Embedded(Engine(hub), senders=4)
    work.start(alone=True)
    var = Path(options.var)
    config = HubConfig(path=var / "hub.toml", var_dir=var, teams=hub.teams)
    app = create_app(hub, config, Catalogue.of(FakeSource, desk.connector))
    waitress.serve(app, host="127.0.0.1", port=options.port, threads=32, _quiet=True)
    lock.release()


if __name__ == "__main__":
    main()
