"""Wake-ups that are lost, forged or stuck: whatever is in Valkey, and whether it is there, jobs run."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import dramatiq
import pytest
import redis

from db.domain.values import JobState, Stage
from tasks.system import loops
from tasks.wakeups.broker import EVENTS_CHANNEL, NAMESPACE, actor_name, is_silent, make_broker, make_client, wake
from tasks.wakeups.live import PROGRESS_CHANNEL, Live, Progress
from tests.fixtures.workers import Crew

FAR = 10_000_000_000_000
"""The year 2286, in milliseconds."""


def message(queue: str = "speech", **options: int) -> dramatiq.Message[None]:
    return dramatiq.Message(queue_name=queue, actor_name=actor_name("speech"), args=(), kwargs={}, options=options)


def far_away(url: str) -> None:
    make_broker(url).enqueue(message(eta=FAR))


def for_a_queue_that_does_not_exist(url: str) -> None:
    forged = message("nowhere", redis_message_id=1)
    with redis.Redis.from_url(url) as client:
        client.hset(f"{NAMESPACE}:speech.msgs", "1", forged.encode())
        client.rpush(f"{NAMESPACE}:speech", "1")


def a_key_of_another_type(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.set(f"{NAMESPACE}:speech", "not a list")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("forge", [far_away, for_a_queue_that_does_not_exist, a_key_of_another_type])
async def test_a_forged_message_keeps_no_worker_from_its_jobs(
    crew: Crew, redis_url: str, forge: Callable[[str], None]
) -> None:
    worker = await crew.start()
    await asyncio.to_thread(forge, redis_url)
    for _ in range(2):
        assert (await crew.ends(await crew.submit())).state is JobState.SUCCEEDED
    assert worker.process.poll() is None


async def test_jobs_run_on_while_valkey_is_away(tmp_path: Path, database_url: str) -> None:
    crew = Crew(tmp_path, database_url, f"unix://{tmp_path}/nobody-listens.sock")
    try:
        await crew.start()
        assert (await crew.ends(await crew.submit())).state is JobState.SUCCEEDED
    finally:
        await crew.close()


def test_a_wake_up_is_seen_to_wait_until_it_is_heard_under_keys_of_our_own(redis_url: str) -> None:
    broker = make_broker(redis_url)
    assert is_silent(broker, "speech")
    wake(broker, "speech")
    assert not is_silent(broker, "speech")
    assert is_silent(broker, "io")
    assert all(key.startswith(f"{NAMESPACE}:".encode()) for key in broker.client.scan_iter())
    heard = next(broker.consume("speech", timeout=100))
    assert heard
    assert is_silent(broker, "speech")
    broker.close()


@pytest.fixture
async def live(redis_url: str) -> AsyncIterator[Live]:
    client = make_client(redis_url)
    hub = Live(client)
    listening = asyncio.create_task(hub.run())
    yield hub
    listening.cancel()
    await asyncio.wait([listening])
    await client.aclose()


@pytest.mark.parametrize("channel", [EVENTS_CHANNEL, PROGRESS_CHANNEL])
async def test_what_cannot_be_read_on_a_channel_does_not_end_live_percentages(
    live: Live, redis_url: str, channel: str
) -> None:
    told = Progress("usr_a", "job_a", Stage.ALIGN, 0.5, 0.5)
    with redis.Redis.from_url(redis_url) as client:
        while not client.pubsub_numsub(channel)[0][1]:
            await asyncio.sleep(0.01)
        client.publish(channel, b"\xff\xfe")
    async with asyncio.timeout(10), live.subscribe("usr_a") as signals:
        live.tell(told)
        async for signal in signals:
            if signal == told:
                break


async def test_a_loop_that_ends_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "PAUSE", 0.01)
    left, again = [ValueError("once"), None], asyncio.Event()

    async def loop() -> None:
        if not left:
            again.set()
            await asyncio.Event().wait()
        if fault := left.pop():
            raise fault

    going = asyncio.create_task(loops.keep_going("test", loop))
    async with asyncio.timeout(10):
        await again.wait()
    going.cancel()
    await asyncio.wait([going])
