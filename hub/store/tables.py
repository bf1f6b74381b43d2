"""The tables, once, for SQLite and PostgreSQL. What each is for is in docs/decisions/0002-inbox-and-outbox.md."""

from __future__ import annotations

from sqlalchemy import (
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
    UniqueConstraint,
)

from hub.store.columns import BIG, Json, Utc, count, flag, identifier, only_if, ref, text_column

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


connection = Table(
    "connection",
    metadata,
    Column("name", String(60), primary_key=True),
    text_column("connector"),
    text_column("side"),
    text_column("mode", "observe"),
    Column("made_at", Utc, nullable=False),
    text_column("fingerprint"),
    Column("account", Json),
    text_column("paused"),
    text_column("paused_by"),
    Column("paused_at", Utc),
    Column("blocked_until", Utc),
    Column("probe_at", Utc),
    count("failures"),
    text_column("last_error"),
    Column("last_error_at", Utc),
    Column("last_success_at", Utc),
    Column("last_event_at", Utc),
    Column("next_poll_at", Utc),
    count("calls"),
    count("signatures_rejected"),
    flag("gone"),
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
    identifier(),
    Column("connection", String(60), nullable=False),
    Column("received_at", Utc, nullable=False, index=True),
    text_column("method"),
    text_column("content_type"),
    Column("headers", Json),
    Column("body", LargeBinary),
    text_column("digest"),
    text_column("note"),
)

