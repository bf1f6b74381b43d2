"""The tables, once, for SQLite and PostgreSQL. What each is for is in docs/decisions/0002-tables.md."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

INBOX_STATES = ("new", "done", "ignored", "parked", "discarded")
DELIVERY_STATES = ("waiting", "claimed", "sending", "unknown", "done", "superseded", "parked", "discarded")
OPEN_STATES = ("waiting", "claimed", "sending", "unknown")


_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Utc(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as epoch milliseconds: SQLite would give back a naive one."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Milliseconds since the epoch; a naive datetime is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the store")
        return round(value.timestamp() * 1000)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """The aware datetime."""
        return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


class Json(TypeDecorator[Any]):
    """A JSON value in a text column, the same on both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Compact JSON."""
        return None if value is None else _COMPACT.encode(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value."""
        return None if value is None else json.loads(value)


BIG = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", BIG, primary_key=True, autoincrement=True)


def _ref(name: str, target: str, *, nullable: bool = True, index: bool = False) -> Column[int]:
    return Column(name, BIG, ForeignKey(f"{target}.id"), nullable=nullable, index=index)


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, default=default, server_default=default)


def _flag(name: str, default: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=False, default=default, server_default=text("true" if default else "false"))


def _count(name: str) -> Column[int]:
    return Column(name, BIG, nullable=False, default=0, server_default="0")


