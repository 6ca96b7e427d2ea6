"""A run on servers that others use: it touches nothing of theirs, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator

import pytest
import redis
from kombu.connection import Connection
from kombu.entity import Exchange, Queue

from dojo.running import amqp, servers
from dojo.running.broker import EmbeddedRedis
from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

#: Uses queues, results, a chord, an ETA, a second worker and a worker process.
BUSY = """
import os
from celery import chord

def test_the_server(kata):
    given = os.environ.get("KATAS_AMQP_URL") or os.environ["KATAS_REDIS_URL"]
    assert kata.app.conf.broker_url == given

def test_workers(kata, celery_worker, start_worker, skip_countdowns):
    start_worker(queues="mail")
    assert chord([kata.add.s(n, 1) for n in range(4)])(kata.total.s()).get() == 10
    assert kata.add.apply_async((1, 2), queue="mail", countdown=60).get() == 3

def test_left_in_the_queue(kata, queue_size):
    kata.add.apply_async((1, 2), queue="nobody reads it")
    assert queue_size("nobody reads it") == 1

def test_a_process(kata, workers):
    workers(queues="celery,mail")
    assert kata.add.apply_async((1, 2), queue="mail").get() == 3
"""
BUSY_TASKS = (
    TASKS
    + """

@app.task
def total(numbers):
    return sum(numbers)
"""
)


@pytest.fixture
def used_redis() -> Iterator[redis.Redis]:
    """A Redis with things of somebody else in it, some of them with Celery's own names."""
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        client.rpush("celery", "a message of somebody else")
        client.set("celery-task-meta-1", "a result of somebody else")
        client.set("kata-", "looks like ours")
        client.hset("basket", mapping={"prints": 3})
        yield client


def address(client: redis.Redis) -> str:
    """The address of the server that a client talks to."""
    where = client.get_connection_kwargs()
    return f"redis://{where['host']}:{where['port']}/0"


def contents(client: redis.Redis) -> dict[bytes, object]:
    """Every key of a Redis, and what it holds."""
    return {bytes(key): client.dump(key) for key in client.scan_iter()}


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "two processes"])
def test_a_used_redis(
    workshop: Workshop,
    used_redis: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
) -> None:
    """A run on a Redis of somebody else uses it, and leaves every key as it was."""
    monkeypatch.setenv(servers.REDIS, address(used_redis))
    before = contents(used_redis)
    workshop.kata(BUSY, BUSY_TASKS)

    workshop.passes(4, *options)

    assert contents(used_redis) == before


