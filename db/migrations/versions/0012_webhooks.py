"""Webhooks: endpoints, the secrets that sign, and deliveries; a job may have an address of its own"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ORDER = ("owner_id", "rescued DESC", "priority DESC", "created_at", "id")


def upgrade() -> None:
    op.add_column("job", sa.Column("webhook_url", sa.String(), nullable=True))
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("silent_until", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_webhook_endpoint_owner_id", "webhook_endpoint", ["owner_id"])
    op.create_table(
        "webhook_secret",
        sa.Column("holder_id", sa.String(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("former", sa.String(), nullable=True),
        sa.Column("former_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"]),
        sa.PrimaryKeyConstraint("holder_id"),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("run_after", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("rescued", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("correlation_id", sa.String(), nullable=False),
        sa.Column("traceparent", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("endpoint_id", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("last_answer", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoint.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    for kind, columns, state in (
        ("waiting", [sa.text(column) for column in ORDER], "QUEUED"),
        ("running", ["owner_id", "lease_until"], "RUNNING"),
    ):
        where = sa.text(f"state = '{state}'")
        name = f"webhook_delivery_{kind}"
        op.create_index(name, "webhook_delivery", columns, sqlite_where=where, postgresql_where=where)
    op.create_index("webhook_delivery_line", "webhook_delivery", ["destination", "subject", "number"])
    op.create_index("webhook_delivery_by_age", "webhook_delivery", ["owner_id", "endpoint_id", "created_at", "id"])
    op.create_index("webhook_delivery_by_subject", "webhook_delivery", ["owner_id", "subject", "created_at", "id"])
    op.create_index("webhook_delivery_by_end", "webhook_delivery", ["finished_at"])


def downgrade() -> None:
    for table in ("webhook_delivery", "webhook_secret", "webhook_endpoint"):
        op.drop_table(table)
    op.drop_column("job", "webhook_url")
