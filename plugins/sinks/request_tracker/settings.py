"""What an operator sets for a Request Tracker connection."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import field_validator

from hub.sdk import BaseUrl, Field, Secret, Settings
from hub.sdk.messages import Priority, TicketStatus

AssignMode = Literal["off", "fields", "group", "agent"]

TO_RT: dict[TicketStatus, str] = {
    "new": "new",
    "open": "open",
    "pending": "stalled",
    "hold": "stalled",
    "solved": "resolved",
    "closed": "resolved",
}
FROM_RT: dict[str, TicketStatus] = {
    "new": "new",
    "open": "open",
    "stalled": "pending",
    "resolved": "solved",
    "rejected": "closed",
}
PRIORITIES: dict[Priority, int] = {"low": 0, "normal": 50, "high": 100, "urgent": 120}


class RequestTrackerSettings(Settings):
    """One Request Tracker 5 with its REST 2 interface, one account of ours, one queue where tickets are opened."""

    url: BaseUrl = Field(description="Address of RT, without /REST/2.0", examples=["https://rt.example.com"])
    token: Secret = Field(description="Authentication token of our account", examples=[{"env": "RT_TOKEN"}])
    queue: str = Field(
        min_length=1, max_length=120, description="Name of the queue for new tickets", examples=["Social"]
    )
    external_id_field: str = Field(
        "ExternalID", description="Ticket custom field that holds the hub's id", examples=["ExternalID"]
    )
    tags_field: str = Field(
        "", description="Ticket custom field (many values) for tags; empty: no tags", examples=["Tags"]
    )
    category_field: str = Field(
        "", description="Ticket custom field for the category; empty: RT keeps it in a tag only", examples=["Category"]
    )
    permalink_field: str = Field("", description="Ticket custom field for the address of the customer's post")
    proof_field: str = Field("", description="Ticket custom field for the address of the published answer")
    field_names: dict[str, str] = Field(
        default_factory=dict,
        description="Custom field per collected field; what has none goes into an internal note",
        examples=[{"order_number": "OrderNumber"}],
    )
    webhook_secrets: tuple[Secret, ...] = Field(
        (), max_length=2, description="Signing secrets of the scrip; two while one replaces the other"
    )
    assign: AssignMode = Field(
        "fields",
        description="How far routing may go: off, fields (tags and custom fields only), group (the team's queue), "
        "agent (also the owner)",
    )
    statuses: dict[TicketStatus, str] = Field(
        default_factory=dict, description="RT status per status of the hub, where a lifecycle of yours differs"
    )
    statuses_seen: dict[str, TicketStatus] = Field(
        default_factory=dict, description="Status of the hub per RT status, for statuses of your own lifecycles"
    )
    priorities: dict[Priority, int] = Field(
        default_factory=dict, description="RT priority per priority of the hub (default 0, 50, 100, 120)"
    )
    agents: tuple[str, ...] = Field(
        (), description="Only these RT users speak to customers; empty: every privileged user", examples=[["anna"]]
    )
    not_agents: tuple[str, ...] = Field((), description="Privileged users that are programs", examples=[["monitoring"]])
    answers_by_mail: bool = Field(
        False, description="Whether what agents mail to RT may reach customers (automatic mail never does)"
    )
    max_attachment_bytes: int = Field(
        5_000_000, ge=0, description="Customers' files up to this size, all of a message together, are put into RT"
    )
    agent_language: Literal["it", "en"] = Field("en", description="Language of what agents read from the hub")
    poll_every: float = Field(30.0, ge=2, description="Seconds between polls")

    @field_validator("token")
    @classmethod
    def _a_token(cls, value: Secret) -> Secret:
        if not re.fullmatch(r"1-[0-9]{1,10}-[0-9a-fA-F]{32}", value.get_secret_value()):
            raise ValueError("must be an RT authentication token (1-<user number>-<32 hexadecimal digits>)")
        return value

    @property
    def user_id(self) -> str:
        """Number of the RT user the token belongs to: the token's second part."""
        return self.token.get_secret_value().split("-")[1]

    @property
    def custom_fields(self) -> tuple[str, ...]:
        """Every ticket custom field the connection uses, the external id first."""
        named = (self.external_id_field, self.tags_field, self.category_field, self.permalink_field, self.proof_field)
        return tuple(dict.fromkeys(name for name in (*named, *self.field_names.values()) if name))

    def status_for(self, status: TicketStatus) -> str:
        """RT's word for a status of the hub."""
        return self.statuses.get(status) or TO_RT[status]

    def status_of(self, word: str) -> TicketStatus | None:
        """The hub's status for RT's word; ``None`` when the lifecycle has a word nobody mapped."""
        return self.statuses_seen.get(word) or FROM_RT.get(word)

    def priority_for(self, priority: Priority) -> int:
        """RT's number for a priority of the hub."""
        return self.priorities.get(priority, PRIORITIES[priority])

    def priority_of(self, number: int) -> Priority:
        """The highest priority of the hub whose number is not above ``number``."""
        steps = sorted((self.priority_for(name), place, name) for place, name in enumerate(PRIORITIES))
        return next((name for value, _, name in reversed(steps) if value <= number), steps[0][2])

    @property
    def loopback_host(self) -> str:
        """The host without its port when RT is on this machine; else empty."""
        host = urlsplit(self.url).hostname or ""
        try:
            return host if ipaddress.ip_address(host).is_loopback else ""
        except ValueError:
            return host if host == "localhost" else ""