inbox = Table(
    "inbox",
    metadata,
    identifier(),
    Column("connection", String(60), nullable=False),
    Column("event_key", String(400), nullable=False),
    ref("arrival_id", "arrival"),
    Column("lane", String(400), nullable=False),
    Column("type", String(30), nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", String(12), nullable=False, default="new"),
    text_column("reason"),
    text_column("detail"),
    count("attempts"),
    Column("created_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("done_at", Utc),
    ref("ticket_id", "ticket"),
    UniqueConstraint("connection", "event_key"),
    CheckConstraint(f"state IN {INBOX_STATES}", name="state"),
    Index("ix_inbox_new", "connection", "id", **only_if("state = 'new'")),
    Index("ix_inbox_lane_new", "connection", "lane", "id", **only_if("state = 'new'")),
    Index("ix_inbox_parked", "id", **only_if("state = 'parked'")),
)

customer = Table("customer", metadata, identifier(), text_column("name"), Column("created_at", Utc, nullable=False))

identity = Table(
    "identity",
    metadata,
    identifier(),
    Column("network", String(60), nullable=False),
    Column("vendor_id", String(300), nullable=False),
    text_column("handle"),
    text_column("display_name"),
    text_column("profile_url"),
    Column("kind", String(10), nullable=False, default="person"),
    text_column("organisation"),
    Column("contact", Text),  # e-mail addresses and phones, encrypted
    flag("joined"),  # its customer has other identities too: told here, so that those of most cost no question
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("network", "vendor_id"),
)

customer_link = Table(  # a customer is one or more identities; undone, never deleted
    "customer_link",
    metadata,
    identifier(),
    ref("customer_id", "customer", nullable=False, index=True),
    ref("identity_id", "identity", nullable=False),
    text_column("evidence"),
    Column("created_at", Utc, nullable=False),
    Column("undone_at", Utc),
    Index("uq_customer_link_active", "identity_id", unique=True, **only_if("undone_at IS NULL")),
)

thread = Table(
    "thread",
    metadata,
    identifier(),
    Column("network", String(60), nullable=False),
    Column("vendor_id", String(400), nullable=False),
    Column("connection", String(60), nullable=False),
    text_column("permalink"),
    text_column("title"),
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
    identifier(),
    Column("uid", String(40), nullable=False, unique=True),
    Column("code", String(20), nullable=False, unique=True),
    Column("connection", String(60), nullable=False),
    Column("network", String(60), nullable=False),
    ref("identity_id", "identity", nullable=False),
    ref("customer_id", "customer"),
    text_column("subject"),
    Column("kind", String(20), nullable=False, default="other"),
    text_column("language"),
    text_column("category"),
    text_column("complexity"),
    Column("priority", String(10), nullable=False, default="normal"),
    Column("status", String(10), nullable=False, default="new"),
    text_column("team"),
    text_column("agent"),
    Column("assignees", Json),
    Column("sink", String(60), nullable=False),
    flag("private"),
    Column("tags", Json),
    Column("fields", Text),  # collected data, encrypted
    Column("missing", Json),
    ref("parent_id", "ticket"),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("due_at", Utc),
    Column("solved_at", Utc),
    Column("closed_at", Utc),
    Column("last_inbound_at", Utc, nullable=False),
    Column("last_person_at", Utc, nullable=False),
    Column("answered_at", Utc),
    flag("automation_stopped"),
    flag("not_ours"),  # an agent said so: no answer, and what comes does not reopen it
    Column("version", BIG, nullable=False, default=1),
    Index("ix_ticket_identity_id", "identity_id", "connection", "id"),
    Index("ix_ticket_created_at", "created_at"),
)

conversation = Table(
    "conversation",
    metadata,
    identifier(),
    ref("thread_id", "thread", nullable=False),
    ref("identity_id", "identity", nullable=False),
    ref("ticket_id", "ticket", nullable=False, index=True),
    Column("connection", String(60), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("last_inbound_at", Utc),
    UniqueConstraint("thread_id", "identity_id", "ticket_id"),
)

message = Table(
    "message",
    metadata,
    identifier(),
    Column("network", String(60)),
    Column("vendor_id", String(400)),
    ref("conversation_id", "conversation", index=True),
    ref("ticket_id", "ticket", index=True),
    ref("thread_id", "thread"),
    ref("identity_id", "identity"),
    Column("direction", String(10), nullable=False),  # inbound, outbound
    flag("public", True),
    Column("privacy", String(12), nullable=False, default="public"),
    Column("sender_kind", String(10), nullable=False, default="person"),
    text_column("author_name"),
    Column("origin", String(12), nullable=False),  # network, helpdesk, hub
    text_column("revision"),
    text_column("subject"),
    text_column("text"),
    text_column("language"),
    text_column("permalink"),
    text_column("reply_to"),
    text_column("parent"),
    text_column("root"),
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
    identifier(),
    ref("message_id", "message", nullable=False),
    Column("revision", String(100), nullable=False),
    text_column("text"),
    Column("seen_at", Utc, nullable=False),
    UniqueConstraint("message_id", "revision"),
)

record_link = Table(
    "record_link",
    metadata,
    identifier(),
    ref("ticket_id", "ticket", nullable=False),
    Column("connection", String(60), nullable=False),
    Column("vendor_id", String(200), nullable=False),
    text_column("url"),
    flag("active", True),
    text_column("version"),
    Column("mirrored", Json),  # vendor values and the clock of each mirrored field
    Column("created_at", Utc, nullable=False),
    Column("last_seen_at", Utc),
    Column("deleted_at", Utc),
    text_column("deleted_how"),
    text_column("merged_into"),
    UniqueConstraint("connection", "vendor_id"),
    Index("uq_record_link_active", "ticket_id", "connection", unique=True, **only_if("active")),
)

comment_link = Table(
    "comment_link",
    metadata,
    identifier(),
    Column("connection", String(60), nullable=False),
    Column("vendor_id", String(200), nullable=False),
    ref("record_link_id", "record_link", nullable=False, index=True),
    ref("message_id", "message", index=True),
    Column("direction", String(8), nullable=False),  # ours: we wrote it there; theirs
    flag("public"),
    flag("first_seen_public"),
    text_column("on_behalf_of"),
    text_column("text_hash"),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("connection", "vendor_id"),
)

lane = Table(
    "lane",
    metadata,
    identifier(),
    Column("connection", String(60), nullable=False),
    Column("key", String(200), nullable=False),
    Column("due_at", Utc),
    Column("priority", Integer, nullable=False, default=0),
    Column("shard", Integer, nullable=False, default=0),
    text_column("claim_token"),
    Column("lease_until", Utc),
    UniqueConstraint("connection", "key"),
    Index("ix_lane_claimed", "lease_until", **only_if("claim_token != ''")),
    Index("ix_lane_due", "connection", "due_at", **only_if("due_at IS NOT NULL")),
)

delivery = Table(
    "delivery",
    metadata,
    identifier(),
    Column("key", String(500), nullable=False, unique=True),
    Column("uuid", String(36), nullable=False, index=True),
    ref("lane_id", "lane", nullable=False),
    Column("connection", String(60), nullable=False),
    ref("ticket_id", "ticket", index=True),
    ref("message_id", "message", index=True),
    Column("verb", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(12), nullable=False, default="waiting"),
    text_column("reason"),
    Column("answer", String(200)),  # the answer a part belongs to
    Column("part", Integer, nullable=False, default=1),
    flag("by_person"),
    flag("to_redact"),  # its message was redacted: its words go when it ends
    count("attempts"),
    count("looks"),
    Column("created_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("first_attempt_at", Utc),
    Column("last_attempt_at", Utc),
    Column("done_at", Utc),
    text_column("claim_token"),
    Column("lease_until", Utc),
    Column("network", String(60)),
    Column("receipt_id", String(400)),
    Column("receipt", Json),
    Column("memo", Json),  # what the connector needs to find a job again
    ref("superseded_by", "delivery"),
    CheckConstraint(f"state IN {DELIVERY_STATES}", name="state"),
    Index("ix_delivery_lane_open", "lane_id", "id", **only_if("state NOT IN ('done','superseded','discarded')")),
    Index("ix_delivery_receipt", "network", "receipt_id", **only_if("receipt_id IS NOT NULL")),
    Index("ix_delivery_open", "connection", "state", **only_if("state NOT IN ('done','superseded','discarded')")),
)

attempt = Table(
    "attempt",
    metadata,
    identifier(),
    ref("delivery_id", "delivery", nullable=False, index=True),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    text_column("outcome"),
    text_column("summary"),
    text_column("detail"),
    text_column("vendor_request_id"),
)

decision = Table(
    "decision",
    metadata,
    identifier(),
    ref("message_id", "message", nullable=False, index=True),
    ref("ticket_id", "ticket", index=True),
    text_column("router"),
    Column("answer", Json, nullable=False),
    Column("created_at", Utc, nullable=False),
)

event = Table(  # a ticket's timeline
    "event",
    metadata,
    identifier(),
    ref("ticket_id", "ticket", nullable=False, index=True),
    Column("at", Utc, nullable=False),
    Column("kind", String(40), nullable=False),
    text_column("actor"),
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
    identifier(),
    Column("at", Utc, nullable=False),
    text_column("actor"),
    text_column("action"),
    text_column("object"),
    Column("data", Json),
)

alarm = Table(
    "alarm",
    metadata,
    identifier(),
    Column("connection", String(60), nullable=False),
    Column("kind", String(40), nullable=False),
    text_column("text"),
    Column("opened_at", Utc, nullable=False),
    Column("closed_at", Utc),
    Column("told", String(8), nullable=False, default="", server_default=""),  # the last news sent: opened, closed
    Index("uq_alarm_open", "connection", "kind", unique=True, **only_if("closed_at IS NULL")),
)

switch = Table(  # the hub's own small state: stop-talking, login links
    "switch",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("value", Json),
    Column("updated_at", Utc, nullable=False),
)
