"""Webhooks by real io workers to a real receiver, verified by the reference library of Standard Webhooks."""

import signal
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import col
from standardwebhooks import Webhook

from db.accounts import owners
from db.accounts.keys import Seals, signing_keys
from db.domain.states import Transition
from db.domain.values import JobState
from db.domain.webhooks import WebhookEvent, WebhookState
from db.jobs import attempts
from db.models import Job
from db.settings import StoreSettings
from db.webhooks import endpoints, secrets
from db.webhooks.tables import AT_ONCE, WebhookDelivery, WebhookEndpoint, WebhookSecret
from tests.factories import running
from tests.fixtures.receivers import Receiver
from tests.fixtures.workers import Crew, reached, until

OWNER = "usr_a"
SECRET = secrets.new_secret()
QUICKLY = {"OUTGOING_NETWORKS": "127.0.0.1", "WEBHOOK_SCHEDULE": "[0.1,0.1,0.1]", "WEBHOOK_TIMEOUT": "1"}
ALL = tuple(WebhookEvent)


@pytest.fixture
def database_url(postgres_url: str) -> str:
    """What is said to SQLite is tested with the graph."""
    return postgres_url


async def endpoint(crew: Crew, url: str, owner: str = OWNER, events: Sequence[WebhookEvent] = ALL) -> WebhookEndpoint:
    async with crew.db.write() as session:
        await owners.ensure(session, owner)
        return await endpoints.create(session, owner, url=url, events=events, sealed=seals(crew).seal(SECRET))


def seals(crew: Crew) -> Seals:
    return Seals(signing_keys(StoreSettings(home=crew.home)), secrets.PURPOSE)


async def done(crew: Crew, owner: str = OWNER, **fields: Any) -> Job:
    """A job that started and ended."""
    job, lease = await running(crew.db, owner, **fields)
    async with crew.db.write() as session:
        await attempts.finish(session, lease, Transition.SUCCEED)
    return job


async def deliveries(crew: Crew) -> list[WebhookDelivery]:
    async with crew.db.read() as session:
        found = select(WebhookDelivery).order_by(col(WebhookDelivery.endpoint_id), col(WebhookDelivery.number))
        return list((await session.execute(found)).scalars())


async def all_end(crew: Crew, state: JobState = JobState.SUCCEEDED) -> list[WebhookDelivery]:
    return await reached(lambda: deliveries(crew), lambda rows: all(row.state is state for row in rows))


async def state_of(crew: Crew, id_: str) -> WebhookEndpoint:
    async with crew.db.read() as session:
        return (await endpoints.many(session, OWNER, [id_]))[id_]


async def test_every_message_arrives_once_its_receiver_recovers_signed_and_in_order(
    crew: Crew, receiver: Receiver
) -> None:
    faults = ("500", "429", "503", "301", "404", "drop", "hang")
    paths = [f"/{fault}/2" for fault in faults]
    for path in paths:
        await endpoint(crew, receiver.url + path)
    jobs = [await done(crew) for _ in range(2)]
    await crew.start("io", **QUICKLY)
    rows = await all_end(crew)
    assert len(rows) == len(paths) * len(jobs) * 2
    for path in paths:
        came = receiver.to(path)
        for row in (row for row in rows if row.id in {message.id for message in came}):
            tries = [message for message in came if message.id == row.id]
            assert (len(tries), row.attempt, row.last_status) == (3, 3, 200)
            assert {message.body for message in tries} == {row.body.encode()}
        for message in came:
            Webhook(SECRET).verify(message.body, message.headers)
        for job in jobs:
            told = [Webhook(SECRET).verify(message.body, message.headers) for message in came]
            types = [one["type"] for one in told if one["data"]["jobId"] == job.id]
            assert types == ["job.started"] * 3 + ["job.finished"] * 3
    assert receiver.to("/elsewhere/0") == []
    spared = receiver.to("/429/2")
    same = [(one, two) for one, two in pairwise(sorted(spared, key=lambda m: (m.id, m.at))) if one.id == two.id]
    assert all(two.at - one.at >= 1 for one, two in same)


async def test_a_worker_that_dies_while_it_sends_has_its_message_sent_again_with_the_same_id_and_bytes(
    crew: Crew, receiver: Receiver
) -> None:
    await endpoint(crew, f"{receiver.url}/hang/1")
    await done(crew)
    patient = QUICKLY | {"WEBHOOK_TIMEOUT": "20"}
    first = await crew.start("io", **patient)
    await until(receiver.hanging.is_set)
    first.kill()
    receiver.may_go_on.set()
    await crew.start("io", **patient)
    rows = await all_end(crew)
    came = receiver.to("/hang/1")
    again = [message for message in came if message.id == came[0].id]
    assert len(again) == 2
    assert again[0].body == again[1].body == rows[0].body.encode()
    assert [row.crashes for row in rows] == [1, 0]


