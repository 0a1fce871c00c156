"""Events of transcripts beside those of jobs, which outlive their job: the last one tells that it is gone"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OF_JOB = "job_event_job_id_fkey"
NAMES = {"fk": "%(table_name)s_%(column_0_name)s_fkey"}  # as PostgreSQL names them; SQLite has no names


def upgrade() -> None:
    with op.batch_alter_table("job_event", naming_convention=NAMES) as table:
        table.drop_constraint(OF_JOB, type_="foreignkey")
        table.add_column(sa.Column("about", sa.String(20), nullable=False, server_default="JOB"))


def downgrade() -> None:
    op.execute("DELETE FROM job_event WHERE about <> 'JOB' OR job_id NOT IN (SELECT id FROM job)")
    with op.batch_alter_table("job_event", naming_convention=NAMES) as table:
        table.drop_column("about")
        table.create_foreign_key(OF_JOB, "job", ["job_id"], ["id"], ondelete="CASCADE")
