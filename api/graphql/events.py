"""Server-sent events: the distinct connections mode of the GraphQL over SSE protocol."""

from api.graphql.stream import Framing
from schema.execution import GraphQLResponse


def encode_next(answer: GraphQLResponse) -> bytes:
    """One answer as a `next` event; JSON holds no line ends. The id lets a browser resume behind this event."""
    identifier = answer.event_id or ""
    line = f"id: {identifier}\n".encode() if identifier and not set("\r\n\0") & set(identifier) else b""
    return b"event: next\n" + line + b"data: " + answer.json() + b"\n\n"


SERVER_SENT_EVENTS = Framing("text/event-stream", encode_next, b":\n\n", b":\n\n", b"event: complete\ndata: \n\n")
