"""Column types: closed sets as short text, typed values as JSON text."""

from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Dialect, Enum, Text
from sqlalchemy.types import TypeDecorator


def choice(kind: type[StrEnum]) -> Enum:
    """Return a column type for one of a closed set, kept as text: a new member needs no migration."""
    return Enum(kind, native_enum=False, create_constraint=False, length=20)


class Json(TypeDecorator[Any]):
    """A typed value (msgspec) kept as JSON text, the same on both databases; NULL stays None.

    Values are replaced, never changed in place.
    """

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._decoder = msgspec.json.Decoder(kind)  # made once: looking a type up takes longer than decoding a value

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str | None:
        """Encode for the database."""
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        """Decode what the database gave."""
        return None if value is None else self._decoder.decode(value)
