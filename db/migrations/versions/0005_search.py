"""Search in what was said: terms of each segment, and the database's own index of them"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQLITE = (
    "CREATE VIRTUAL TABLE segment_terms USING fts5(terms, content='', tokenize='ascii')",
    (
        "CREATE TRIGGER segment_terms_insert AFTER INSERT ON segment BEGIN"
        " INSERT INTO segment_terms (rowid, terms) VALUES (new.terms_id, new.terms); END"
    ),
    (
        "CREATE TRIGGER segment_terms_delete AFTER DELETE ON segment BEGIN"
        " INSERT INTO segment_terms (segment_terms, rowid, terms) VALUES ('delete', old.terms_id, old.terms); END"
    ),
    (
        "CREATE TRIGGER segment_terms_update AFTER UPDATE OF terms ON segment WHEN old.terms <> new.terms BEGIN"
        " INSERT INTO segment_terms (segment_terms, rowid, terms) VALUES ('delete', old.terms_id, old.terms);"
        " INSERT INTO segment_terms (rowid, terms) VALUES (new.terms_id, new.terms); END"
    ),
)
POSTGRESQL = ("CREATE INDEX segment_terms ON segment USING gin (to_tsvector('simple', terms))",)


def upgrade() -> None:
    from db.domain.terms import terms  # noqa: PLC0415
    from db.models import terms_id  # noqa: PLC0415  the number that the code gives a row, too

    op.add_column("segment", sa.Column("terms", sa.Text(), nullable=False, server_default=""))
    op.add_column("segment", sa.Column("terms_id", sa.BigInteger(), nullable=False, server_default="0"))
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT transcript_id, key, text FROM segment")).all()
    for transcript_id, key, text in rows:
        connection.execute(
            sa.text(
                "UPDATE segment SET terms = :terms, terms_id = :id WHERE transcript_id = :transcript AND key = :key"
            ),
            {"terms": terms(text), "id": terms_id(transcript_id, key), "transcript": transcript_id, "key": key},
        )
    op.create_index("segment_by_terms_id", "segment", ["terms_id"])
    sqlite = connection.dialect.name == "sqlite"
    for statement in SQLITE if sqlite else POSTGRESQL:
        op.execute(statement)
    if sqlite:
        op.execute("INSERT INTO segment_terms (rowid, terms) SELECT terms_id, terms FROM segment")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER segment_terms_{name}")
        op.execute("DROP TABLE segment_terms")
    else:
        op.drop_index("segment_terms", table_name="segment")
    op.drop_index("segment_by_terms_id", table_name="segment")
    op.drop_column("segment", "terms_id")
    op.drop_column("segment", "terms")