async def test_a_worker_that_goes_down_hands_a_message_back_uncharged(crew: Crew, receiver: Receiver) -> None:
    await endpoint(crew, f"{receiver.url}/hang/1")
    await done(crew)
    worker = await crew.start("io", **QUICKLY | {"WEBHOOK_TIMEOUT": "20", "DRAIN_SECONDS": "0"})
    await until(receiver.hanging.is_set)
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(20) == 0
    assert [(row.state, row.attempt, row.crashes) for row in await deliveries(crew)] == [(JobState.QUEUED, 0, 0)] * 2


async def test_a_receiver_that_is_gone_is_disabled_and_told_nothing_more(crew: Crew, receiver: Receiver) -> None:
    made = await endpoint(crew, f"{receiver.url}/410/9")
    await done(crew)
    await done(crew)
    await crew.start("io", **QUICKLY)
    await all_end(crew, JobState.FAILED)
    found = await state_of(crew, made.id)
    assert found.state is WebhookState.DISABLED
    assert found.reason
    assert "410" in found.reason
    told = len(receiver.messages)
    assert told <= 2  # of four
    await done(crew)
    assert len(await deliveries(crew)) == 4


async def test_a_receiver_that_fails_for_days_is_paused_and_sent_what_was_kept_when_it_is_enabled(
    crew: Crew, receiver: Receiver
) -> None:
    made = await endpoint(crew, f"{receiver.url}/500/1")
    days_ago = 1
    async with crew.db.write() as session:
        await session.execute(update(WebhookEndpoint).values(failing_since=days_ago))
    await done(crew)
    await crew.start("io", **QUICKLY)
    await all_end(crew, JobState.FAILED)
    paused = await state_of(crew, made.id)
    assert paused.state is WebhookState.PAUSED
    assert paused.reason
    assert "5 days" in paused.reason
    assert "500" in paused.reason
    await done(crew)
    rows = await deliveries(crew)
    assert [row.state for row in rows] == [JobState.FAILED] * 4
    async with crew.db.write() as session:
        await endpoints.change(session, OWNER, made.id, url=None, events=None, state=WebhookState.ENABLED)
    await all_end(crew)
    assert (await state_of(crew, made.id)).failing_since is None
    assert len({message.id for message in receiver.messages}) == 4


async def test_slow_receivers_hold_up_neither_others_nor_documents(crew: Crew, receiver: Receiver) -> None:
    slow = [await endpoint(crew, f"{receiver.url}/hang/9/{number}") for number in range(3)]
    for _ in range(AT_ONCE + 2):
        await done(crew)
    quick = await endpoint(crew, f"{receiver.url}/200/0", "usr_b")
    await crew.start("io", **QUICKLY | {"WEBHOOK_TIMEOUT": "30", "IO_THREADS": "1", "JOBS_PER_OWNER": "1"})
    await until(lambda: len(receiver.messages) == len(slow) * AT_ONCE)
    await done(crew, "usr_b")
    await reached(
        lambda: deliveries(crew),
        lambda rows: all(row.state is JobState.SUCCEEDED for row in rows if row.endpoint_id == quick.id),
    )
    assert not receiver.may_go_on.is_set()
    assert len(receiver.messages) == len(slow) * AT_ONCE + 2


async def test_a_job_s_own_address_is_told_how_it_ends_signed_with_the_account_s_secret(
    crew: Crew, receiver: Receiver
) -> None:
    async with crew.db.write() as session:
        await owners.ensure(session, OWNER)
        await secrets.put(session, OWNER, OWNER, seals(crew).seal(secrets.new_secret()))
        await secrets.put(session, OWNER, OWNER, seals(crew).seal(SECRET))
    job = await done(crew, webhook_url=f"{receiver.url}/500/1")
    await crew.start("io", **QUICKLY)
    await all_end(crew)
    told = [Webhook(SECRET).verify(message.body, message.headers) for message in receiver.messages]
    assert [one["type"] for one in told] == ["job.started"] * 2 + ["job.finished"] * 2
    assert told[-1]["data"] == {
        "jobId": job.id, "transcriptId": job.id.replace("job_", "trn_"), "mediaId": job.media_id, "state": "SUCCEEDED"
    }  # fmt: skip
    assert [len(message.headers["webhook-signature"].split()) for message in receiver.messages] == [2] * 4


async def test_private_addresses_are_not_connected_to_and_the_message_is_parked(crew: Crew, receiver: Receiver) -> None:
    await endpoint(crew, f"{receiver.url}/200/0")
    await done(crew)
    await crew.start("io", **QUICKLY | {"OUTGOING_NETWORKS": ""})
    rows = await all_end(crew, JobState.FAILED)
    assert receiver.messages == []
    assert [row.attempt for row in rows] == [4, 4]
    assert all("127.0.0.1" in (row.last_error or "") for row in rows)


async def test_secrets_are_not_readable_in_the_database(crew: Crew) -> None:
    await endpoint(crew, "https://example.org")
    async with crew.db.read() as session:
        row = (await session.execute(select(WebhookSecret))).scalar_one()
    assert SECRET.removeprefix("whsec_") not in row.sealed
    assert seals(crew).open(row.sealed) == SECRET
