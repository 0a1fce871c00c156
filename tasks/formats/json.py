"""Our own JSON: everything that the transcript holds."""

import msgspec

from tasks.formats.document import Document, Request


def render(document: Document, _request: Request) -> bytes:
    """One object, indented; times in seconds, speakers by index into `voices`."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
