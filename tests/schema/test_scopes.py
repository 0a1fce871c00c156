"""Scopes: each field that shows or changes what belongs to somebody says what it needs, and asks for it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from graphql import GraphQLField, GraphQLInterfaceType, GraphQLNamedType, GraphQLObjectType, get_named_type
from strawberry.types.field import StrawberryField

from db.accounts.scopes import ALL_SCOPES
from schema.base.fields import SCOPE
from tests.fixtures.graph import Graph, engine

READ = {
    "Job": "jobs:read", "JobEvent": "jobs:read", "Media": "jobs:read", "UploadSession": "jobs:read",
    "Transcript": "transcripts:read", "Segment": "transcripts:read", "Speaker": "transcripts:read",
    "Word": "transcripts:read", "Caption": "transcripts:read", "SearchHit": "transcripts:read",
    "Revision": "transcripts:read", "Utterance": "transcripts:read",
    "Export": "exports:read", "AccessToken": "account", "WebhookEndpoint": "account",
    "WebhookDelivery": "account",
}  # fmt: skip
"""What it takes to see a thing. Whatever else a type shows belongs to one of these, or is nobody's secret."""

OPEN = {"Query.viewer", "Query.capabilities", "Query.node", "Query.nodes"}
"""Roots without a scope of their own: what they show asks by itself."""

EMBEDDED = {
    ("SegmentsAppended", "Segment"), ("SegmentsRevised", "Segment"), ("ExportChanged", "Export"),
    *(("TranscriptRevised", shown) for shown in ("Transcript", "Revision", "Segment", "Speaker")),
}  # fmt: skip
"""Events: their streams need the scopes, and leave out exports without theirs."""


class Declared(NamedTuple):
    parent: GraphQLObjectType | GraphQLInterfaceType
    name: str
    field: GraphQLField

    @property
    def scopes(self) -> set[str]:
        own: StrawberryField = self.field.extensions["strawberry-definition"]
        return set(own.metadata.get(SCOPE, "").split())

    @property
    def shown(self) -> GraphQLNamedType:
        """What it gives, whatever lists, pages and edges lie around it."""
        type_: Any = get_named_type(self.field.type)
        while type_.name.endswith(("Connection", "Edge")):
            fields = type_.fields
            type_ = get_named_type((fields.get("edges") or fields["node"]).type)
        return type_  # type: ignore[no-any-return]


def declared() -> Iterator[Declared]:
    for type_ in engine().schema.type_map.values():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not type_.name.startswith("__"):
            for name, field in type_.fields.items():
                if "strawberry-definition" in (field.extensions or {}):
                    yield Declared(type_, name, field)


def kinds(type_: GraphQLNamedType) -> list[str]:
    """The type and the interfaces that it is."""
    interfaces = getattr(type_, "interfaces", ())
    return [type_.name, *(one.name for one in interfaces)]


def needed(type_: GraphQLNamedType) -> set[str]:
    return {READ[name] for name in kinds(type_) if name in READ}


def test_every_field_that_shows_what_is_somebodys_needs_the_scope_for_it() -> None:
    missing = []
    for one in declared():
        root = one.parent.name in {"Query", "Subscription"}
        covered = one.scopes | (set() if root else needed(one.parent))
        inside = one.parent.name.endswith(("Payload", "Edge", "Connection")) or one.parent.name == "SearchHit"
        embedded = any((name, one.shown.name) in EMBEDDED for name in kinds(one.parent))
        if not inside and not embedded and not needed(one.shown) <= covered:
            missing.append(f"{one.parent.name}.{one.name} shows {one.shown.name} without {needed(one.shown)}")
    assert missing == []


def test_every_root_needs_a_scope() -> None:
    bare = {
        f"{one.parent.name}.{one.name}"
        for one in declared()
        if one.parent.name in {"Query", "Mutation", "Subscription"} and not one.scopes
    }
    assert bare == OPEN


def test_a_scope_is_one_that_there_is_and_stands_in_the_description() -> None:
    for one in declared():
        assert one.scopes <= ALL_SCOPES, one.name
        for scope in one.scopes:
            assert f"`{scope}`" in (one.field.description or ""), f"{one.parent.name}.{one.name}"


