"""The base of all tables."""

from typing import cast

from sqlalchemy import Table
from sqlmodel import SQLModel


class Row(SQLModel):
    """The base of all tables; columns may hold msgspec structs, which pydantic does not know."""

    model_config = {"arbitrary_types_allowed": True}


def table_of(model: type[Row]) -> Table:
    """Return the table behind a model, for statements that need no objects."""
    return cast("Table", model.__table__)  # type: ignore[attr-defined]  # SQLModel does not declare it