def _only_if(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


connection = Table(
    "connection",
    metadata,
    Column("name", String(60), primary_key=True),
    _text("connector"),
    _text("side"),
    _text("mode", "observe"),
    Column("made_at", Utc, nullable=False),
    _text("fingerprint"),
    Column("account", Json),
    _text("paused"),
    _text("paused_by"),
    Column("paused_at", Utc),
    Column("blocked_until", Utc),
    Column("probe_at", Utc),
    _count("failures"),
    _text("last_error"),
    Column("last_error_at", Utc),
    Column("last_success_at", Utc),
    Column("last_event_at", Utc),
    Column("next_poll_at", Utc),
    _count("calls"),
    _count("signatures_rejected"),
    _flag("gone"),
)

cursor = Table(
    "cursor",
    metadata,
    Column("connection", String(60), primary_key=True),
    Column("value", Json, nullable=False),
    Column("version", BIG, nullable=False, default=1),
    Column("updated_at", Utc, nullable=False),
)

arrival = Table(
    "arrival",
    metadata,
    _id(),
    Column("connection", String(60), nullable=False),
    Column("received_at", Utc, nullable=False, index=True),
    _text("method"),
    _text("content_type"),
    Column("headers", Json),
    Column("body", LargeBinary),
    _text("digest"),
    _text("note"),
)

inbox = Table(
    "inbox",
    metadata,
    _id(),
    Column("connection", String(60), nullable=False),
    Column("event_key", String(400), nullable=False),
    _ref("arrival_id", "arrival"),
    Column("lane", String(400), nullable=False),
    Column("type", String(30), nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", String(12), nullable=False, default="new"),
    _text("reason"),
    _text("detail"),
    _count("attempts"),
    Column("created_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("done_at", Utc),
    _ref("ticket_id", "ticket"),
    UniqueConstraint("connection", "event_key"),
    CheckConstraint(f"state IN {INBOX_STATES}", name="state"),
    Index("ix_inbox_new", "connection", "id", **_only_if("state = 'new'")),
    Index("ix_inbox_lane_new", "connection", "lane", "id", **_only_if("state = 'new'")),
    Index("ix_inbox_parked", "id", **_only_if("state = 'parked'")),
)

customer = Table("customer", metadata, _id(), _text("name"), Column("created_at", Utc, nullable=False))

identity = Table(
    "identity",
    metadata,
    _id(),
    Column("network", String(60), nullable=False),
    Column("vendor_id", String(300), nullable=False),
    _text("handle"),
    _text("display_name"),
    _text("profile_url"),
    Column("kind", String(10), nullable=False, default="person"),
    _text("organisation"),
    Column("contact", Text),  # e-mail addresses and phones, encrypted
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("network", "vendor_id"),
)

customer_link = Table(  # a customer is one or more identities; undone, never deleted
    "customer_link",
    metadata,
    _id(),
    _ref("customer_id", "customer", nullable=False, index=True),
    _ref("identity_id", "identity", nullable=False),
    _text("evidence"),
    Column("created_at", Utc, nullable=False),
    Column("undone_at", Utc),
    Index("uq_customer_link_active", "identity_id", unique=True, **_only_if("undone_at IS NULL")),
)

thread = Table(
    "thread",
    metadata,
    _id(),
    Column("network", String(60), nullable=False),
    Column("vendor_id", String(400), nullable=False),
    Column("connection", String(60), nullable=False),
    _text("permalink"),
    _text("title"),
    Column("container", Json),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("network", "vendor_id"),
)

participant = Table(
    "participant",
    metadata,
    Column("thread_id", BIG, ForeignKey("thread.id"), primary_key=True),
    Column("identity_id", BIG, ForeignKey("identity.id"), primary_key=True),
    Column("first_at", Utc, nullable=False),
)

ticket = Table(
    "ticket",
    metadata,
    _id(),
    Column("uid", String(40), nullable=False, unique=True),
    Column("code", String(20), nullable=False, unique=True),
    Column("connection", String(60), nullable=False),
    Column("network", String(60), nullable=False),
    _ref("identity_id", "identity", nullable=False),
    _ref("customer_id", "customer"),
    _text("subject"),
    Column("kind", String(20), nullable=False, default="other"),
    _text("language"),
    _text("category"),
    _text("complexity"),
    Column("priority", String(10), nullable=False, default="normal"),
    Column("status", String(10), nullable=False, default="new"),
    _text("team"),
    _text("agent"),
    Column("assignees", Json),
    Column("sink", String(60), nullable=False),
    _flag("private"),
    Column("tags", Json),
    Column("fields", Text),  # collected data, encrypted
    Column("missing", Json),
    _ref("parent_id", "ticket"),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("due_at", Utc),
    Column("solved_at", Utc),
    Column("closed_at", Utc),
    Column("last_inbound_at", Utc, nullable=False),
    Column("last_person_at", Utc, nullable=False),
    Column("answered_at", Utc),
    _flag("automation_stopped"),
    Column("version", BIG, nullable=False, default=1),
    Index("ix_ticket_identity_id", "identity_id", "connection", "id"),
    Index("ix_ticket_created_at", "created_at"),
)

conversation = Table(
    "conversation",
    metadata,
    _id(),
    _ref("thread_id", "thread", nullable=False),
    _ref("identity_id", "identity", nullable=False),
    _ref("ticket_id", "ticket", nullable=False, index=True),
    Column("connection", String(60), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("last_inbound_at", Utc),
    UniqueConstraint("thread_id", "identity_id", "ticket_id"),
)

message = Table(
    "message",
    metadata,
    _id(),
    Column("network", String(60)),
    Column("vendor_id", String(400)),
    _ref("conversation_id", "conversation", index=True),
    _ref("ticket_id", "ticket", index=True),
    _ref("thread_id", "thread"),
    _ref("identity_id", "identity"),
    Column("direction", String(10), nullable=False),  # inbound, outbound
    _flag("public", True),
    Column("privacy", String(12), nullable=False, default="public"),
    Column("sender_kind", String(10), nullable=False, default="person"),
    _text("author_name"),
    Column("origin", String(12), nullable=False),  # network, helpdesk, hub
    _text("revision"),
    _text("subject"),
    _text("text"),
    _text("language"),
    _text("permalink"),
    _text("reply_to"),
    _text("parent"),
    _text("root"),
    Column("attachments", Json),
    Column("mentions", Json),
    Column("reactions", Json),
    Column("context", Json),
    Column("answer_with", Json),
    Column("created_at", Utc, nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("edited_at", Utc),
    Column("deleted_at", Utc),
    UniqueConstraint("network", "vendor_id"),
)

message_revision = Table(
    "message_revision",
    metadata,
    _id(),
    _ref("message_id", "message", nullable=False),
    Column("revision", String(100), nullable=False),
    _text("text"),
    Column("seen_at", Utc, nullable=False),
    UniqueConstraint("message_id", "revision"),
)

record_link = Table(
    "record_link",
    metadata,
    _id(),
    _ref("ticket_id", "ticket", nullable=False),
    Column("connection", String(60), nullable=False),
    Column("vendor_id", String(200), nullable=False),
    _text("url"),
    _flag("active", True),
    _text("version"),
    Column("mirrored", Json),  # vendor values and the clock of each mirrored field
    Column("created_at", Utc, nullable=False),
    Column("last_seen_at", Utc),
    Column("deleted_at", Utc),
    _text("deleted_how"),
    _text("merged_into"),
    UniqueConstraint("connection", "vendor_id"),
    Index("uq_record_link_active", "ticket_id", "connection", unique=True, **_only_if("active")),
)

comment_link = Table(
    "comment_link",
    metadata,
    _id(),
    Column("connection", String(60), nullable=False),
    Column("vendor_id", String(200), nullable=False),
    _ref("record_link_id", "record_link", nullable=False, index=True),
    _ref("message_id", "message", index=True),
    Column("direction", String(8), nullable=False),  # ours: we wrote it there; theirs
    _flag("public"),
    _flag("first_seen_public"),
    _text("on_behalf_of"),
    _text("text_hash"),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("connection", "vendor_id"),
)

lane = Table(
    "lane",
    metadata,
    _id(),
    Column("connection", String(60), nullable=False),
    Column("key", String(200), nullable=False),
    Column("due_at", Utc),
    Column("priority", Integer, nullable=False, default=0),
    Column("shard", Integer, nullable=False, default=0),
    _text("claim_token"),
    Column("lease_until", Utc),
    UniqueConstraint("connection", "key"),
    Index("ix_lane_claimed", "lease_until", **_only_if("claim_token != ''")),
    Index("ix_lane_due", "connection", "due_at", **_only_if("due_at IS NOT NULL")),
)

delivery = Table(
    "delivery",
    metadata,
    _id(),
    Column("key", String(500), nullable=False, unique=True),
    Column("uuid", String(36), nullable=False, index=True),
    _ref("lane_id", "lane", nullable=False),
    Column("connection", String(60), nullable=False),
    _ref("ticket_id", "ticket", index=True),
    _ref("message_id", "message", index=True),
    Column("verb", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(12), nullable=False, default="waiting"),
    _text("reason"),
    Column("answer", String(200)),  # the answer a part belongs to
    Column("part", Integer, nullable=False, default=1),
    _flag("by_person"),
    _count("attempts"),
    _count("looks"),
    Column("created_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("first_attempt_at", Utc),
    Column("last_attempt_at", Utc),
    Column("done_at", Utc),
    _text("claim_token"),
    Column("lease_until", Utc),
    Column("network", String(60)),
    Column("receipt_id", String(400)),
    Column("receipt", Json),
    _ref("superseded_by", "delivery"),
    CheckConstraint(f"state IN {DELIVERY_STATES}", name="state"),
    Index("ix_delivery_lane_open", "lane_id", "id", **_only_if("state NOT IN ('done','superseded','discarded')")),
    Index("ix_delivery_receipt", "network", "receipt_id", **_only_if("receipt_id IS NOT NULL")),
    Index("ix_delivery_open", "connection", "state", **_only_if("state NOT IN ('done','superseded','discarded')")),
)

attempt = Table(
    "attempt",
    metadata,
    _id(),
    _ref("delivery_id", "delivery", nullable=False, index=True),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    _text("outcome"),
    _text("summary"),
    _text("detail"),
    _text("vendor_request_id"),
)

decision = Table(
    "decision",
    metadata,
    _id(),
    _ref("message_id", "message", nullable=False, index=True),
    _ref("ticket_id", "ticket", index=True),
    _text("router"),
    Column("answer", Json, nullable=False),
    Column("created_at", Utc, nullable=False),
)

event = Table(  # a ticket's timeline
    "event",
    metadata,
    _id(),
    _ref("ticket_id", "ticket", nullable=False, index=True),
    Column("at", Utc, nullable=False),
    Column("kind", String(40), nullable=False),
    _text("actor"),
    Column("data", Json),
)

vault = Table(
    "vault",
    metadata,
    Column("connection", String(60), primary_key=True),
    Column("name", String(60), primary_key=True),
    Column("ciphertext", Text, nullable=False),
    Column("version", BIG, nullable=False, default=1),
    Column("expires_at", Utc),
    Column("updated_at", Utc, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    _id(),
    Column("at", Utc, nullable=False),
    _text("actor"),
    _text("action"),
    _text("object"),
    Column("data", Json),
)

alarm = Table(
    "alarm",
    metadata,
    _id(),
    Column("connection", String(60), nullable=False),
    Column("kind", String(40), nullable=False),
    _text("text"),
    Column("opened_at", Utc, nullable=False),
    Column("closed_at", Utc),
    Column("told", String(8), nullable=False, default="", server_default=""),  # the last news sent: opened, closed
    Index("uq_alarm_open", "connection", "kind", unique=True, **_only_if("closed_at IS NULL")),
)

switch = Table(  # the hub's own small state: stop-talking, login links
    "switch",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("value", Json),
    Column("updated_at", Utc, nullable=False),
)
