"""An export knows how many pages it has, and may be a bundle of many transcripts"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("export", sa.Column("page_count", sa.Integer(), nullable=True))
    op.add_column("export", sa.Column("bundle", sa.Text(), nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM export WHERE bundle IS NOT NULL")
    op.drop_column("export", "bundle")
    op.drop_column("export", "page_count")
