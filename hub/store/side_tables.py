"""The tables beside the flow: consents under way, a helpdesk's people and past, what a comparison showed, and which
accounts may be one customer."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text, UniqueConstraint

from hub.store.columns import BIG, Json, Utc, count, flag, identifier, only_if, ref, text_column
from hub.store.tables import metadata

consent = Table(  # a person was sent to a vendor's page and is expected back
    "consent",
    metadata,
    Column("state", String(64), primary_key=True),  # a digest: the state itself travels through browsers
    Column("kind", String(8), nullable=False),  # consent, or link: for a person who holds the rights
    Column("connection", String(60), nullable=False),
    text_column("actor"),
    text_column("redirect_url"),
    Column("verifier", Text),  # encrypted; gone once it was used
    Column("staged", Text),  # encrypted: what the consent brought, until it is known whose account it is
    Column("choices", Json),
    text_column("outcome"),
    text_column("detail"),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("done_at", Utc),
)

agent = Table(  # who answers in a helpdesk, as it last said
    "agent",
    metadata,
    Column("connection", String(60), primary_key=True),
    Column("vendor_id", String(200), primary_key=True),
    text_column("name"),
    text_column("email"),
    Column("groups", Json),
    Column("skills", Json),
    Column("available", Json),  # yes, no or nothing: not every helpdesk says
    Column("open_tickets", BIG),
    Column("capacity", BIG),
    Column("seen_at", Utc, nullable=False),
)

past_ticket = Table(  # what a helpdesk had before or beside us; text and people are encrypted
    "past_ticket",
    metadata,
    identifier(),
    Column("connection", String(60), nullable=False),
    Column("vendor_id", String(200), nullable=False),
    text_column("external_id"),
    text_column("status"),
    text_column("channel"),
    text_column("group_name"),
    text_column("solver"),
    Column("tags", Json),
    count("comments"),
    Column("content", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("solved_at", Utc),
    Column("read_at", Utc, nullable=False),
    UniqueConstraint("connection", "vendor_id"),
)

backfill = Table(
    "backfill",
    metadata,
    identifier(),
    Column("connection", String(60), nullable=False),
    Column("since", Utc, nullable=False),
    Column("cursor", Json),
    count("read"),
    Column("total", BIG),
    Column("started_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("done_at", Utc),
    Index("uq_backfill_open", "connection", unique=True, **only_if("done_at IS NULL")),
)

certificate = Table(  # both sides counted and compared
    "certificate",
    metadata,
    identifier(),
    Column("connection", String(60), nullable=False),
    Column("at", Utc, nullable=False),
    Column("since", Utc),
    flag("whole"),
    count("records"),
    count("comments"),
    count("moving"),  # records with something on its way: not compared
    count("young"),  # what differed, and was too young to be called a difference
    count("found"),
    count("repaired"),
    Column("differences", Json),
    text_column("ours"),
    text_column("theirs"),
    Index("ix_certificate_connection_at", "connection", "at"),
)

own_secret = Table(  # random values the hub made for itself, encrypted
    "own_secret",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("ciphertext", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
)

person_key = Table(  # who gave this e-mail address or telephone number: to be compared, never to be read
    "person_key",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("identity_id", BIG, ForeignKey("identity.id"), primary_key=True),
    Column("created_at", Utc, nullable=False),
)

person_pair = Table(  # two accounts of which somebody said, or may say, whether they are one customer
    "person_pair",
    metadata,
    Column("low_id", BIG, ForeignKey("identity.id"), primary_key=True),
    Column("high_id", BIG, ForeignKey("identity.id"), primary_key=True),
    Column("state", String(8), nullable=False),  # proposed, joined, parted
    ref("ticket_id", "ticket", index=True),  # where the hub proposed it
    text_column("evidence"),
    Column("proposed_at", Utc),
    Column("decided_at", Utc),
)
