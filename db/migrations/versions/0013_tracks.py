"""The audio tracks of a recording, and the language of each segment"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("media", sa.Column("has_video", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("media", sa.Column("tracks", sa.Text(), nullable=False, server_default="[]"))
    for table in ("segment", "segment_past"):
        op.add_column(table, sa.Column("language", sa.String(), nullable=True))


def downgrade() -> None:
    for table in ("segment", "segment_past"):
        op.drop_column(table, "language")
    for column in ("has_video", "tracks"):
        op.drop_column("media", column)
