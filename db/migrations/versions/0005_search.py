"""Search in what was said: terms of each segment, and the database's own index of them"""

import unicodedata
from hashlib import blake2b

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
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "BOPOMOFO")


def upgrade() -> None:
    op.add_column("segment", sa.Column("terms", sa.Text(), nullable=False, server_default=""))
    op.add_column("segment", sa.Column("terms_id", sa.BigInteger(), nullable=False, server_default="0"))
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT transcript_id, key, text FROM segment")).all()
    for transcript_id, key, text in rows:
        connection.execute(
            sa.text(
                "UPDATE segment SET terms = :terms, terms_id = :id WHERE transcript_id = :transcript AND key = :key"
            ),
            {
                "terms": " ".join(_terms(text)),
                "id": _number(transcript_id, key),
                "transcript": transcript_id,
                "key": key,
            },
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


# As `db.domain.terms` and `db.models` had it at this revision: what they become later is a later revision's business.


def _number(transcript_id: str, key: str) -> int:
    return int.from_bytes(blake2b(f"{transcript_id}/{key}".encode(), digest_size=8).digest()) >> 1


def _terms(text: str) -> list[str]:
    terms, start = [], None
    for place, char in enumerate(text + " "):
        mark = unicodedata.category(char).startswith("M")
        wordy = char.isalnum() or mark
        if start is not None and (not wordy or (not mark and (_unspaced(char) or _unspaced(text[start])))):
            terms.append(_spelt(text[start:place]))
            start = None
        if wordy and start is None:
            start = place
    return [term for term in terms if term]


def _unspaced(char: str) -> bool:
    return char > "\u0dff" and unicodedata.name(char, "").startswith(UNSPACED)


def _spelt(word: str) -> str:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", word).casefold())
    letters = [c for c in plain if c.isalnum() or (unicodedata.category(c)[0] == "M" and not "\u0300" <= c <= "\u036f")]
    ascii_only = (c if c.isascii() else f"z{ord(c):x}z" for c in letters)
    return "w" + "".join(ascii_only) if letters else ""