ARGUMENTS = {
    "ID!": '"x"', "String!": '"x"', "CreateJobInput!": '{source: {mediaId: "x"}}', "Int!": "1",
    "CreateUploadInput!": '{filename: "a.wav", byteSize: 1}', "RerunStageInput!": "{stage: DIARIZE}",
    "EditSegmentInput!": "{expectedRevision: 1}", "SplitSegmentInput!": "{expectedRevision: 1, atWord: 1}",
    "MergeSegmentsInput!": '{expectedRevision: 1, segmentIds: ["x"]}',
    "RenameSpeakerInput!": '{expectedRevision: 1, name: "x"}',
    "MergeSpeakersInput!": '{expectedRevision: 1, speakerIds: ["x"], intoId: "y"}',
    "RevertTranscriptInput!": "{expectedRevision: 1, toRevision: 1}",
    "CreateExportInput!": '{transcriptId: "x", format: SRT}',
    "EditSegmentsInput!": '{transcriptId: "x", expectedRevision: 1, edits: []}',
    "ConfirmWordsInput!": '{transcriptId: "x", expectedRevision: 1, words: []}',
    "CreateSpeakerInput!": '{transcriptId: "x", expectedRevision: 1, name: "x"}',
    "UpdateJobInput!": "{priority: 1}", "UpdateTranscriptInput!": '{title: "x"}',
    "CreateExportBundleInput!": '{transcriptIds: ["x"], format: SRT}',
    "CreateAccessTokenInput!": '{name: "x", scopes: ["account"]}',
    "CreateWebhookEndpointInput!": '{url: "https://example.org", events: [JOB_FAILED]}',
    "UpdateWebhookEndpointInput!": "{state: PAUSED}",
}  # fmt: skip
"""A value for each type of a required argument: add one when the schema needs another."""


def operation(one: Declared) -> str:
    """The smallest operation that asks for a field of a root."""
    required = [(name, arg) for name, arg in one.field.args.items() if str(arg.type).endswith("!")]
    values = ", ".join(f"{name}: {ARGUMENTS[str(arg.type)]}" for name, arg in required)
    return f"{one.parent.name.lower()} {{ {one.name}{f'({values})' if values else ''} {{ __typename }} }}"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """No row is looked at before the scope is."""
    return sqlite_url


async def test_a_root_is_refused_without_each_of_its_scopes_though_one_has_all_others(graph: Graph) -> None:
    let_in = []
    for one in declared():
        if one.parent.name not in {"Query", "Mutation", "Subscription"}:
            continue
        for scope in one.scopes:
            graph.scopes = ALL_SCOPES - {scope, "admin"}
            if one.parent.name == "Subscription":
                answers = [answer async for answer in graph.watch(operation(one))]
            else:
                answers = [await graph.ask(operation(one))]
            refused = answers[0].get("errors", [{}])[0].get("extensions", {}).get("code") == "FORBIDDEN"
            union = (answers[0].get("data") or {}).get(one.name)
            if not refused and union != {"__typename": "ForbiddenError"}:
                let_in.append((one.name, scope, answers[0]))
    assert let_in == []


async def test_a_node_needs_the_scope_of_its_type(graph: Graph) -> None:
    graph.scopes = ALL_SCOPES
    transcript = await graph.transcript()
    job = transcript.replace("trn_", "job_")
    media = (await graph.data("query($id: ID!) { job(id: $id) { media { id } } }", id=job))["job"]["media"]["id"]
    made = await graph.data(
        'mutation { createAccessToken(input: {name: "x", scopes: ["account"]}) { ... on CreateAccessTokenPayload {'
        " accessToken { id } } } }"
    )
    endpoint = await graph.data(
        'mutation { createWebhookEndpoint(input: {url: "https://example.org", events: [JOB_FAILED]}) {'
        " ... on CreateWebhookEndpointPayload { webhookEndpoint { id } } } }"
    )
    endpoint_id = endpoint["createWebhookEndpoint"]["webhookEndpoint"]["id"]
    delivery = await graph.data(
        "mutation($id: ID!) { testWebhookEndpoint(id: $id) {"
        " ... on ReplayWebhookDeliveryPayload { delivery { id } } } }",
        id=endpoint_id,
    )
    export = await graph.data(
        "mutation($id: ID!) { createExport(input: {transcriptId: $id, format: SRT}) { ... on CreateExportPayload {"
        " export { id } } } }",
        id=transcript,
    )
    ids = {
        "Job": job, "Media": media, "Transcript": transcript, "Export": export["createExport"]["export"]["id"],
        "AccessToken": made["createAccessToken"]["accessToken"]["id"], "WebhookEndpoint": endpoint_id,
        "WebhookDelivery": delivery["testWebhookEndpoint"]["delivery"]["id"],
    }  # fmt: skip
    shown = {str(type_) for type_ in engine().schema.type_map.values() if "Node" in kinds(type_)}
    assert shown - {"User", "Segment", "Speaker", "Node"} == set(ids), "another kind of node: say what it needs here"
    for type_, id_ in ids.items():
        graph.scopes = ALL_SCOPES - {READ[type_], "admin"}
        for query in ("query($id: ID!) { node(id: $id) { id } }", "query($id: ID!) { nodes(ids: [$id]) { id } }"):
            assert (await graph.error(query, id=id_))["details"] == {"requiredScope": READ[type_]}
        graph.scopes = frozenset({READ[type_]})
        assert (await graph.data("query($id: ID!) { node(id: $id) { __typename } }", id=id_))["node"] == {
            "__typename": type_
        }
