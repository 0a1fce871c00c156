"""The input and the output of an execution."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from schema.execution.documents import Operation
from schema.execution.encoding import encode
from schema.execution.errors import Code


@dataclass(frozen=True)
class Request:
    """The request of a client: the document, the name of the operation, and the values of its variables."""

    query: str
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None
    extensions: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Execution:
    """One operation by one viewer. `new_context` makes the context of the operation and of every event.

    If a context has `aclose()`, that is awaited when the operation or the event is over.
    """

    operation: Operation
    request: Request
    new_context: Callable[[], Any]
    correlation_id: str
    viewer: Hashable = None

    def of(self, operation: Operation) -> "Execution":
        """Return the same call of another operation."""
        return replace(self, operation=operation)


@dataclass(frozen=True, kw_only=True)
class GraphQLResponse:
    """A response: `data` where something was executed, `errors` as clients see them."""

    executed: bool
    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None
    extensions: dict[str, Any] | None = None
    event_id: str | None = None
    encoded: bytes | None = None

    def body(self) -> dict[str, Any]:
        """Return the response as the specification orders it: errors first."""
        body: dict[str, Any] = {}
        if self.errors:
            body["errors"] = self.errors
        if self.executed:
            body["data"] = self.data
        if self.extensions:
            body["extensions"] = self.extensions
        return body

    def json(self) -> bytes:
        """Return the response, encoded once."""
        return self.encoded if self.encoded is not None else encode(self.body())

    @property
    def retry_after(self) -> float | None:
        """Seconds after which it makes sense to ask again; None when nothing is said of that, or it was executed."""
        details = (self.errors or [{}])[0].get("extensions", {}).get("details")
        if self.executed or not isinstance(details, Mapping) or "retryAfterSeconds" not in details:
            return None
        return float(details["retryAfterSeconds"])

    @property
    def faulty(self) -> bool:
        """True if the server is to blame that nothing was executed."""
        return not self.executed and any(e["extensions"]["code"] == Code.INTERNAL for e in self.errors or ())
