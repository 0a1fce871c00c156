"""Our own JSON: everything that the transcript holds, in the layout that `json.schema.json` publishes."""

from pathlib import Path
from typing import Any

import msgspec

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.options import Options

SCHEMA_ID = "urn:graphophone:transcript:1"
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
    root = found["$defs"][Document.__name__]
    root["properties"] = {"$schema": {"const": SCHEMA_ID}} | root["properties"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID} | found


FORMAT = Format(
    name="JSON",
    description="Everything that is known about the transcript, in this project's own layout.",
    media_type="application/json",
    extension="json",
    options=Options,
    write=write,
)
