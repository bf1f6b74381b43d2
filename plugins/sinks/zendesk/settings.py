# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator sets for a Zendesk connection."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, field_validator, model_validator

from hub.sdk import BaseUrl, Field, Kind, Priority, Secret, Settings

AssignMode = Literal["off", "fields", "group", "agent"]
TicketType = Literal["problem", "incident", "question", "task"]
OpenStatus = Literal["new", "open", "pending", "hold", "solved"]
POLL_AT_LEAST = 12
"""Seconds between polls at Zendesk, each of which reads up to two exports; a sandbox on this machine has no limit."""


class ZendeskSettings(Settings):
    """One Zendesk account. Give ``subdomain`` (or ``base_url``) and one way in: ``client_id`` (OAuth, the way that
    lasts), ``email`` with ``api_token``, or ``oauth_token``."""

    # Pydantic would print the whole block, tokens and all, beside an error of the block as a whole.
    model_config = ConfigDict(hide_input_in_errors=True)

    subdomain: str = Field(
        "",
        pattern=r"^([a-z0-9][a-z0-9-]*)?$",
        description="The part before .zendesk.com: lower-case letters, digits and -",
        examples=["acme"],
    )
    base_url: BaseUrl | None = Field(
        None, description="Instead of the subdomain: a sandbox or an own domain", examples=["https://help.acme.example"]
    )
    client_id: str = Field(
        "",
        pattern=r"^[\w.:-]*$",
        description="Identifier of the OAuth client; its tokens come by hub connections connect and renew themselves",
        examples=["social_care_hub"],
    )
    client_secret: Secret | None = Field(
        None, description="Secret of a confidential OAuth client; a public one has none and uses PKCE alone"
    )
    ask_write: bool = Field(
        False,
        description="Ask for the scope write too: making views and ticket fields takes it; only the setup needs it",
    )
    email: str = Field(
        "", description="E-mail of the agent account the token belongs to", examples=["hub@acme.example"]
    )
    api_token: Secret | None = Field(None, description='API token, for example { env = "ZENDESK_TOKEN" }')
    oauth_token: Secret | None = Field(None, description="OAuth access token made by hand, which the hub cannot renew")
    webhook_secrets: tuple[Secret, ...] = Field(
        (), max_length=2, description="Signing secrets of the webhook; two while one replaces the other"
    )
    assign: AssignMode = Field(
        "fields",
        description="How far routing may go: off, fields (tags and custom fields only), group, agent",
    )
    human_roles: tuple[str, ...] = Field(
        ("agent", "admin"),
        description="Zendesk roles whose public comments may reach customers: agent, admin or both",
        examples=[["agent", "admin"]],
    )
    agent_language: Literal["it", "en"] | None = Field(
        None, description="Language of what agents read from the hub; empty: the hub's own"
    )
    poll_every: float = Field(
        30.0, ge=6, description="Seconds between polls, at least 12: the exports allow 10 calls a minute"
    )
    tag_prefix: str = Field(
        "sch",
        pattern=r"^[a-z0-9]+$",
        description="Our tags start with it; lower-case letters and digits",
        examples=["sch"],
    )
    permalink_field: int | None = Field(None, description="Id of a text field for the address of the customer's post")
    proof_field: int | None = Field(None, description="Id of a text field for the address of the published answer")
    category_field: int | None = Field(
        None, description="Id of a dropdown or text field for the category; what agents choose there comes back"
    )
    deadline_field: int | None = Field(
        None, description="Id of a date (or text) field for the day by which to answer, by which views can sort"
    )
    state_field: int | None = Field(
        None, description="Id of a dropdown or text field for what became of the last answer"
    )
    make_category_field: bool = Field(
        False, description="Let the setup make a dropdown Category, where category_field names none"
    )
    brand_id: int | None = Field(None, ge=1, description="Brand of new tickets; empty: the account's default")
    ticket_form_id: int | None = Field(None, ge=1, description="Form of new tickets; empty: the account's default")
    ticket_types: dict[Kind, TicketType] = Field(
        default_factory=dict,
        description="Zendesk's type per kind of request; a kind that is not named gets none",
        examples=[{"complaint": "problem", "question": "question"}],
    )
    priorities: dict[Priority, Priority] = Field(
        default_factory=dict,
        description="Zendesk's priority per priority of ours, where they differ",
        examples=[{"urgent": "high"}],
    )
    custom_statuses: dict[OpenStatus, int] = Field(
        default_factory=dict,
        description="Id of the custom status to set per status, where it is not the account's default one",
        examples=[{"pending": 1003}],
    )
    contact_kinds: tuple[Kind, ...] = Field(
        ("complaint", "question", "suggestion", "other"),
        description="Kinds of request whose author becomes an end user of their own; the rest shares one per network",
        examples=[["complaint", "question"]],
    )
    field_ids: dict[str, int] = Field(
        default_factory=dict,
        description="Custom field id per collected field; what has none goes into an internal note",
        examples=[{"order_number": 360000000001}],
    )

    @field_validator("email")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
            raise ValueError("must be an e-mail address")
        return value

    @field_validator("human_roles")
    @classmethod
    def _of_the_company(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        # An end user is a customer: what customers write must never be published as the company's answer.
        if not value or not set(value) <= {"agent", "admin"}:
            raise ValueError('may only name "agent" and "admin"')
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if bool(self.subdomain) == bool(self.base_url):
            raise ValueError("give either subdomain or base_url")
        ways = [bool(self.client_id), bool(self.api_token), bool(self.oauth_token)]
        if sum(ways) != 1:
            raise ValueError("give exactly one of client_id (OAuth), api_token (with email) and oauth_token")
        if self.client_secret and not self.client_id:
            raise ValueError("client_secret needs client_id")
        if self.api_token and not self.email:
            raise ValueError("api_token needs email, the account it belongs to")
        if self.poll_every < POLL_AT_LEAST and not self.loopback_host:
            raise ValueError(f"poll_every must be at least {POLL_AT_LEAST}: Zendesk's exports allow 10 calls a minute")
        return self

    @property
    def language(self) -> Literal["it", "en"]:
        """What agents read in. The connector fills ``agent_language`` in where it is empty."""
        return self.agent_language or "en"

    @property
    def origin(self) -> str:
        """Scheme and host of the account, without a trailing slash."""
        return self.base_url or f"https://{self.subdomain}.zendesk.com"

    @property
    def loopback_host(self) -> str:
        """The host without its port when ``base_url`` is on this machine, as a sandbox is; else empty."""
        host = urlsplit(self.origin).hostname or ""
        try:
            return host if ipaddress.ip_address(host).is_loopback else ""
        except ValueError:
            return host if host == "localhost" else ""
