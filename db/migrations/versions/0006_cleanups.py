"""Files that nothing refers to become work that is claimed, like exports"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ORDER = ("owner_id", "rescued DESC", "priority DESC", "created_at", "id")


def upgrade() -> None:
    cleanup = op.create_table(
        "cleanup",
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
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("blob_keys", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    best_first = [sa.text(column) for column in ORDER]
    for table, name, columns, rows in (
        ("cleanup", "waiting", best_first, "state = 'QUEUED'"),
        ("cleanup", "running", ["owner_id", "lease_until"], "state = 'RUNNING'"),
        ("export", "expiry", ["expires_at"], "blob_key IS NOT NULL"),
        ("media", "expiry", ["expires_at"], "blob_key IS NOT NULL"),
    ):
        where = sa.text(rows)
        op.create_index(f"{table}_{name}", table, columns, sqlite_where=where, postgresql_where=where)
    fresh = {"state": "QUEUED", "fence": 0, "run_after": 0, "attempt": 0, "crashes": 0, "priority": 0}
    fresh |= {"rescued": False, "cancel_requested": False, "correlation_id": ""}
    garbage = op.get_bind().execute(sa.text("SELECT blob_key, owner_id, created_at FROM garbage")).all()
    op.bulk_insert(
        cleanup,
        [
            {**fresh, "id": f"cln_{key}", "owner_id": owner, "blob_keys": json.dumps([key]), "created_at": created_at}
            for key, owner, created_at in garbage
        ],
    )
    op.drop_table("garbage")


def downgrade() -> None:
    garbage = op.create_table(
        "garbage",
        sa.Column("blob_key", sa.String(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"]),
        sa.PrimaryKeyConstraint("blob_key"),
    )
    cleanups = op.get_bind().execute(sa.text("SELECT blob_keys, owner_id, created_at FROM cleanup")).all()
    rows = {
        key: {"blob_key": key, "owner_id": owner, "created_at": created_at}
        for keys, owner, created_at in cleanups
        for key in json.loads(keys)
    }
    op.bulk_insert(garbage, list(rows.values()))
    for table in ("media", "export"):
        op.drop_index(f"{table}_expiry", table)
    op.drop_table("cleanup")
