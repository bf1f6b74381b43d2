"""A hub on a real database with the fake vendors, a clock that only moves when told, and hands to use them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import text

from hub.configuration import Category, Connection, Team, Teams
from hub.flow.hub import Connected, Hub, Timing
from hub.store import Store
from hub.store.secrets import Cipher
from hub.store.tables import metadata
from hub.work.engine import Engine
from tests.fakes.connectors import IN_PROCESS, FakeSettings, FakeSink, FakeSource
from tests.fakes.vendor import FakeHelpdesk, FakeNetwork

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


class Clock:
    """Time that moves by hand."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def stamp(self) -> float:
        """As the vendors see it."""
        return self.time.timestamp()

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)


class House:
    """Everything of one test. ``restart`` throws the hub's process state away, as a crash would."""

    def __init__(
        self,
        url: str,
        *,
        mode: str = "live",
        sink_mode: str = "live",
        seed: int = 1,
        left_out: tuple[str, ...] = (),
        second_desk: bool = False,
        desk: type = FakeSink,
    ) -> None:
        self.url, self.clock, self.seed = url, Clock(), seed
        self.network = FakeNetwork(now=self.clock.stamp)
        self.helpdesk = FakeHelpdesk(now=self.clock.stamp)
        IN_PROCESS["in-process:network"] = self.network
        self.other_helpdesk = FakeHelpdesk(now=self.clock.stamp)
        IN_PROCESS["in-process:helpdesk"] = self.helpdesk
        IN_PROCESS["in-process:other"] = self.other_helpdesk
        self.left_out = left_out
        self.second_desk = second_desk
        self.desk = desk
        self.modes = {"network": mode, "desk": sink_mode, "other": sink_mode}
        self.timing = Timing()
        self.routers: list[Any] = []
        self.categories: dict[str, Category] = {}
        self.store = Store(url)
        metadata.create_all(self.store.writer_engine)
        self.start()

    def connected(self, name: str, connector: type, url: str) -> Connected:
        """One connection."""
        config = Connection(name=name, connector=connector.name, mode=self.modes[name])  # type: ignore[attr-defined]
        return Connected(config=config, connector=connector, settings=FakeSettings(url=url))

    def start(self) -> None:
        """Bring the hub up on the database as it is."""
        every = {
            "network": self.connected("network", FakeSource, "in-process:network"),
            "desk": self.connected("desk", self.desk, "in-process:helpdesk"),
            "other": self.connected("other", FakeSink, "in-process:other"),
        }
        if not self.second_desk:
            del every["other"]
        self.hub = Hub(
            store=self.store,
            cipher=Cipher(Fernet.generate_key()),
            connected={name: one for name, one in every.items() if name not in self.left_out},
            left_out={name: one.config for name, one in every.items() if name in self.left_out},
            routers=self.routers,
            teams=Teams(default_team="care", teams={"care": Team(name="care", sink="desk", group="Care")}),
            categories=self.categories,
            now=self.clock,
            timing=self.timing,
            random=random.Random(self.seed),
        )
        self.engine = Engine(self.hub)
        self.engine.prepare(alone=True)

    def restart(self) -> None:
        """The process died and comes back."""
        self.store.close()
        self.store = Store(self.url)
        self.start()

    def step(self) -> int:
        """One round."""
        return self.engine.step()

    def settle(self, *, seconds: float = 120, most: int = 400) -> None:
        """Let rounds and time go by until nothing is left to do."""
        quiet = 0
        for _ in range(most):
            busy = self.step()
            self.clock.forward(1.0)
            quiet = 0 if busy else quiet + 1
            if quiet > seconds:
                return
        # Busy until the end is allowed: polls always look.

    def rows(self, sql: str, **values: Any) -> list[Any]:
        """Ask the database."""
        with self.store.read() as connection:
            return list(connection.execute(text(sql), values))

    def close(self) -> None:
        """Free the database."""
        self.store.close()
