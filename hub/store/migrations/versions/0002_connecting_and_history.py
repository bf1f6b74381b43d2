"""Jobs of vendors, consents under way, a helpdesk's people and past, certificates."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add them."""
    op.add_column("delivery", sa.Column("memo", sa.Text(), nullable=True))
    op.add_column("ticket", sa.Column("not_ours", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_table(
        "consent",
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("redirect_url", sa.Text(), server_default="", nullable=False),
        sa.Column("verifier", sa.Text(), nullable=True),
        sa.Column("staged", sa.Text(), nullable=True),
        sa.Column("choices", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_consent")),
    )
    op.create_table(
        "agent",
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("vendor_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("groups", sa.Text(), nullable=True),
        sa.Column("skills", sa.Text(), nullable=True),
        sa.Column("available", sa.Text(), nullable=True),
        sa.Column("open_tickets", BIG, nullable=True),
        sa.Column("capacity", BIG, nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "vendor_id", name=op.f("pk_agent")),
    )
    op.create_table(
        "past_ticket",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("vendor_id", sa.String(length=200), nullable=False),
        sa.Column("external_id", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("group_name", sa.Text(), server_default="", nullable=False),
        sa.Column("solver", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("comments", BIG, server_default="0", nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("solved_at", sa.BigInteger(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_past_ticket")),
        sa.UniqueConstraint("connection", "vendor_id", name=op.f("uq_past_ticket_connection_vendor_id")),
    )
    op.create_table(
        "backfill",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("read", BIG, server_default="0", nullable=False),
        sa.Column("total", BIG, nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfill")),
    )
    op.create_index(
        "uq_backfill_open",
        "backfill",
        ["connection"],
        unique=True,
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "certificate",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("connection", sa.String(length=60), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("whole", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("records", BIG, server_default="0", nullable=False),
        sa.Column("comments", BIG, server_default="0", nullable=False),
        sa.Column("moving", BIG, server_default="0", nullable=False),
        sa.Column("found", BIG, server_default="0", nullable=False),
        sa.Column("repaired", BIG, server_default="0", nullable=False),
        sa.Column("differences", sa.Text(), nullable=True),
        sa.Column("ours", sa.Text(), server_default="", nullable=False),
        sa.Column("theirs", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
    )
    op.create_index("ix_certificate_connection_at", "certificate", ["connection", "at"], unique=False)


def downgrade() -> None:
    """Not offered: an older hub cannot read what a newer one wrote; restore the backup made before the migration."""
    raise NotImplementedError("restore the backup that was made before this migration")
