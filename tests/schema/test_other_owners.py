"""What belongs to somebody else is as if it did not exist: for every place of the schema that takes an id."""

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import pytest
from sqlalchemy import event

from db.accounts import tables  # noqa: F401 - adds its tables to the metadata
from db.accounts.scopes import MEMBER_SCOPES
from db.domain.states import Transition
from db.jobs import attempts
from db.models import METADATA, SpeakerRow
from db.store.compiled import Compiled
from tests.fixtures.graph import Graph, segment
from tests.schema import walk
from tests.schema.walk import Place

OWNED = sorted(table.name for table in METADATA.sorted_tables if "owner_id" in table.columns)

NOBODYS = {
    "SELECT count(*) AS count_1 FROM job WHERE job.state": "how many jobs wait: a number, of the whole installation",
    "SELECT sum(anon_1.work) AS sum_1, sum(anon_1.audio)": "how fast recent work went, of the whole installation",
    "SELECT coalesce(sum(media.duration_ms), ?)": "how much work waits, of the whole installation",
}
"""Statements that ask across owners, each with the reason why it may."""


RUNNING = {"cancelJob"}
"""What is done to jobs that have not ended; all else finds an ended one."""


async def things(graph: Graph, *, finished: bool = True) -> dict[str, str]:
    """One of each kind, of the viewer's own; the job has ended, unless it is to run."""
    graph.scopes = MEMBER_SCOPES
    await graph.job()
    row, lease = await graph.claim()
    await graph.append(lease, *(segment(number) for number in range(3)))
    if finished:
        async with graph.db.write() as session:
            await attempts.finish(session, lease, Transition.SUCCEED)
    job, transcript = row.id, row.id.replace("job_", "trn_")
    told = await graph.data(
        """mutation($id: ID!) {
          createExport(input: {transcriptId: $id, format: SRT}) { ... on CreateExportPayload { export { id } } }
          createAccessToken(input: {name: "x", scopes: ["account"]}) {
            ... on CreateAccessTokenPayload { accessToken { id } } }
          createWebhookEndpoint(input: {url: "https://example.org", events: [JOB_FAILED]}) {
            ... on CreateWebhookEndpointPayload { webhookEndpoint { id } } }
          createUpload(input: {filename: "a.wav", byteSize: 9}) { ... on CreateUploadPayload { upload { id } } } }""",
        id=transcript,
    )
    endpoint = told["createWebhookEndpoint"]["webhookEndpoint"]["id"]
    tested = await graph.data(
        "mutation($id: ID!) { testWebhookEndpoint(id: $id) {"
        " ... on ReplayWebhookDeliveryPayload { delivery { id } } } }",
        id=endpoint,
    )
    shown = await graph.data(
        "query($id: ID!) { transcript(id: $id) { segments { edges { node { id } } } job { media { id } } } }",
        id=transcript,
    )
    async with graph.db.write() as session:
        for number in range(2):
            facts: dict[str, Any] = {"position": number, "label": f"SPEAKER_0{number}", "seconds": 1.0, "word_count": 1}
            await session.merge(SpeakerRow(transcript_id=transcript, owner_id=graph.owner, **facts))
    first, second = [edge["node"]["id"] for edge in shown["transcript"]["segments"]["edges"]][:2]
    speaker = transcript.replace("trn_", "spk_")
    await graph.data(
        'mutation($id: ID!) { renameSpeaker(id: $id, input: {expectedRevision: 1, name: "Ann"}) { __typename } }',
        id=f"{speaker}_0",
    )
    return {
        "Job": job,
        "Transcript": transcript,
        "Segment": first,
        "another Segment": second,
        "Speaker": f"{speaker}_0",
        "another Speaker": f"{speaker}_1",
        "Media": shown["transcript"]["job"]["media"]["id"],
        "Export": told["createExport"]["export"]["id"],
        "AccessToken": told["createAccessToken"]["accessToken"]["id"],
        "Upload": told["createUpload"]["upload"]["id"],
        "WebhookEndpoint": endpoint,
        "WebhookDelivery": tested["testWebhookEndpoint"]["delivery"]["id"],
    }


def nothing_like(id_: str) -> str:
    """An id of the same shape that nobody has."""
    head, _, rest = id_.partition("_")
    return f"{head}_{'0' * 26}{rest[26:]}"


async def asked(graph: Graph, place: Place, id_: str, own: dict[str, str]) -> Any:
    """The answer at a place, with the id that was given blotted out."""
    field = next(field for operation, name, field in walk.roots() if (operation, name) == place[:2])
    given = walk.variables(field, own, place, id_)
    text = walk.document(place.operation, place.root, field, given, depth=0)
    if place.operation == "subscription":
        async with aclosing(graph.watch(text, **given)) as answers:  # type: ignore[type-var]  # it is a generator
            try:
                async with asyncio.timeout(2):
                    answer: Any = await anext(answers)
            except TimeoutError:  # it is open, and nothing happens
                answer = {"data": "open"}
    else:
        answer = await graph.ask(text, **given)
    return str(answer).replace(id_.partition("_")[2][:26], "THE ID")