def test_a_failed_run_cleans_up(
    workshop: Workshop, used_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing stays in Redis of a test that fails, or of an answer that ends the run."""
    monkeypatch.setenv(servers.REDIS, address(used_redis))
    before = contents(used_redis)
    workshop.kata(
        """
        def test_fails(kata):
            kata.add.delay(1, 2)
            assert False

        def test_interrupted(kata):
            kata.add.delay(1, 2)
            raise KeyboardInterrupt
        """,
    )

    result = workshop.run()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert contents(used_redis) == before


def test_only_the_prefix_is_deleted(used_redis: redis.Redis) -> None:
    """A prefix is a text, not a pattern."""
    used_redis.set("kata-1-left", "1")
    before = contents(used_redis)
    with servers.running("kata-1-", {servers.REDIS: address(used_redis)}):
        pass
    assert contents(used_redis) == {k: v for k, v in before.items() if k != b"kata-1-left"}


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that lets everybody in and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def free_address() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def says_in_one_line(workshop: Workshop, *phrases: str) -> None:
    """Run pytest, which must refuse to start with exit code 4 and one line."""
    workshop.other_kata()
    result = workshop.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in (*result.outlines, *result.errlines) if line]
    assert len(lines) == 1
    for phrase in phrases:
        assert phrase in lines[0]


@pytest.mark.parametrize("variable", [servers.REDIS, servers.AMQP])
@pytest.mark.parametrize(
    "url", ["somewhere", "http://127.0.0.1:80", "redis:/127.0.0.1", "amqp://[::1", "redis://h:x/0"]
)
def test_a_wrong_address(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    """An address that is none ends the run at its start, with an example of a right one."""
    monkeypatch.setenv(variable, url)
    says_in_one_line(workshop, variable, servers.EXAMPLES[variable])


@pytest.mark.parametrize("variable", [servers.REDIS, servers.AMQP])
def test_a_dead_server(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """A server that is not there ends the run at its start. No password is printed."""
    address = free_address()
    monkeypatch.setenv(variable, f"{servers.SCHEMES[variable][0]}://me:secret@{address}/0")
    says_in_one_line(workshop, variable, f"no answer from {address}", "unset")


@pytest.mark.parametrize("variable", [servers.REDIS, servers.AMQP])
def test_a_silent_server(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, silent_server: str, variable: str
) -> None:
    """A server that never answers is not waited for."""
    monkeypatch.setenv(variable, f"{servers.SCHEMES[variable][0]}://me:secret@{silent_server}/0")
    says_in_one_line(workshop, variable, f"no answer from {silent_server}")


# -- RabbitMQ: only where one is given, as in .ci/run ---------------------------------------

RABBITMQ = os.environ.get(servers.AMQP, "")
needs_rabbitmq = pytest.mark.skipif(not RABBITMQ, reason=f"{servers.AMQP} is not set")


def exists(kind: str, name: str) -> bool:
    """Whether RabbitMQ has a queue or an exchange of this name."""
    with Connection(RABBITMQ) as connection:
        channel = connection.channel()
        try:
            if kind == "queue":
                channel.queue_declare(name, passive=True)
            else:
                channel.exchange_declare(name, "direct", passive=True)
        except connection.channel_errors:
            return False
        return True


@needs_rabbitmq
def test_a_used_rabbitmq(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run leaves the queues of others alone, and its own names are gone in the end."""
    monkeypatch.setenv(servers.AMQP, RABBITMQ)
    ledgers = workshop.folder / "ledgers"
    ledgers.mkdir()
    monkeypatch.setenv("TMPDIR", str(ledgers))
    workshop.kata(BUSY, BUSY_TASKS)
    workshop.write(
        "katas/99_sample/conftest.py",
        """
        from dojo.running import amqp
        from pathlib import Path

        delete = amqp.delete_declared

        def noted(url, prefix):
            ledger = amqp._ledger(prefix)
            if ledger.exists():
                Path(f"declared-{prefix}").write_text(ledger.read_text())
            delete(url, prefix)

        amqp.delete_declared = noted
        """,
    )
    with Connection(RABBITMQ) as connection:
        queue = Queue("celery", channel=connection.channel(), auto_delete=True)
        queue.declare()
        try:
            connection.Producer().publish("a message of somebody else", routing_key="celery")
            workshop.passes(4, "-n", "2")
            message = queue.get()
            assert message.payload == "a message of somebody else"
            assert queue.get() is None
        finally:
            queue.delete()
    files = list(workshop.folder.glob("declared-*"))
    declared = {line for file in files for line in file.read_text().splitlines()}
    assert len(files) == 3  # one test declares nothing
    assert any(line.endswith("nobody reads it") for line in declared)
    assert [line for line in declared if exists(*line.split(" ", 1))] == []
    assert list(ledgers.glob("kata-*")) == []


@needs_rabbitmq
def test_names_on_the_wire() -> None:
    """What is declared has a name of its own on the server, and its plain name on our side."""
    prefix = f"kata-{uuid.uuid4().hex[:12]}-"
    with Connection(
        RABBITMQ, transport=amqp.TRANSPORT, transport_options=amqp.options(prefix)
    ) as connection:
        dead = Queue("dead", Exchange("morgue", "topic"), routing_key="#")
        dead(connection).declare()
        arguments = {"x-dead-letter-exchange": "morgue", "x-dead-letter-routing-key": "late.1"}
        mail = Queue("mail", Exchange("post"), "letters", queue_arguments=arguments)
        mail(connection).declare()
        assert exists("queue", f"{prefix}mail")
        assert exists("exchange", f"{prefix}post")
        connection.Producer().publish("hello", exchange="post", routing_key="letters")
        letter = mail(connection).get()
        assert (letter.delivery_info["exchange"], letter.delivery_info["routing_key"]) == (
            "post",
            "letters",
        )
        letter.reject()
        late = connection.SimpleQueue(dead).get(timeout=60)
        assert (late.payload, late.delivery_info["routing_key"]) == ("hello", "late.1")
        late.ack()
    amqp.delete_declared(RABBITMQ, prefix)
    assert not exists("queue", f"{prefix}mail")
    assert not exists("exchange", f"{prefix}morgue")
