"""Subscriptions as a multipart response, as Apollo Client asks for them over plain HTTP."""

from api.graphql.stream import Framing
from schema.execution import Answer
from schema.execution.encoding import encode

PART = b"\r\n--graphql\r\nContent-Type: application/json\r\n\r\n"


def encode_part(answer: Answer) -> bytes:
    """One answer as a part; one that was not executed ends the stream as an error of the transport."""
    if not answer.executed:
        return PART + encode({"payload": None, "errors": answer.errors})
    return PART + b'{"payload":' + answer.json() + b"}"


MULTIPART = Framing(
    'multipart/mixed;boundary="graphql";subscriptionSpec=1.0', encode_part, PART + b"{}", b"\r\n--graphql--\r\n"
)
