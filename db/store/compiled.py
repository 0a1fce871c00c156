"""Statements compiled once by SQLAlchemy for a driver that is driven by hand, with values converted as in a session.

It reads `compiled.binds` and `compiled.positiontup`, which are no documented surface of SQLAlchemy's;
`tests/db/test_transactions.py` holds them to the installed version.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Executable, Float
from sqlalchemy.types import TypeEngine

Convert = Callable[[Any], Any]


class Compiled:
    """A statement as the driver takes it."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._given = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        kinds = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
        self._binds: list[tuple[str, Convert | None]] = [(name, kinds[name]) for name in compiled.positiontup or ()]
        columns = getattr(statement, "exported_columns", ())
        self._reads = [(place, read) for place, c in enumerate(columns) if (read := _reads(c.type, dialect))]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the statement, as the driver knows them."""
        found = {**self._given, **values}
        return [found[name] if convert is None else convert(found[name]) for name, convert in self._binds]

    def rows(self, records: Sequence[Any]) -> Sequence[Any]:
        """Return the rows as a session would give them."""
        if not self._reads:
            return records
        rows = [list(record) for record in records]
        for place, read in self._reads:
            for row in rows:
                row[place] = read(row[place])
        return rows


def _reads(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """Return the conversion of the driver's values for a column; floats come as such."""
    own = kind.dialect_impl(dialect)
    return None if isinstance(own, Float) else own.result_processor(dialect, None)


class Statements:
    """The compiled statements of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: WeakKeyDictionary[Executable, Compiled] = WeakKeyDictionary()

    def __getitem__(self, statement: Executable) -> Compiled:
        found = self._compiled.get(statement)
        if found is None:
            found = self._compiled[statement] = Compiled(statement, self._dialect)
        return found
