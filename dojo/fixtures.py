"""The fixtures of the katas. They use the names that Celery's own pytest plugin uses."""

from __future__ import annotations

import contextlib
import os
import types
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.bootsteps import RUN

from dojo import answers, curriculum, results, settings
from dojo.guard import Guard
from dojo.guard import pytest_sessionfinish as pytest_sessionfinish
from dojo.guard import pytest_unconfigure as pytest_unconfigure
from dojo.recorder import Recorder
from dojo.report import TIMELINE
from dojo.servers import Servers, running
from dojo.shelter import celery_untouched as celery_untouched
from dojo.shelter import sending_refused, sheltered
from dojo.timeline import Event, Timeline
from dojo.waiting import Reader, Watch
from dojo.workers import Workers

NO_SERVER = Servers("memory://", "cache+memory://")


@pytest.fixture(scope="session")
def run_prefix() -> str:
    """What every name that this run gives to a server begins with."""
    return f"kata-{uuid.uuid4().hex[:12]}-"


@pytest.fixture(scope="session")
def servers(run_prefix: str) -> Iterator[Servers]:
    """The broker and the result back end of this run: see `dojo.servers`."""
    results.forget_quietly()
    with running(run_prefix) as servers:
        yield servers


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """The address of the Redis of this run."""
    return servers.backend


@pytest.fixture
def key_prefix(run_prefix: str) -> str:
    """What every key of this test begins with, so that tests cannot meet in Redis."""
    return f"{run_prefix}{uuid.uuid4().hex[:6]}-"


@pytest.fixture
def timeline(request: pytest.FixtureRequest) -> Timeline:
    """What Celery did in this test: see `dojo.timeline.Timeline`."""
    timeline = Timeline()
    request.node.stash[TIMELINE] = timeline
    return timeline


@pytest.fixture
def watch(timeline: Timeline) -> Watch:
    """What can still happen in this test: see `dojo.waiting.Watch`."""
    return Watch(timeline)


@pytest.fixture
def guard(watch: Watch) -> Guard:
    """Stops what does not come to an end: see `dojo.guard.Guard`."""
    return Guard(watch)


