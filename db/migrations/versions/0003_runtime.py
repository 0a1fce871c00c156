"""Claims that stay quick behind a long queue; events that are forgotten"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WAITING = sa.text("state = 'QUEUED'")
TABLES = ("job", "export")


def upgrade() -> None:
    op.add_column("owner", sa.Column("forgotten_event", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("job_by_end", "job", ["finished_at"])
    op.create_index("job_event_by_age", "job_event", ["at"])
    for table in TABLES:
        op.drop_index(f"{table}_waiting", table)
        order = ("owner_id", "rescued DESC", "priority DESC", "created_at", "id")
        columns = [sa.text(column) for column in order]
        op.create_index(f"{table}_waiting", table, columns, sqlite_where=WAITING, postgresql_where=WAITING)


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(f"{table}_waiting", table)
        columns = ["rescued", "priority", "created_at"]
        op.create_index(f"{table}_waiting", table, columns, sqlite_where=WAITING, postgresql_where=WAITING)
    op.drop_index("job_event_by_age", "job_event")
    op.drop_index("job_by_end", "job")
    op.drop_column("owner", "forgotten_event")
