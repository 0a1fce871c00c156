"""A document's bytes, from a process of its own."""

import msgspec

from db.models import Export
from tasks.documents.document import Document
from tasks.documents.format import Limits, NotWritable
from tasks.documents.render import Outcome, Rendering
from tasks.runtime.context import Runtime
from tasks.system.processes import ask


async def rendered(runtime: Runtime, export: Export, document: Document) -> tuple[bytes, int | None]:
    """Return the document's bytes and pages, made in a process of its own, which ends when this is cancelled: no
    library that hangs, and no recording that makes it, outlives the time limit. Raises NotWritable.
    """
    limits = Limits(runtime.settings.export_max_bytes, runtime.settings.export_max_pages)
    options = msgspec.Raw(export.request.encode())
    task = Rendering(format=export.format, document=document, options=options, limits=limits)
    status, answer, complaint = await ask("tasks.documents.render", said=msgspec.json.encode(task))
    if status != 0:
        raise RuntimeError(f"rendering ended with status {status}: {complaint[-2000:].decode(errors='replace')}")
    head, _, data = answer.partition(b"\n")
    outcome = msgspec.json.decode(head, type=Outcome)
    if outcome.problem is not None:
        raise NotWritable(outcome.problem)
    return data, outcome.pages
