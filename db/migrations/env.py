"""Alembic's entry: runs the revisions on the connection that `db.migrate` hands over."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Enum
from sqlmodel.sql.sqltypes import AutoString

from db.accounts import grants, tables  # noqa: F401 - add their tables to the metadata
from db.models import METADATA
from db.store.columns import Json
from db.uploads import tables as uploads  # noqa: F401 - its tables, too
from db.webhooks import tables as webhooks  # noqa: F401 - the same


def _plain(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Revisions name plain column types only, so that they stay what they were when the code moves on."""
    if kind == "type" and isinstance(item, Enum):
        return "sa.String(20)"
    if kind == "type" and isinstance(item, Json):
        return "sa.Text()"
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite cannot alter most things in place
    render_item=_plain,
    transactional_ddl=True,  # SQLite's too: see `db.migrate.engine_for`
)
with context.begin_transaction():
    context.run_migrations()
