"""Uploads in pieces, which any web process continues"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

NEW = ("deferred", "concat", "metadata", "fence", "problem")


def upgrade() -> None:
    op.add_column("upload", sa.Column("deferred", sa.Boolean(), nullable=False, server_default="0"))
    op.add_column("upload", sa.Column("concat", sa.Text(), nullable=False, server_default=""))
    op.add_column("upload", sa.Column("metadata", sa.Text(), nullable=False, server_default=""))
    op.add_column("upload", sa.Column("fence", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("upload", sa.Column("problem", sa.Text(), nullable=True))
    op.create_table(
        "upload_piece",
        sa.Column("upload_id", sa.String(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("byte_size", sa.BigInteger(), nullable=False),
        sa.Column("blob_key", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"]),
        sa.ForeignKeyConstraint(["upload_id"], ["upload.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("upload_id", "start"),
    )
    op.create_index("media_by_content", "media", ["owner_id", "sha256"])


def downgrade() -> None:
    op.drop_index("media_by_content", "media")
    op.drop_table("upload_piece")
    for column in NEW:
        op.drop_column("upload", column)
