"""The media type that a client prefers, from its `Accept` header (RFC 9110, section 12.5.1)."""

from dataclasses import dataclass

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
HTML = "text/html"
PARTS = "multipart/mixed"


@dataclass(frozen=True)
class Accepted:
    """The quality that a client gives each kind of answer, 0 (refused) to 1. Streams and pages count only if named."""

    json: str | None
    """The JSON media type to answer with; None when none is accepted."""
    json_quality: float
    stream_quality: float
    html_quality: float
    parts_quality: float = 0.0
    parts_by_id: bool = False
    """True if it names today's draft of answers in parts; clients that name none read the one of August 2022."""

    @property
    def prefers_stream(self) -> bool:
        """Event streams before JSON. A client that names both alike gets JSON: many clients name all they know."""
        return self.stream_quality > self.json_quality

    @property
    def prefers_html(self) -> bool:
        """A browser that shows a page."""
        return self.html_quality > max(self.json_quality, self.stream_quality) or (
            self.html_quality > 0 and self.html_quality == self.json_quality and self.json == JSON
        )


def accepted(header: str) -> Accepted:
    """Read an `Accept` header. An empty one means `application/json`."""
    if not header.strip():
        return Accepted(JSON, 1.0, 0.0, 0.0)
    ranges: dict[str, float] = {}
    parts_by_id = False
    for part in header[:4096].split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if media and _utf8(parameters):
            ranges[media] = max(ranges.get(media, 0.0), _quality(parameters))
            parts_by_id = parts_by_id or any(one.startswith("incrementalspec=") for one in parameters)
    wild = ranges.get("application/*", ranges.get("*/*", 0.0))
    response, plain = ranges.get(GRAPHQL_RESPONSE, wild), ranges.get(JSON, wild)
    named = GRAPHQL_RESPONSE in ranges  # a wildcard alone means the older type, as the audit of graphql-http wants it
    media_type = GRAPHQL_RESPONSE if response > plain or (named and response == plain) else JSON
    quality = max(response, plain)
    return Accepted(
        media_type if quality else None,
        quality,
        ranges.get(EVENT_STREAM, 0.0),
        ranges.get(HTML, 0.0),
        ranges.get(PARTS, 0.0),
        parts_by_id,
    )


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return min(quality, 1.0) if quality > 0 else 0.0
    return 1.0


def _utf8(parameters: list[str]) -> bool:
    charsets = [p.partition("=")[2].strip(' "') for p in parameters if p.startswith("charset")]
    return all(charset in ("utf-8", "utf8", "*") for charset in charsets)
