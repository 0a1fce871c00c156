"""A worker process: hears wake-ups, claims, works; sweeps up what others left; drains when asked to stop."""

import os
import sys
import threading
from typing import Any, Final

import dramatiq
import structlog
from dramatiq.asyncio import async_to_sync

from db.domain.values import Queue
from db.settings import StoreSettings
from tasks.documents.exports import EXPORTS
from tasks.runtime.cleanups import CLEANUPS
from tasks.runtime.handlers import Handler
from tasks.runtime.service import WorkerService
from tasks.runtime.signals import on_stop_signals
from tasks.runtime.transcription import TRANSCRIPTION
from tasks.settings import WorkerSettings
from tasks.speech.process import EngineLost, EngineUnable
from tasks.system import logs
from tasks.telemetry import metrics, traces
from tasks.wakeups.broker import actor_name, make_broker
from tasks.webhooks.deliveries import DELIVERIES

HANDLERS: Final[tuple[Handler[Any], ...]] = (TRANSCRIPTION, DELIVERIES, EXPORTS, CLEANUPS)
"""Every kind of background work. Within a queue, what a person waits for comes first."""

_log = structlog.get_logger(__name__)


def main(queue: Queue) -> None:
    """Work until SIGTERM or SIGINT; the work in hand is handed back."""
    logs.configure(f"worker-{queue}")
    traces.configure(f"worker-{queue}")
    settings, store = WorkerSettings(), StoreSettings()
    redis_url = settings.resolved_redis_url(store)
    stop = threading.Event()
    broker = make_broker(redis_url)
    slots = 1 if queue == "speech" else settings.io_threads
    service = WorkerService(queue, HANDLERS, slots, settings)
    dramatiq.actor(broker=broker, queue_name=queue, actor_name=actor_name(queue))(service.work)
    on_stop_signals(lambda: service.force_stop() if stop.is_set() else stop.set())
    worker = dramatiq.Worker(broker, queues={queue}, worker_threads=slots, worker_timeout=100)
    worker.queue_prefetch = slots  # a busy worker must not hold back a wake-up that an idle one could hear
    worker.start()
    try:
        _open(service, lambda: service.open(broker, redis_url, store))
        _log.info("worker.ready", slots=slots)
        stop.wait()
        _log.info("worker.draining")
        for consumer in worker.consumers.values():
            consumer.pause()
        async_to_sync(service.close)()
    finally:
        worker.stop(timeout=1000)
        traces.shut_down()
        metrics.shut_down()
    _log.info("worker.stopped")


def _open(service: WorkerService, opening: Any) -> None:
    try:
        async_to_sync(opening)()
    except EngineUnable as unable:
        problem = unable.problem
        _log.error("worker.no_engine", code=problem.code, message=problem.message, remedy=problem.remedy)
        async_to_sync(service.tell)()  # `capabilities` says so for a while
        async_to_sync(service.close)()
        sys.exit(1 if problem.retryable else os.EX_CONFIG)
    except EngineLost as lost:
        _log.error("worker.no_engine", status=lost.status)
        async_to_sync(service.close)()
        sys.exit(1)
