"""Tests of the embedded Redis: first the seven defects of fakeredis.TcpFakeServer 2.40, so
that a new fakeredis which breaks our hooks fails here, then what else Celery relies on.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import redis
from redis import Redis

from tests.embedded import Broker

pytestmark = pytest.mark.timeout(60)  # a guard against hanging: no test measures time

MESSAGE = [b"queue", b"message"]
BRPOP = b"*3\r\n$5\r\nBRPOP\r\n$5\r\nqueue\r\n$1\r\n0\r\n"


def test_answers_leave_at_once(broker: Broker, client: Redis) -> None:
    """Defect 1: Nagle's algorithm is on, which holds a small answer back for some 45 ms."""
    client.ping()
    (accepted,) = [each.connection for each in broker._clients]
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_error_leaves_the_connection_open(client: Redis) -> None:
    """Defect 2: an error reply ends the connection, so Lua chords fail at their NOSCRIPT."""
    identity = client.client_id()
    script = client.register_script("return ARGV[1]")
    with pytest.raises(redis.exceptions.NoScriptError):
        client.evalsha(script.sha, 0, "unknown")
    assert script(args=["known by now"]) == b"known by now"
    assert client.client_id() == identity


def test_a_killed_process_takes_no_message(broker: Broker, client: Redis) -> None:
    """Defect 3: a client that dies while blocked in BRPOP still takes the next message."""
    blocked = f"import socket; s = socket.create_connection({broker.address}); "
    blocked += f"s.sendall({BRPOP!r}); s.recv(1)"
    for number in range(5):
        with subprocess.Popen([sys.executable, "-I", "-S", "-c", blocked]) as process:
            try:
                broker.wait_for_parked(1)
            finally:
                process.kill()
        client.lpush("queue", number)
        assert client.rpop("queue") == b"%d" % number


def test_a_brpop_and_its_hang_up_come_together(broker: Broker, client: Redis) -> None:
    client.lpush("queue", "message")
    dying = broker.dial()
    with broker.hold():
        dying.send_command("BRPOP", "queue", 0)
        dying.disconnect()
    client.ping()  # by its answer, the loop has read what the dead client sent
    assert client.rpop("queue") == b"message"


def test_a_push_and_a_hang_up_come_together(broker: Broker, client: Redis) -> None:
    pusher, dying = broker.dial(), broker.park("BRPOP", "queue", 0)
    with broker.hold():
        pusher.send_command("LPUSH", "queue", "message")
        dying.disconnect()
    assert pusher.read_response() == 1
    assert client.rpop("queue") == b"message"


def test_a_slow_reader_gets_a_large_reply(broker: Broker, client: Redis) -> None:
    """Defect 4: a reply larger than the socket's buffer ends the connection."""
    value = os.urandom(16 << 20)
    client.set("large", value)
    reader = broker.dial()
    reader.send_command("GET", "large")
    assert [client.ping(), client.ping()] == [True, True]  # others do not wait for the reader
    unharmed = reader.read_response() == value  # apart from assert: no diff of 16 MB
    assert unharmed


def test_line_ends_cost_nothing(client: Redis) -> None:
    """Defect 5: input is read line by line, so 1 MB of line ends takes a minute."""
    value = b"\n" * (4 << 20)
    client.set("lines", value)
    unharmed = client.get("lines") == value
    assert unharmed


