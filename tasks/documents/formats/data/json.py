"""Our own JSON: everything that the transcript holds, in the layout that `json.schema.json` publishes."""

import json
from pathlib import Path
from typing import Any

import msgspec

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.options import Options

SCHEMA_ID = "urn:graphophone:transcript:1"
_DESCRIPTION = (
    "A transcript as Graphophone exports it. Times are seconds from the start of the recording, `created_at` is an "
    "instant in milliseconds since 1970, a confidence is a probability, and the `speaker` of a segment or word is an "
    "index into `speakers`."
)
SCHEMA_FILE = Path(__file__).with_name("json.schema.json")


def write(document: Document, _options: Options) -> bytes:
    """Return one object, indented; times in seconds, speakers by index into `speakers`."""
    head = b'{"$schema":"' + SCHEMA_ID.encode() + b'",'
    return msgspec.json.format(head + msgspec.json.encode(document)[1:], indent=1) + b"\n"


def read(data: bytes) -> Document:
    """Return the document that was written: nothing is lost. Raises msgspec.ValidationError."""
    return msgspec.json.decode(data, type=Document)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of what is written."""
    found = msgspec.json.schema(Document)
    for definition in found["$defs"].values():  # in it, docstrings speak to programmers
        definition.pop("description", None)
    root = found["$defs"][Document.__name__]
    root["properties"] = {"$schema": {"const": SCHEMA_ID}} | root["properties"]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, "description": _DESCRIPTION}
    return head | found


FORMAT = Format(
    name="JSON",
    description="Everything that is known about the transcript, in this project's own layout.",
    media_type="application/json",
    extension="json",
    options=Options,
    write=write,
)

if __name__ == "__main__":
    SCHEMA_FILE.write_text(json.dumps(schema(), indent=1) + "\n")
