"""Personal tokens: what they open, for how long, and who may make them."""

import asyncio
import json
import re
import time
from typing import Any

import httpx
import pytest
import websockets
from sqlalchemy import select, update
from sqlmodel import col

from api.auth.credentials import Credentials
from api.auth.standings import Standings
from db.accounts import accounts, tokens
from db.accounts.owners import LOCAL_OWNER
from db.accounts.secrets import PERSONAL, hash_of, is_secret, new_secret
from db.accounts.tables import AccessToken
from db.domain.clock import now
from db.store.session import Database
from tests.fixtures.graph import Graph
from tests.fixtures.web import TOKEN, Web

CREATE = """mutation($name: String! = "ci", $scopes: [String!]! = ["jobs:read", "account"], $days: Int) {
  createAccessToken(input: {name: $name, scopes: $scopes, expiresInDays: $days}) { __typename
    ... on CreateAccessTokenPayload { secret accessToken { id name prefix scopes createdAt expiresAt lastUsedAt } }
    ... on InvalidInputError { fields { path } } ... on ForbiddenError { requiredScope }
    ... on LimitExceededError { limit unit } } }"""
REVOKE = """mutation($id: ID!) { revokeAccessToken(id: $id) { __typename ... on RevokeAccessTokenPayload { deletedId }
  ... on UserError { code } } }"""
LIST = "{ viewer { accessTokens { totalCount edges { node { id name lastUsedAt } } } } }"
VIEWER = "{ viewer { user { id } scopes } }"
ACCOUNT = frozenset({"account", "jobs:read"})


async def made(web: Web, **variables: Any) -> Any:
    return (await web.data(CREATE, **variables))["createAccessToken"]


async def test_a_token_opens_what_its_scopes_name_until_it_is_revoked(web: Web) -> None:
    token = await made(web)
    secret = token["secret"]
    assert token["accessToken"]["prefix"] == secret[:8]
    assert (await web.data(VIEWER, secret))["viewer"] == {
        "user": {"id": LOCAL_OWNER},
        "scopes": ["account", "jobs:read"],
    }
    refused = (await web.ask("{ transcripts { totalCount } }", secret)).json()["errors"][0]["extensions"]
    assert (refused["code"], refused["details"]) == ("FORBIDDEN", {"requiredScope": "transcripts:read"})
    revoked = await web.data(REVOKE, secret, id=token["accessToken"]["id"])
    assert revoked["revokeAccessToken"] == {
        "__typename": "RevokeAccessTokenPayload", "deletedId": token["accessToken"]["id"]
    }  # fmt: skip
    async with asyncio.timeout(3):
        while (await web.ask(VIEWER, secret)).status_code != 401:
            await asyncio.sleep(0.2)


async def test_a_token_ends_at_its_time(web: Web) -> None:
    token = await made(web, days=1)
    async with web.db.write() as session:
        await session.execute(update(AccessToken).values(expires_at=now() - 1))
    assert (await web.ask(VIEWER, token["secret"])).status_code == 401


async def test_the_database_holds_no_secret(web: Web) -> None:
    secret = (await made(web))["secret"]
    async with web.db.read() as session:
        row = (await session.execute(select(AccessToken))).scalar_one()
    assert row.secret_hash == hash_of(secret)
    assert secret[len(row.prefix) :] not in repr(row)


async def test_the_last_use_is_written_at_most_once_a_minute(database: Database) -> None:
    async with database.write() as session:
        await accounts.ensure_local(session)
        secret = (await tokens.create(session, LOCAL_OWNER, name="x", scopes=["account"], expires_at=None)).secret

    async def use(last: int | None) -> int | None:
        """What is written when the last use that is known was then."""
        async with database.write() as session:
            await session.execute(update(AccessToken).values(last_used_at=last))
        standings = Standings(database)
        assert await Credentials(database, standings, TOKEN)({"authorization": f"Bearer {secret}"})
        await standings.look()
        async with database.read() as session:
            return (await session.execute(select(col(AccessToken.last_used_at)))).scalar_one()

    at = now()
    assert at <= (await use(None) or 0) <= now()
    assert await use(at - 30_000) == at - 30_000
    assert (await use(at - 90_000) or 0) >= at


@pytest.mark.parametrize("end", ["revoked", "disabled"])
async def test_a_standing_ends_with_its_token_or_its_account(database: Database, end: str) -> None:
    async with database.write() as session:
        await accounts.ensure_local(session)
        made = await tokens.create(session, LOCAL_OWNER, name="x", scopes=["account"], expires_at=None)
    standings = Standings(database)
    credentials = Credentials(database, standings, TOKEN)
    viewer = await credentials({"authorization": f"Bearer {made.secret}"})
    await standings.look()
    assert viewer
    assert viewer.expires_at is None
    async with database.write() as session:
        if end == "revoked":
            await tokens.revoke(session, LOCAL_OWNER, made.token.id)
        else:
            await accounts.set_disabled(session, LOCAL_OWNER, closed=True)
    await standings.look()
    assert viewer.expires_at
    assert viewer.expires_at <= time.time()
    assert (await credentials({"authorization": f"Bearer {TOKEN}"}) is None) == (end == "disabled")


