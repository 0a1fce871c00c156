"""Work remembers the trace of the request that made it"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("job", "export", "cleanup"):
        op.add_column(table, sa.Column("traceparent", sa.String(), nullable=True))


def downgrade() -> None:
    for table in ("job", "export", "cleanup"):
        op.drop_column(table, "traceparent")
