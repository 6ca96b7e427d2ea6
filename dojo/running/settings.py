"""What the dojo sets on the learner's app, beside the broker's address."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from celery import Celery
from celery.app.defaults import DEFAULTS
from celery.bootsteps import StartStopStep

# The worker waits for messages in BRPOP, and can stop only between two of them.
# Celery's second makes every test with a worker a second longer. Shorter than this gains nothing.
BRPOP_SECONDS = 0.01
RESULT_OPTIONS = "result_backend_transport_options"


@contextlib.contextmanager
def given(prefix: str) -> Iterator[None]:
    """While this lasts every app begins with our transport options.

    An answer may use its app while it is imported, and what it touches keeps the options of that
    time: the back end, the pools, the control.
    """
    options = {"global_keyprefix": prefix, "polling_interval": BRPOP_SECONDS}
    before = {name: DEFAULTS[name] for name in ("broker_transport_options", RESULT_OPTIONS)}
    DEFAULTS.update(dict.fromkeys(before, options))
    try:
        yield
    finally:
        DEFAULTS.update(before)


def adapt(app: Celery, prefix: str, prefetch: int = 0) -> None:
    """Prepare the learner's app for the dojo's workers.

    Args:
        prefix: every key in Redis, and every name in RabbitMQ, begins with it.
        prefetch: the worker's prefetch multiplier; 0 means no limit.
    """
    conf = app.conf
    for_redis = {"global_keyprefix": prefix, "polling_interval": BRPOP_SECONDS}
    own = _adapt_to_rabbitmq(app, prefix) if uses_rabbitmq(app) else for_redis
    conf.broker_transport_options = {**(conf.broker_transport_options or {}), **own}
    conf[RESULT_OPTIONS] = {
        **(conf[RESULT_OPTIONS] or {}),
        "global_keyprefix": prefix,
    }
    # On older kombu an acknowledgement from a pool's thread does not wake the worker's
    # loop: a full prefetch window costs a BRPOP time-out for each task.
    conf.worker_prefetch_multiplier = prefetch
    conf.worker_hijack_root_logger = False
    conf.broker_connection_retry_on_startup = True


def _adapt_to_rabbitmq(app: Celery, prefix: str) -> dict[str, object]:
    from dojo.running import amqp  # Redis does without

    app.conf.broker_transport = amqp.TRANSPORT
    app.steps["consumer"].add(_LooksUpOften)
    return amqp.options(prefix)


def uses_rabbitmq(app: Celery) -> bool:
    """Whether the broker of the app is RabbitMQ."""
    return str(app.conf.broker_url or "").startswith("amqp")


def close(app: Celery) -> None:
    """Close every connection that the app has opened in this process."""
    from kombu import pools

    if consumer := getattr(app.backend, "result_consumer", None):
        consumer.stop()
        app.backend.client.connection_pool.disconnect()
    app.close()
    pools.reset()


class _LooksUpOften(StartStopStep):  # type: ignore[misc]
    """Lets a worker see within `BRPOP_SECONDS` that it is told to stop.

    With RabbitMQ its loop would sleep until the next message.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        if parent.hub is not None:
            parent.hub.call_repeatedly(BRPOP_SECONDS, lambda: None)


def shorten_brpop() -> None:
    """Apply `BRPOP_SECONDS` on kombu before 5.6 too, where it is a default argument."""
    from kombu.transport import redis

    start: Any = redis.Channel._brpop_start
    if start.__defaults__ == (1,):
        start.__defaults__ = (BRPOP_SECONDS,)


def forget_event_loop() -> None:
    """Let the next embedded worker make an event loop of its own.

    Otherwise it inherits the closed one of the worker before it, and its ETA tasks never
    come (celery/celery#9983; kombu mended it in 5.6.1).
    """
    from kombu.asynchronous import set_event_loop

    set_event_loop(None)


def end_threads() -> None:
    """Let the pool of an embedded worker end its threads when the worker ends.

    Celery leaves that to the garbage collector if the worker is told to end at once.
    """
    from celery.concurrency.thread import TaskPool

    def on_terminate(pool: TaskPool) -> None:
        pool.executor.shutdown(wait=False, cancel_futures=True)

    TaskPool.on_terminate = on_terminate


def note_error(worker_class: Any) -> None:
    """Let an embedded worker keep the error that ends it, as `error`.

    Celery only logs it, and whoever waits for the worker's start would wait for ever.
    """
    if hasattr(worker_class, "error"):
        return
    celerys_start = worker_class.start

    def start(worker: Any) -> None:
        begin = worker.blueprint.start

        def noted(parent: Any) -> None:
            try:
                begin(parent)
            except Exception as error:
                worker.error = error
                raise

        worker.blueprint.start = noted
        try:
            celerys_start(worker)
        finally:
            worker._on_started.set()

    worker_class.error, worker_class.start = None, start


@contextlib.contextmanager
def countdowns_skipped() -> Iterator[None]:
    """Workers that start while this lasts treat every ETA as due.

    Only the worker's timer is changed: the message and `self.request` keep the ETA.
    """
    import pytest
    from kombu.asynchronous.timer import Timer

    def call_at(timer: Timer, _eta: float, fun: Any, args: Any = (), *more: Any, **kw: Any) -> Any:
        return timer.call_after(0, fun, args, *more, **kw)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Timer, "call_at", call_at)
        yield
