"""The shape of hub.toml: what each key may hold. A connection's and a router's own keys stay raw."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

Mode = Literal["observe", "draft", "live"]

TRIAL_PREFIX = "trial-"
"""Connections of the trial are named ``trial-<connector>``; nobody else's may be."""

Winner = Literal["helpdesk", "hub"]
Mirrored = Literal["status", "priority", "group", "assignee", "tags"]
"""What a ticket and its helpdesk record both have."""


class Table(BaseModel):
    """A table of the configuration: frozen, and a key it does not know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _listen(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not host or not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must be an address and a port")
    return value


def _public_url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s?#]+", value):
        raise ValueError("must be the address the world sees, with https://")
    return value.rstrip("/")


def _database(value: str) -> str:
    if value != "sqlite" and not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError('must be "sqlite" or the address of a PostgreSQL database')
    return value


def _hour(value: str) -> str:
    if value and not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError('must be a time of day such as "03:00", or empty: never')
    return value


def _network(value: str) -> str:
    ipaddress.ip_network(value, strict=False)
    return value


def _own_host(value: str) -> str:
    name, colon, port = value.partition(":")
    label = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
    # A last label that begins with a digit makes an address, in one of its many spellings.
    named = re.fullmatch(rf"({label}\.)*(?![0-9]){label}", name, re.IGNORECASE)
    if not named or (colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise ValueError("must be names of hosts, with a port where it is another one: no address, no https://, no *")
    return value.lower()


class Hub(Table):
    """``[hub]``: the process itself."""

    listen: Annotated[str, AfterValidator(_listen)] = Field("127.0.0.1:8765", examples=["127.0.0.1:8765"])
    public_url: Annotated[str, AfterValidator(_public_url)] = Field("", examples=["https://care.example.com"])
    database: Annotated[str, AfterValidator(_database)] = Field(
        "sqlite", examples=["postgresql+psycopg://hub@db.example.com/hub"], repr=False
    )
    var: str = Field("", examples=["/var/lib/social-care-hub"])
    allowed_hosts: tuple[str, ...] = Field((), examples=[["care.example.com"]])
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = Field((), examples=[["10.0.0.0/8"]])
    language: Literal["en", "it"] = Field("en", examples=["it"])
    reconcile_at: Annotated[str, AfterValidator(_hour)] = Field("03:00", examples=["03:00"])
    """When, in local time, each helpdesk is compared with what the hub holds, once a night; empty: never."""
    senders: int = Field(4, ge=1, le=64, examples=[4])
    one_core: bool = Field(True, examples=[False])
    """Keep ``hub run`` to one core: its threads take turns anyway, and on several cores each turn costs more."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to bind; an IPv6 address without its brackets."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class Http(Table):
    """``[http]``: how the hub reaches the vendors."""

    proxy: str = Field("", examples=["http://proxy.example.com:3128"], repr=False)
    ca_file: str = Field("", examples=["/etc/ssl/certs/corporate.pem"])
    local_media: bool = Field(False, examples=[True])
    """Attachments may be fetched from this machine too: for trials next to a vendor's development server."""
    media_hosts: tuple[Annotated[str, AfterValidator(_own_host)], ...] = Field((), examples=[["mastodon.intern"]])
    """The company's own hosts from which attachments may be fetched although their addresses are not public. A customer
    can make the hub ask for any address there, and pass the answer on to the agents."""


class Trial(Table):
    """``[trial]``: the sandboxes that let one see the hub at work without any account."""

    enabled: bool = Field(False, examples=[True])
    source: str = Field("mastodon", examples=["mastodon"])
    sink: str = Field("zendesk", examples=["zendesk"])

    @property
    def connections(self) -> dict[str, str]:
        """Name -> side of the connections the trial will make; empty when it is off."""
        if not self.enabled:
            return {}
        return {TRIAL_PREFIX + self.source: "source", TRIAL_PREFIX + self.sink: "sink"}


class Email(Table):
    """``[alerts.email]``."""

    to: tuple[str, ...] = Field(min_length=1, examples=[["oncall@example.com"]])
    sender: str = Field(examples=["hub@example.com"])
    server: str = Field("localhost:25", examples=["mail.example.com:587"])
    user: str = ""
    password: str = Field("", examples=['{ env = "HUB_MAIL_PASSWORD" }'], repr=False)


class Alerts(Table):
    """``[alerts]``: who is told when a connection stops."""

    webhook: str = Field("", examples=["https://chat.example.com/hooks/1"], repr=False)
    email: Email | None = None

    @field_validator("webhook")
    @classmethod
    def _address(cls, value: str) -> str:
        return _public_url(value)


class Connection(Table):
    """One named, configured instance of a connector. ``settings`` is raw, with its secrets filled in: it never shows
    in a ``repr``. ``from_outside`` lists the settings that came from ``{ env = … }`` or ``{ file = … }``."""

    name: str
    connector: str = Field(examples=["zendesk"])
    mode: Mode = Field("observe", examples=["observe"])
    brand: str = Field("", examples=["Acme"])
    country: str = Field("", examples=["IT"])
    enabled: bool = True
    wins: Mapping[Mirrored, Winner] = Field(default_factory=dict, examples=['{ priority = "hub" }'])
    """Of a sink: whose value holds where both sides have one. What is not named, the helpdesk decides."""
    settings: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    from_outside: frozenset[str] = frozenset()

    @property
    def path(self) -> str:
        """Where it stands in hub.toml."""
        return f"connections.{self.name}"


OWN_KEYS = ("connector", "mode", "brand", "country", "enabled", "wins")
"""The keys of a connection's block that are the hub's; all others are the connector's."""


def check_name(name: str) -> str:
    """Why this cannot be the name of a connection; empty when it can."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name):
        return "a connection's name has lower-case letters, digits and -, at most 40"
    if name.startswith(TRIAL_PREFIX):
        return f'names that begin with "{TRIAL_PREFIX}" belong to the trial'
    return ""


class RouterBlock(Table):
    """One ``[[routers]]`` block: the router's name and its own settings, raw. Earlier blocks win."""

    name: str
    position: int
    settings: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where it stands in hub.toml."""
        return f"routers[{self.position}]"


def database_url(hub: Hub, folder: Path, var_dir: Path) -> str:
    """The address SQLAlchemy takes; a relative SQLite file is relative to hub.toml."""
    if hub.database == "sqlite":
        return f"sqlite:///{var_dir / 'hub.sqlite'}"
    if hub.database.startswith("sqlite:///"):
        return f"sqlite:///{folder / hub.database.removeprefix('sqlite:///')}"
    return "postgresql+psycopg://" + hub.database.partition("://")[2]
