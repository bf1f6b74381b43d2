"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "alarm",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("told", sa.String(length=8), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_index(
        "uq_alarm_open",
        "alarm",
        ["connection", "kind"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "arrival",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), server_default="", nullable=False),
        sa.Column("content_type", sa.Text(), server_default="", nullable=False),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival")),
    )
    op.create_index(op.f("ix_arrival_received_at"), "arrival", ["received_at"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("action", sa.Text(), server_default="", nullable=False),
        sa.Column("object", sa.Text(), server_default="", nullable=False),
        sa.Column("data", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "connection",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("connector", sa.Text(), server_default="", nullable=False),
        sa.Column("side", sa.Text(), server_default="", nullable=False),
        sa.Column("mode", sa.Text(), server_default="observe", nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.Text(), server_default="", nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("paused", sa.Text(), server_default="", nullable=False),
        sa.Column("paused_by", sa.Text(), server_default="", nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("blocked_until", sa.BigInteger(), nullable=True),
        sa.Column("probe_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", BIG, server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("last_error_at", sa.BigInteger(), nullable=True),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True),
        sa.Column("last_event_at", sa.BigInteger(), nullable=True),
        sa.Column("next_poll_at", sa.BigInteger(), nullable=True),
        sa.Column("calls", BIG, server_default="0", nullable=False),
        sa.Column("signatures_rejected", BIG, server_default="0", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_connection")),
    )
    op.create_table(
        "cursor",
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_cursor")),
    )
    op.create_table(
        "customer",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
    )
    op.create_table(
        "identity",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("network", sa.String(length=60), nullable=False),
        sa.Column("vendor_id", sa.String(length=300), nullable=False),
        sa.Column("handle", sa.Text(), server_default="", nullable=False),
        sa.Column("display_name", sa.Text(), server_default="", nullable=False),
        sa.Column("profile_url", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("organisation", sa.Text(), server_default="", nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("network", "vendor_id", name=op.f("uq_identity_network_vendor_id")),
    )
    op.create_table(
        "lane",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("claim_token", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lane")),
        sa.UniqueConstraint("connection", "key", name=op.f("uq_lane_connection_key")),
    )
    op.create_index(
        "ix_lane_claimed",
        "lane",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("claim_token != ''"),
        postgresql_where=sa.text("claim_token != ''"),
    )
    op.create_index(
        "ix_lane_due",
        "lane",
        ["connection", "due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "switch",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_switch")),
    )
    op.create_table(
        "thread",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("network", sa.String(length=60), nullable=False),
        sa.Column("vendor_id", sa.String(length=400), nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("permalink", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("container", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thread")),
        sa.UniqueConstraint("network", "vendor_id", name=op.f("uq_thread_network_vendor_id")),
    )
    op.create_table(
        "vault",
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("ciphertext", sa.Text(), nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "name", name=op.f("pk_vault")),
    )
    op.create_table(
        "customer_link",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("customer_id", BIG, nullable=False),
        sa.Column("identity_id", BIG, nullable=False),
        sa.Column("evidence", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_link_customer_id")),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_customer_link_identity_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_link")),
    )
    op.create_index(op.f("ix_customer_link_customer_id"), "customer_link", ["customer_id"], unique=False)
    op.create_index(
        "uq_customer_link_active",
        "customer_link",
        ["identity_id"],
        unique=True,
        sqlite_where=sa.text("undone_at IS NULL"),
        postgresql_where=sa.text("undone_at IS NULL"),
    )
    op.create_table(
        "participant",
        sa.Column("thread_id", BIG, nullable=False),
        sa.Column("identity_id", BIG, nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_participant_identity_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_participant_thread_id")),
        sa.PrimaryKeyConstraint("thread_id", "identity_id", name=op.f("pk_participant")),
    )
    op.create_table(
        "ticket",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("uid", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("network", sa.String(length=60), nullable=False),
        sa.Column("identity_id", BIG, nullable=False),
        sa.Column("customer_id", BIG, nullable=True),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("category", sa.Text(), server_default="", nullable=False),
        sa.Column("complexity", sa.Text(), server_default="", nullable=False),
        sa.Column("priority", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("team", sa.Text(), server_default="", nullable=False),
        sa.Column("agent", sa.Text(), server_default="", nullable=False),
        sa.Column("assignees", sa.Text(), nullable=True),
        sa.Column("sink", sa.String(length=60), nullable=False),
        sa.Column("private", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("fields", sa.Text(), nullable=True),
        sa.Column("missing", sa.Text(), nullable=True),
        sa.Column("parent_id", BIG, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("solved_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("last_inbound_at", sa.BigInteger(), nullable=False),
        sa.Column("last_person_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("automation_stopped", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_ticket_customer_id")),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_ticket_identity_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["ticket.id"], name=op.f("fk_ticket_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
        sa.UniqueConstraint("code", name=op.f("uq_ticket_code")),
        sa.UniqueConstraint("uid", name=op.f("uq_ticket_uid")),
    )
    op.create_index("ix_ticket_created_at", "ticket", ["created_at"], unique=False)
    op.create_index("ix_ticket_identity_id", "ticket", ["identity_id", "connection", "id"], unique=False)
    op.create_table(
        "conversation",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("thread_id", BIG, nullable=False),
        sa.Column("identity_id", BIG, nullable=False),
        sa.Column("ticket_id", BIG, nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_inbound_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_conversation_identity_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_conversation_thread_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_conversation_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation")),
        sa.UniqueConstraint(
            "thread_id", "identity_id", "ticket_id", name=op.f("uq_conversation_thread_id_identity_id_ticket_id")
        ),
    )
    op.create_index(op.f("ix_conversation_ticket_id"), "conversation", ["ticket_id"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("ticket_id", BIG, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("data", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_event_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_ticket_id"), "event", ["ticket_id"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("event_key", sa.String(length=400), nullable=False),
        sa.Column("arrival_id", BIG, nullable=True),
        sa.Column("lane", sa.String(length=400), nullable=False),
        sa.Column("type", sa.String(length=30), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", BIG, server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("ticket_id", BIG, nullable=True),
        sa.CheckConstraint("state IN ('new', 'done', 'ignored', 'parked', 'discarded')", name=op.f("ck_inbox_state")),
        sa.ForeignKeyConstraint(["arrival_id"], ["arrival.id"], name=op.f("fk_inbox_arrival_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_inbox_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("connection", "event_key", name=op.f("uq_inbox_connection_event_key")),
    )
    op.create_index(
        "ix_inbox_lane_new",
        "inbox",
        ["connection", "lane", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'new'"),
        postgresql_where=sa.text("state = 'new'"),
    )
    op.create_index(
        "ix_inbox_new",
        "inbox",
        ["connection", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'new'"),
        postgresql_where=sa.text("state = 'new'"),
    )
    op.create_index(
        "ix_inbox_parked",
        "inbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'parked'"),
        postgresql_where=sa.text("state = 'parked'"),
    )
    op.create_table(
        "record_link",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("ticket_id", BIG, nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("vendor_id", sa.String(length=200), nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("mirrored", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_how", sa.Text(), server_default="", nullable=False),
        sa.Column("merged_into", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_record_link_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_link")),
        sa.UniqueConstraint("connection", "vendor_id", name=op.f("uq_record_link_connection_vendor_id")),
    )
    op.create_index(
        "uq_record_link_active",
        "record_link",
        ["ticket_id", "connection"],
        unique=True,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )
    op.create_table(
        "message",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("network", sa.String(length=60), nullable=True),
        sa.Column("vendor_id", sa.String(length=400), nullable=True),
        sa.Column("conversation_id", BIG, nullable=True),
        sa.Column("ticket_id", BIG, nullable=True),
        sa.Column("thread_id", BIG, nullable=True),
        sa.Column("identity_id", BIG, nullable=True),
        sa.Column("direction", sa.String(length=10), nullable=False),
        sa.Column("public", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("privacy", sa.String(length=12), nullable=False),
        sa.Column("sender_kind", sa.String(length=10), nullable=False),
        sa.Column("author_name", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.String(length=12), nullable=False),
        sa.Column("revision", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("permalink", sa.Text(), server_default="", nullable=False),
        sa.Column("reply_to", sa.Text(), server_default="", nullable=False),
        sa.Column("parent", sa.Text(), server_default="", nullable=False),
        sa.Column("root", sa.Text(), server_default="", nullable=False),
        sa.Column("attachments", sa.Text(), nullable=True),
        sa.Column("mentions", sa.Text(), nullable=True),
        sa.Column("reactions", sa.Text(), nullable=True),
        sa.Column("context", sa.Text(), nullable=True),
        sa.Column("answer_with", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("edited_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], name=op.f("fk_message_conversation_id")),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_message_identity_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_message_thread_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_message_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("network", "vendor_id", name=op.f("uq_message_network_vendor_id")),
    )
    op.create_index(op.f("ix_message_conversation_id"), "message", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_message_ticket_id"), "message", ["ticket_id"], unique=False)
    op.create_table(
        "comment_link",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("vendor_id", sa.String(length=200), nullable=False),
        sa.Column("record_link_id", BIG, nullable=False),
        sa.Column("message_id", BIG, nullable=True),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("public", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("first_seen_public", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("on_behalf_of", sa.Text(), server_default="", nullable=False),
        sa.Column("text_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_comment_link_message_id")),
        sa.ForeignKeyConstraint(["record_link_id"], ["record_link.id"], name=op.f("fk_comment_link_record_link_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment_link")),
        sa.UniqueConstraint("connection", "vendor_id", name=op.f("uq_comment_link_connection_vendor_id")),
    )
    op.create_index(op.f("ix_comment_link_message_id"), "comment_link", ["message_id"], unique=False)
    op.create_index(op.f("ix_comment_link_record_link_id"), "comment_link", ["record_link_id"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("message_id", BIG, nullable=False),
        sa.Column("ticket_id", BIG, nullable=True),
        sa.Column("router", sa.Text(), server_default="", nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_decision_message_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_decision_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    op.create_index(op.f("ix_decision_message_id"), "decision", ["message_id"], unique=False)
    op.create_index(op.f("ix_decision_ticket_id"), "decision", ["ticket_id"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=500), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("lane_id", BIG, nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("ticket_id", BIG, nullable=True),
        sa.Column("message_id", BIG, nullable=True),
        sa.Column("verb", sa.String(length=20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("answer", sa.String(length=200), nullable=True),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("by_person", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("attempts", BIG, server_default="0", nullable=False),
        sa.Column("looks", BIG, server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("first_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("last_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("claim_token", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("network", sa.String(length=60), nullable=True),
        sa.Column("receipt_id", sa.String(length=400), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("superseded_by", BIG, nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'claimed', 'sending', 'unknown', 'done', 'superseded', 'parked', 'discarded')",
            name=op.f("ck_delivery_state"),
        ),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"], name=op.f("fk_delivery_lane_id")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_delivery_message_id")),
        sa.ForeignKeyConstraint(["superseded_by"], ["delivery.id"], name=op.f("fk_delivery_superseded_by")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_delivery_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("key", name=op.f("uq_delivery_key")),
    )
    op.create_index(
        "ix_delivery_lane_open",
        "delivery",
        ["lane_id", "id"],
        unique=False,
        sqlite_where=sa.text("state NOT IN ('done','superseded','discarded')"),
        postgresql_where=sa.text("state NOT IN ('done','superseded','discarded')"),
    )
    op.create_index(op.f("ix_delivery_message_id"), "delivery", ["message_id"], unique=False)
    op.create_index(
        "ix_delivery_open",
        "delivery",
        ["connection", "state"],
        unique=False,
        sqlite_where=sa.text("state NOT IN ('done','superseded','discarded')"),
        postgresql_where=sa.text("state NOT IN ('done','superseded','discarded')"),
    )
    op.create_index(
        "ix_delivery_receipt",
        "delivery",
        ["network", "receipt_id"],
        unique=False,
        sqlite_where=sa.text("receipt_id IS NOT NULL"),
        postgresql_where=sa.text("receipt_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_delivery_ticket_id"), "delivery", ["ticket_id"], unique=False)
    op.create_index(op.f("ix_delivery_uuid"), "delivery", ["uuid"], unique=False)
    op.create_table(
        "message_revision",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("message_id", BIG, nullable=False),
        sa.Column("revision", sa.String(length=100), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_message_revision_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_revision")),
        sa.UniqueConstraint("message_id", "revision", name=op.f("uq_message_revision_message_id_revision")),
    )
    op.create_table(
        "attempt",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("delivery_id", BIG, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("vendor_request_id", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_attempt_delivery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index(op.f("ix_attempt_delivery_id"), "attempt", ["delivery_id"], unique=False)
