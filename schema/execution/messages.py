"""What goes into an execution and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.values import ErrorCode
from schema.execution.encoding import encode


@dataclass(frozen=True)
class Request:
    """What a client asks: the document, which of its operations, and the values of its variables."""

    query: str
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None
    extensions: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Answer:
    """A response: `data` where something was executed, `errors` as clients see them."""

    executed: bool
    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None
    extensions: dict[str, Any] | None = None
    event_id: str | None = None
    encoded: bytes | None = None

    def body(self) -> dict[str, Any]:
        """The response as the specification orders it: errors first."""
        body: dict[str, Any] = {}
        if self.errors:
            body["errors"] = self.errors
        if self.executed:
            body["data"] = self.data
        if self.extensions:
            body["extensions"] = self.extensions
        return body

    def json(self) -> bytes:
        """The response, encoded once."""
        return self.encoded if self.encoded is not None else encode(self.body())

    @property
    def faulty(self) -> bool:
        """Whether the server is to blame that nothing was executed."""
        return not self.executed and any(e["extensions"]["code"] == ErrorCode.INTERNAL for e in self.errors or ())