@pytest.fixture
def kata(
    request: pytest.FixtureRequest,
    timeline: Timeline,
    watch: Watch,
    guard: Guard,
    key_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[types.ModuleType]:
    """The learner's module, imported afresh as `tasks`."""
    exercise = curriculum.kata_of(request.path)
    if exercise is None:
        raise pytest.UsageError("The fixture `kata` serves only the tests of a kata.")
    answer = answers.answer_of(exercise)
    eager = "eager" in request.fixturenames
    servers = NO_SERVER if eager else request.getfixturevalue("servers")
    for name, value in servers.environment().items():
        monkeypatch.setenv(name, value)
    recorder = Recorder(timeline, [str(answer)], watch.pass_gates)
    with (
        sheltered(answer),
        celery_untouched(),
        recorder,
        guard.over(answer),
        _imported(exercise, answer) as module,
    ):
        settings.adapt(module.app, key_prefix, _worker_mark(request).get("prefetch", 0))
        with results.watched_results(watch, recorder):
            yield module
        close(module.app)
    if settings.uses_rabbitmq(module.app):
        from dojo import amqp  # Redis does without

        amqp.delete_declared(servers.broker, key_prefix)


@contextlib.contextmanager
def _imported(exercise: curriculum.Kata, answer: Path) -> Iterator[types.ModuleType]:
    with contextlib.ExitStack() as stack:
        with sending_refused():
            module = stack.enter_context(answers.imported(exercise, answer))
        yield module


def close(app: Celery) -> None:
    """Close every connection that the app has opened in this process."""
    from kombu import pools

    if consumer := getattr(app.backend, "result_consumer", None):
        consumer.stop()
        app.backend.client.connection_pool.disconnect()
    app.close()
    pools.reset()


@pytest.fixture
def eager(kata: types.ModuleType) -> Celery:
    """The app in eager mode: `delay()` runs the task here and now, without a worker."""
    kata.app.conf.task_always_eager = True
    app: Celery = kata.app
    return app


@pytest.fixture
def celery_app(kata: types.ModuleType) -> Celery:
    """The learner's app, under the name that Celery's own fixtures build upon."""
    app: Celery = kata.app
    return app


def _worker_mark(request: pytest.FixtureRequest) -> dict[str, Any]:
    mark = request.node.get_closest_marker("worker")
    return dict(mark.kwargs) if mark else {}


@pytest.fixture
def celery_worker_pool(request: pytest.FixtureRequest) -> str:
    """Celery's fixture: one task at a time runs in "solo", more in "threads"."""
    return str(_worker_options(**_worker_mark(request))["pool"])


@pytest.fixture
def celery_worker_parameters(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Celery's fixture, filled from the mark: `@pytest.mark.worker(queues=…, concurrency=…)`."""
    if "skip_countdowns" in request.fixturenames:
        request.getfixturevalue("skip_countdowns")  # a worker that runs already would not notice
    options = _worker_options(**_worker_mark(request))
    return {name: value for name, value in options.items() if name != "pool"}


def _worker_options(
    queues: str | None = None, concurrency: int = 1, **_: object
) -> dict[str, object]:
    """What `celery.contrib.testing.worker.start_worker` is to be called with."""
    settings.shorten_brpop()
    settings.forget_event_loop()
    settings.end_threads()
    options: dict[str, object] = {
        "pool": "threads" if concurrency > 1 else "solo",
        "concurrency": concurrency,
        "perform_ping_check": False,
    }
    if queues:
        options["queues"] = queues
    return options


@contextlib.contextmanager
def _watched(worker: Any, app: Celery, watch: Watch, guard: Guard) -> Iterator[None]:
    queues = frozenset(app.amqp.queues.consume_from)

    def alive() -> bool:  # a task may have ended it, by sys.exit()
        return bool(worker.blueprint.state == RUN)

    watch.readers.append(Reader(worker.hostname, queues, worker.concurrency, alive))
    with results.tasks_may_not_wait():
        yield
        watch.let_go(looks=100)
        guard.stop_threads()


@pytest.fixture
def celery_worker(
    celery_worker: Any, celery_app: Celery, watch: Watch, guard: Guard
) -> Iterator[Any]:
    """Celery's own embedded worker, on the learner's app."""
    with _watched(celery_worker, celery_app, watch, guard):
        yield celery_worker


@pytest.fixture
def start_worker(celery_app: Celery, watch: Watch, guard: Guard) -> Iterator[Callable[..., Any]]:
    """Starts embedded workers, for tests with several: `start_worker(queues="mail")`."""
    from celery.contrib.testing import worker as testing

    with contextlib.ExitStack() as stack:

        def start(queues: str | None = None, concurrency: int = 1) -> Any:
            options = _worker_options(queues=queues, concurrency=concurrency)
            name = f"worker{len(watch.readers) + 1}@kata"  # Celery would give all the same name
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(testing, "anon_nodename", lambda: name)
                worker = stack.enter_context(testing.start_worker(celery_app, **options))
            stack.enter_context(_watched(worker, celery_app, watch, guard))
            return worker

        yield start


@pytest.fixture
def skip_countdowns() -> Iterator[None]:
    """Embedded workers treat every ETA as due. The timeline keeps the countdown asked for."""
    with settings.countdowns_skipped():
        yield


@pytest.fixture
def beat(celery_app: Celery) -> Any:
    """The app's beat schedule, run through simulated time: see `dojo.beat.Beat`."""
    from dojo.beat import Beat

    return Beat(celery_app)


@pytest.fixture
def workers(
    request: pytest.FixtureRequest,
    kata: types.ModuleType,
    key_prefix: str,
    watch: Watch,
    tmp_path: Path,
) -> Iterator[Workers]:
    """Starts real `celery worker` processes: `workers(queues="mail", concurrency=2)`."""
    exercise = curriculum.kata_of(request.path)
    assert exercise is not None
    environment = {**os.environ, "KATAS_PREFIX": key_prefix}
    started = Workers(exercise, Path(str(kata.__file__)), tmp_path, watch, environment)
    yield started
    watch.close()
    started.stop()


@pytest.fixture
def settle(watch: Watch) -> Callable[[], None]:
    """`settle()` returns when every message that a worker can run has been dealt with."""
    return watch.settle


@pytest.fixture
def hold(watch: Watch, timeline: Timeline) -> Callable[..., None]:
    """`hold("tasks.fetch", until=lambda: …)` holds tasks of that name at their start.

    A task is let go when the condition is true, or can never come true. With `first=1`
    only the first one that starts is held, and those after it overtake it.
    """

    def hold_tasks(task: str, until: Callable[[], object], first: int | None = None) -> None:
        def matches(started: Event) -> bool:
            of_that_name = timeline.started(task)[:first]
            return any(event is started for event in of_that_name)

        watch.hold(matches, until)

    return hold_tasks


@pytest.fixture
def queue_size(kata: types.ModuleType) -> Callable[[str], int]:
    """`queue_size("celery")` is the number of messages that wait in a queue."""

    def size(queue: str) -> int:
        with kata.app.connection_for_read() as connection:
            channel = connection.default_channel
            if connection.transport.driver_type == "redis":
                # kombu forgets the key prefix when it declares passively on Redis.
                return int(channel._size(queue))
            with contextlib.suppress(*connection.channel_errors):  # there is no such queue
                return int(channel.queue_declare(queue, passive=True).message_count)
            return 0

    return size
