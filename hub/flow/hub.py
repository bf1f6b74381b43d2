"""What every step of the flow has at hand: the store, the clock, the connections and who decides."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub.configuration import Category, Teams
from hub.configuration import Connection as ConnectionConfig
from hub.flow.files import FileFetcher
from hub.flow.incident import Spacing
from hub.flow.media import MediaFetcher
from hub.sdk import CategoryName, Connector, Decides, House, HttpSession, Sink, Source, Toolbox, Words
from hub.store import Store, connections
from hub.store.secrets import Cipher, StoredVault

log = logging.getLogger("hub")

USER_AGENT = "social-care-hub"


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient the hub is. Tests and the crash run shorten it."""

    lease: timedelta = timedelta(seconds=120)
    call: timedelta = timedelta(seconds=40)
    """The longest one vendor call may take: a sender that would outlive its lease does not start it."""
    first_retry: timedelta = timedelta(seconds=2)
    longest_retry: timedelta = timedelta(minutes=5)
    attempts: int = 10
    looks: int = 8
    proof_alone_after: timedelta = timedelta(seconds=5)
    echo_retry: timedelta = timedelta(seconds=1)
    probe_paused_every: timedelta = timedelta(seconds=60)
    routers: timedelta = timedelta(seconds=2)
    unsaid_rate_limit: timedelta = timedelta(seconds=30)
    """How long a 429 without a time makes us wait."""


@dataclass(frozen=True)
class Connected:
    """One configured connection with its connector class and validated settings."""

    config: ConnectionConfig
    connector: type[Connector]
    settings: Any

    @property
    def name(self) -> str:
        """The connection's name."""
        return self.config.name

    @property
    def side(self) -> str:
        """``source`` or ``sink``."""
        return "source" if issubclass(self.connector, Source) else "sink"

    def has(self, role: type) -> bool:
        """True when the connector fulfils a role."""
        return issubclass(self.connector, role)


class Gathering:
    """Spaces the calls of connections that send many deliveries in one, so that what comes meanwhile shares a call."""

    def __init__(self) -> None:
        self._next: dict[str, datetime] = {}

    def free(self, name: str, least: timedelta, now: datetime) -> bool:
        """True when this connection's last call began ``least`` ago."""
        # A clock that was set back must not silence a connection for as long as it was wrong.
        return not timedelta(0) < self._next.get(name, now) - now <= least

    def begin(self, name: str, least: timedelta, now: datetime) -> None:
        """A call begins; the next one may in ``least``."""
        if least:
            self._next[name] = now + least


@dataclass
class Hub:
    """One hub at work. ``now`` is its only clock; ``nudge`` wakes whoever waits for work (embedded: threads)."""

    store: Store
    cipher: Cipher
    connected: Mapping[str, Connected]
    routers: Sequence[Decides]
    teams: Teams
    categories: Mapping[str, Category]
    now: Callable[[], datetime]
    timing: Timing = Timing()
    language: str = "en"
    public_url: str = ""
    proxy: str = ""
    ca_file: str = ""
    local_media: bool = False
    media_hosts: Sequence[str] = ()
    left_out: Mapping[str, ConnectionConfig] = field(default_factory=dict)
    """Configured connections that could not start: what is meant for them waits."""
    random: random.Random = field(default_factory=random.Random)  # noqa: S311 - jitter
    nudge: Callable[[str], None] = lambda what: None
    checked: set[str] = field(default_factory=set)
    """Connections whose account was seen by this process: nothing is read or said before."""
    gathering: Gathering = field(default_factory=Gathering)
    spacing: Spacing = field(default_factory=Spacing)
    _local: threading.local = field(default_factory=threading.local)

    def instance(self, name: str) -> Connector:
        """This thread's own instance of a connection's connector."""
        made: dict[str, Connector] = self._local.__dict__.setdefault("instances", {})
        if name not in made:
            connected = self.connected[name]
            made[name] = connected.connector(connected.settings, self.toolbox(name))
        return made[name]

    def toolbox(self, name: str) -> Toolbox:
        """A toolbox for one instance."""
        calls = self.calls(name)
        net: Any = {"user_agent": USER_AGENT, "proxy": self.proxy, "ca_file": self.ca_file}
        media = MediaFetcher(**net, from_this_machine=self.local_media, own_hosts=self.media_hosts)
        return Toolbox(
            connection=name,
            http=HttpSession(**net, on_call=calls.count),
            vault=StoredVault(self.store, self.cipher, name, self.now),
            now=self.now,
            log=logging.LoggerAdapter(logging.getLogger(f"hub.connection.{name}"), {"connection": name}),
            fetch_media=FileFetcher(self, media),
            public_url=self.public_url,
            made_at=self._made_at(name),
            house=self.house(name),
        )

    def house(self, name: str) -> House:
        """What a connection may know of this hub."""
        named = {
            one.name: Words(en=one.label.in_language("en") or one.name, it=one.label.in_language("it") or one.name)
            for one in self.categories.values()
        }
        groups = {team.group: None for team in self.teams.teams.values() if team.sink == name and team.group}
        return House(
            language="it" if self.language == "it" else "en",
            categories=tuple(CategoryName(name=key, label=label) for key, label in named.items()),
            groups=tuple(groups),
        )

    def _made_at(self, name: str) -> datetime | None:
        with self.store.read() as connection:
            made: dict[str, datetime] = {row.name: row.made_at for row in connections.every(connection)}
        return made.get(name)

    def calls(self, name: str) -> CallCounter:
        """This thread's count of calls to a connection's vendor, not yet written down."""
        counters: dict[str, CallCounter] = self._local.__dict__.setdefault("calls", {})
        return counters.setdefault(name, CallCounter())

    def sinks(self) -> list[str]:
        """The names of the sink connections."""
        return [name for name, connected in self.connected.items() if issubclass(connected.connector, Sink)]

    def encrypt_json(self, value: Any) -> str | None:
        """Encrypted JSON of a personal value; ``None`` for an empty one."""
        return self.cipher.encrypt(json.dumps(value, ensure_ascii=False)) if value else None

    def decrypt_json(self, token: str | None) -> Any:
        """What :meth:`encrypt_json` was given; an empty dict for ``None``."""
        return json.loads(self.cipher.decrypt(token)) if token else {}


class CallCounter:
    """Counts calls until somebody writes them down, and remembers how quick they were."""

    def __init__(self) -> None:
        self.waiting = 0
        self.pace = timedelta()
        """How long one delivery took of late."""

    def count(self) -> None:
        """One more call."""
        self.waiting += 1

    def take(self) -> int:
        """The calls since the last time."""
        taken, self.waiting = self.waiting, 0
        return taken