def test_it_sleeps_if_idle(broker: Broker, client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Defect 6: every client is polled each 10 ms, so a push is late and idling burns CPU."""
    select = broker._selector.select
    turns: list[tuple[float | None, bool]] = []

    def watched_select(timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = select(timeout)
        turns.append((timeout, any(events & selectors.EVENT_READ for _, events in ready)))
        return ready

    monkeypatch.setattr(broker._selector, "select", watched_select)
    waiting = broker.park("BRPOP", "queue", 0)
    client.lpush("queue", "message")
    assert waiting.read_response() == MESSAGE
    assert set(turns) == {(None, True)}  # it slept without limit, and woke up to read


def test_a_publish_does_not_overtake_a_subscribe(broker: Broker, client: Redis) -> None:
    """Defect 7: a thread for each client, so commands of two clients run in any order."""
    subscriber = broker.dial()
    for number in range(60):
        subscriber.send_command("SUBSCRIBE", f"channel-{number}")
        client.ping()  # sent later and answered, so the SUBSCRIBE has been read as well
        assert client.publish(f"channel-{number}", "news") == 1


def test_longest_wait_first(broker: Broker, client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    # Neither the clock, which may tick every 16 ms, nor who connected first decides it.
    monkeypatch.setattr("dojo.running.broker.time", SimpleNamespace(monotonic=lambda: 0.0))
    months = 10_000_000  # seconds: more than the system's timers hold
    first, second = broker.dial(), broker.dial()
    waiting = [broker.park("BRPOP", "queue", months, on=each) for each in (second, first)]
    client.lpush("queue", "0", "1")
    assert [each.read_response()[1] for each in waiting] == [b"0", b"1"]


def test_a_brpop_times_out(broker: Broker) -> None:
    waiting, impatient = broker.park("BRPOP", "queue", 0), broker.dial()
    commands = [("BRPOP", "empty", 0.01), ("LPUSH", "queue", "message")]
    impatient.send_packed_command(impatient.pack_commands(commands))
    assert impatient.read_response() is None
    assert impatient.read_response() == 1  # the connection still works
    assert waiting.read_response() == MESSAGE  # and what it pushes wakes others


def test_a_blocked_command_can_fail(broker: Broker, client: Redis) -> None:
    client.set("text", "not a list")
    waiting = broker.park("BRPOPLPUSH", "queue", "text", 0)
    client.lpush("queue", "message")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        waiting.read_response()
    assert client.rpop("queue") == b"message"


def test_client_kill_loses_no_message(broker: Broker, client: Redis) -> None:
    waiting = broker.park("BRPOP", "queue", 0)
    pipeline = client.pipeline(transaction=False)  # both come in one turn of the loop
    pipeline.client_kill_filter(_id=client.client_list()[-1]["id"])
    pipeline.lpush("queue", "message")
    assert pipeline.execute() == [1, 1]
    with pytest.raises(redis.ConnectionError):
        waiting.read_response()
    assert client.rpop("queue") == b"message"


@pytest.mark.parametrize("transaction", [False, True])
def test_a_pipeline_is_answered_in_order(client: Redis, transaction: bool) -> None:
    pipeline = client.pipeline(transaction)
    for _ in range(1000):
        pipeline.incr("counter")
    assert pipeline.execute() == list(range(1, 1001))


def test_exec_does_nothing_if_a_watched_key_changed(broker: Broker, client: Redis) -> None:
    with client.pipeline() as transaction, Redis.from_url(broker.url) as other:
        transaction.watch("balance")
        other.set("balance", 10)
        transaction.multi()
        transaction.set("balance", 20)
        with pytest.raises(redis.WatchError):
            transaction.execute()
    assert client.get("balance") == b"10"


@pytest.mark.parametrize("protocol", [2, 3])
def test_pubsub(broker: Broker, client: Redis, protocol: int) -> None:
    with Redis.from_url(broker.url, protocol=protocol).pubsub() as inbox:
        inbox.subscribe("sport")
        inbox.psubscribe("news.*")
        kinds = [inbox.get_message(timeout=None)["type"] for _ in range(2)]
        assert kinds == ["subscribe", "psubscribe"]
        assert client.publish("sport", "goal") == client.publish("news.local", "rain") == 1
        assert [inbox.get_message(timeout=None)["data"] for _ in range(2)] == [b"goal", b"rain"]


@pytest.mark.parametrize("garbage", [b"GET /\r\n", b"\xff\r\n", b"*1\r\n$x\r\n", BRPOP + b"?\r\n"])
def test_garbage_ends_its_own_connection(broker: Broker, client: Redis, garbage: bytes) -> None:
    identity = client.client_id()
    with socket.create_connection(broker.address) as stranger, stranger.makefile("rb") as answers:
        stranger.sendall(garbage)
        if garbage.startswith(BRPOP):
            broker.wait_for_parked(1)
            client.lpush("queue", "message")
        assert b"-ERR" in answers.read()  # it reads until the server hangs up
    assert client.client_id() == identity


def test_fifty_clients_lose_and_double_nothing(broker: Broker) -> None:
    def pop(_: int) -> list[int]:
        with Redis.from_url(broker.url) as mine:  # the time-out only ends a failing test
            return [int(mine.brpop(["queue"], timeout=30)[1]) for _ in range(40)]

    def push(number: int) -> None:
        with Redis.from_url(broker.url) as mine:
            for message in range(number * 40, number * 40 + 40):
                mine.lpush("queue", message)

    with ThreadPoolExecutor(50) as pool:
        results = pool.map(pop, range(25))
        broker.wait_for_parked(25)
        pool.map(push, range(25))
        received = [message for popped in results for message in popped]
    assert sorted(received) == list(range(1000))


def test_only_this_machine_can_connect(broker: Broker) -> None:
    assert broker.address[0] == "127.0.0.1"


def test_stop_leaves_no_thread_and_no_port() -> None:
    threads = set(threading.enumerate())
    with (broker := Broker()):
        address, waiting = broker.address, broker.park("BRPOP", "queue", 0)
    with pytest.raises(redis.ConnectionError):
        waiting.read_response()
    assert set(threading.enumerate()) <= threads
    socket.create_server(address).close()  # raises if anybody still listens there