async def test_no_place_tells_somebody_elses_id_from_one_that_nobody_has(
    graph: Graph, bob: Graph, statements: Callable[[], int]
) -> None:
    alices, own = await things(graph), await things(bob)
    differences = []
    walked = 0
    for place in walk.places():
        for kind, id_ in alices.items():
            statements()
            theirs, cost = await asked(bob, place, id_, own), statements()
            nobodys, least = await asked(bob, place, nothing_like(id_), own), statements()
            walked += 1
            if theirs != nobodys or cost != least:
                differences.append((place, kind, theirs[:300], nobodys[:300], cost, least))
    assert differences == []
    assert walked >= 8 * 20


async def test_the_walk_gets_through_where_the_id_is_ones_own(bob: Graph) -> None:
    """Otherwise all that it compares would be the same complaint about something else."""
    blocked = []
    for place in walk.places():
        own = await things(bob, finished=place.root not in RUNNING)
        mine = await asked(bob, place, own[place.kind], own)
        if "NOT_FOUND" in mine or mine == str({"data": {place.root: None}}) or "INVALID_INPUT" in mine:
            blocked.append((place, own[place.kind], mine[:300]))
    assert blocked == []


@pytest.fixture
def sent(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that is sent, by sessions and by transactions that go straight to the driver."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        found.append(statement)

    event.listen(graph.db._engine.sync_engine, "before_cursor_execute", note)
    made = Compiled.arguments

    def arguments(compiled: Any, values: Any) -> Any:
        found.append(compiled.sql)
        return made(compiled, values)

    monkeypatch.setattr(Compiled, "arguments", arguments)
    return found


async def test_every_statement_that_a_request_sends_names_the_owner_of_each_table(
    graph: Graph, sent: list[str]
) -> None:
    for operation, name, field in walk.roots():
        own = await things(graph, finished=name not in RUNNING)
        sent.clear()
        place = next((place for place in walk.places() if place[:2] == (operation, name)), None)
        given = walk.variables(field, own, place, own[place.kind] if place else "")
        text = walk.document(operation, name, field, given, depth=2)
        if operation == "subscription":
            async with aclosing(graph.watch(text, **given)) as answers:  # type: ignore[type-var]  # it is a generator
                with suppress(TimeoutError):  # it is open, and nothing happens
                    async with asyncio.timeout(2):
                        await anext(answers)
        else:
            await graph.ask(text, **given)
        assert without_owner(sent) == [], name


def without_owner(statements: list[str]) -> list[str]:
    """Those that reach a table of owners' things without saying whose. A row that was read with its owner may be
    written back by its key, as a session does.
    """
    missing, read = [], set()
    for statement in (" ".join(one.split()) for one in statements):
        for alias, table in _tables(statement):
            said = re.search(rf"(^|[^\w.]){alias}\.owner_id\s*(=|IN)|=\s*{alias}\.owner_id\b", statement)
            if said:
                read.add(table)
            elif re.match(rf"(UPDATE|DELETE FROM) {table}\b.* WHERE {table}\.", statement) and table in read:
                continue
            elif not (statement.startswith("INSERT") and "owner_id" in statement) and not _nobodys(statement):
                missing.append(statement)
    return missing


def _nobodys(statement: str) -> bool:
    return any(statement.startswith(beginning) for beginning in NOBODYS)


def _tables(statement: str) -> list[tuple[str, str]]:
    """Each owned table that a statement reaches, as it is called there and as it is."""
    names = "|".join(OWNED)
    found = re.findall(rf'(?:FROM|JOIN|UPDATE|INTO|,)\s+"?({names})"?(?:\s+AS\s+"?(\w+)"?)?(?=[\s,()]|$)', statement)
    return [(alias or name, name) for name, alias in found]


def test_a_statement_without_an_owner_is_noticed() -> None:
    assert without_owner(["SELECT job.id FROM job WHERE job.id = ?"])
    assert without_owner(["SELECT 1 FROM job JOIN media AS m ON m.id = job.media_id WHERE job.owner_id = ?"])
    write = "UPDATE media SET blob_key = NULL WHERE media.id = ?"
    assert without_owner([write])
    assert not without_owner(["SELECT media.id FROM media WHERE media.owner_id = ?", write])
    assert not without_owner(["SELECT job.id FROM job WHERE job.owner_id = ?", "SELECT 1 FROM worker"])