async def test_a_token_gives_no_more_than_it_has(graph: Graph) -> None:
    graph.scopes = ACCOUNT
    assert (await graph.data(CREATE, scopes=["jobs:write"]))["createAccessToken"] == {
        "__typename": "ForbiddenError", "requiredScope": "jobs:write"
    }  # fmt: skip
    graph.scopes = frozenset({"jobs:read"})
    for query in (CREATE, LIST):
        answer = await graph.ask(query)
        assert "requiredScope" in str(answer), answer


async def test_a_token_makes_none_that_outlives_it(web: Web) -> None:
    parent = await made(web, days=1)
    child = (await web.data(CREATE, parent["secret"]))["createAccessToken"]["accessToken"]
    assert child["expiresAt"] == parent["accessToken"]["expiresAt"]


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"name": ""}, ["input", "name"]),
        ({"name": "a\0b"}, ["input", "name"]),
        ({"name": "x" * 101}, ["input", "name"]),
        ({"scopes": []}, ["input", "scopes"]),
        ({"scopes": ["jobs:read", "jobs"]}, ["input", "scopes", "1"]),
        ({"days": 0}, ["input", "expiresInDays"]),
        ({"days": 3651}, ["input", "expiresInDays"]),
    ],
)
async def test_a_bad_value_is_named(graph: Graph, variables: dict[str, Any], field: list[str]) -> None:
    graph.scopes = ACCOUNT
    answer = (await graph.data(CREATE, **variables))["createAccessToken"]
    assert answer == {"__typename": "InvalidInputError", "fields": [{"path": field}]}


async def test_there_are_a_hundred_tokens_at_most(graph: Graph) -> None:
    graph.scopes = ACCOUNT
    row: dict[str, Any] = {"owner_id": graph.owner, "name": "x", "prefix": "gph_", "scopes": [], "created_at": 1}
    async with graph.db.write() as session:
        session.add_all(AccessToken(id=f"tok_{i}", secret_hash=str(i), **row) for i in range(100))
    answer = (await graph.data(CREATE))["createAccessToken"]
    assert answer == {"__typename": "LimitExceededError", "limit": 100.0, "unit": "tokens"}


async def test_somebody_elses_token_is_one_that_does_not_exist(graph: Graph, bob: Graph) -> None:
    graph.scopes = bob.scopes = ACCOUNT
    token = (await graph.data(CREATE))["createAccessToken"]["accessToken"]
    assert (await graph.data(LIST))["viewer"]["accessTokens"]["totalCount"] == 1
    assert (await bob.data(LIST))["viewer"]["accessTokens"]["totalCount"] == 0
    node = "query($id: ID!) { node(id: $id) { ... on AccessToken { name } } }"
    assert (await graph.data(node, id=token["id"]))["node"] == {"name": "ci"}
    assert (await bob.data(node, id=token["id"]))["node"] is None
    nothing = (await bob.data(REVOKE, id="tok_nothing"))["revokeAccessToken"]
    assert (await bob.data(REVOKE, id=token["id"]))["revokeAccessToken"] == nothing
    assert nothing["code"] == "NOT_FOUND"


def test_a_secret_is_recognised_and_a_mistyped_one_is_not() -> None:
    secret = new_secret(PERSONAL)
    assert is_secret(secret, PERSONAL)
    for wrong in (secret[:-1], secret + "a", secret.swapcase(), "gph_" + "a" * 36, "", "é" * 40, secret[:-1] + "é"):
        assert not is_secret(wrong, PERSONAL), wrong
    assert len({new_secret(PERSONAL) for _ in range(1000)}) == 1000


async def test_what_is_open_to_a_token_is_closed_within_ten_seconds_of_its_end(web: Web) -> None:
    watch = "subscription { viewerEvents { cursor } }"
    revoked, streamed, expiring = [
        await made(web, scopes=["jobs:read", "transcripts:read", "exports:read"], days=1) for _ in range(3)
    ]
    async with web.db.write() as session:
        soon = update(AccessToken).where(col(AccessToken.id) == expiring["accessToken"]["id"])
        await session.execute(soon.values(expires_at=now() + 3000))
    ends = [
        asyncio.create_task(_websocket_end(web, revoked["secret"], watch)),
        asyncio.create_task(_websocket_end(web, expiring["secret"], watch)),
        asyncio.create_task(_stream_end(web, streamed["secret"], watch)),
    ]
    await asyncio.sleep(0.5)
    assert not any(end.done() for end in ends)
    for token in (revoked, streamed):
        await web.data(REVOKE, id=token["accessToken"]["id"])
    async with asyncio.timeout(10):
        assert await asyncio.gather(*ends) == [4403, 4403, 200]


async def _websocket_end(web: Web, secret: str, query: str) -> int:
    url = web.graphql.replace("http", "ws", 1)
    async with websockets.connect(url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {secret}"}}))
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query}}))
        try:
            while True:
                await socket.recv()
        except websockets.ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 0


async def _stream_end(web: Web, secret: str, query: str) -> int:
    headers = {"Authorization": f"Bearer {secret}", "Accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("POST", web.graphql, json={"query": query}, headers=headers) as answer,
    ):
        async for _ in answer.aiter_bytes():
            pass
        return answer.status_code


async def test_an_answer_tells_what_is_left_to_ask_for(web: Web) -> None:
    answer = await web.ask(VIEWER)
    assert answer.headers["ratelimit-policy"] == '"points";q=200000;w=60'
    left = re.fullmatch(r'"points";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
    assert left
    assert int(left[1]) < 200_000
    assert int(left[2]) <= 60
    assert "ratelimit" not in (await web.ask(VIEWER, None)).headers
