"""Which accounts may be one customer: blind keys, what was proposed, and who is joined. And small things beside."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add them."""
    op.add_column("identity", sa.Column("joined", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("certificate", sa.Column("young", BIG, server_default="0", nullable=False))
    op.add_column("delivery", sa.Column("to_redact", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_table(
        "own_secret",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("ciphertext", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_own_secret")),
    )
    op.create_table(
        "person_key",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("identity_id", BIG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_person_key_identity_id")),
        sa.PrimaryKeyConstraint("digest", "identity_id", name=op.f("pk_person_key")),
    )
    op.create_table(
        "person_pair",
        sa.Column("low_id", BIG, nullable=False),
        sa.Column("high_id", BIG, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("ticket_id", BIG, nullable=True),
        sa.Column("evidence", sa.Text(), server_default="", nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["high_id"], ["identity.id"], name=op.f("fk_person_pair_high_id")),
        sa.ForeignKeyConstraint(["low_id"], ["identity.id"], name=op.f("fk_person_pair_low_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_person_pair_ticket_id")),
        sa.PrimaryKeyConstraint("low_id", "high_id", name=op.f("pk_person_pair")),
    )
    op.create_index(op.f("ix_person_pair_ticket_id"), "person_pair", ["ticket_id"], unique=False)


def downgrade() -> None:
    """Not offered: an older hub cannot read what a newer one wrote; restore the backup made before the migration."""
    raise NotImplementedError("restore the backup that was made before this migration")
