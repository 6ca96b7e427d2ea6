"""The embedded Redis where it once differed from a real one: scripts, errors, crowds, the dead."""

from __future__ import annotations

import functools
import gc
import socket
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import redis
from redis import Redis

from tests.embedded import Broker

pytestmark = pytest.mark.timeout(120)  # a guard against hanging: no test measures time

INCR = b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"


def test_an_error_in_a_script_is_told_at_once(client: Redis) -> None:
    """A line end in the text of an error must not end the error: the script runs once."""
    with pytest.raises(redis.ResponseError, match="attempt to index"):
        client.eval('redis.call("INCR", "n") local t = nil return t.x', 0)
    assert client.get("n") == b"1"
    assert client.ping()


def test_an_error_in_a_transaction_has_one_line(client: Redis) -> None:
    """The same for an error among other answers."""
    pipeline = client.pipeline(transaction=True)
    pipeline.incr("n")
    pipeline.eval('error("two\\nlines")', 0)
    pipeline.incr("n")
    first, error, last = pipeline.execute(raise_on_error=False)
    assert (first, last) == (1, 2)
    assert "two lines" in str(error)


def test_a_script_that_sets_a_global_spoils_nothing(client: Redis) -> None:
    """It is an error, as on a real server, and later scripts run."""
    with pytest.raises(redis.ResponseError, match="create global variable 'x'"):
        client.eval("x = 1", 0)
    assert client.eval("return 1", 0) == 1
    assert client.eval("return tostring(x)", 0) == b"nil"


@pytest.mark.parametrize(
    "script",
    [
        'return tostring(python.eval("1+1"))',
        "return tostring(python.builtins.open)",
        'return os.execute("true")',
        'return io.open("/etc/passwd"):read("*a")',
        'return require("os")',
        'return loadstring("return 1")()',
        "return redis.call.__globals__",
        "return cjson.encode.func",
        "return debug.getregistry()",
        "return package.loaded.os.getenv('HOME')",
    ],
)
def test_a_script_cannot_leave_lua(client: Redis, script: str) -> None:
    """Python, the system and the files of the learner are out of reach."""
    with pytest.raises(redis.ResponseError):
        client.eval(script, 0)
    assert client.eval("return tostring(python)", 0) == b"nil"


def test_a_function_cannot_leave_lua(client: Redis) -> None:
    """The same for the functions of a library."""
    code = """#!lua name=lib
    redis.register_function('f', function() return tostring(redis.call.__globals__) end)"""
    client.function_load(code)
    with pytest.raises(redis.ResponseError):
        client.fcall("f", 0)
    with pytest.raises(redis.ResponseError):
        client.function_load("#!lua name=two\npython.eval('1')")


def test_what_scripts_need_is_there(client: Redis) -> None:
    """The libraries that a real server gives to scripts work."""
    script = """
        local list = {}
        for word in string.gmatch(ARGV[1], "%a+") do table.insert(list, word) end
        local ok, why = pcall(error, "no")
        return {#list, math.floor(2.5), cjson.encode({1, 2}), tostring(ok), tonumber("7")}
    """
    assert client.eval(script, 0, "one two three") == [3, 2, b"[1,2]", b"false", 7]


@pytest.mark.parametrize(
    "commands",
    [
        [("HSET", "h", "a", "b"), ("BZPOPMIN", "h", "1")],
        [("MULTI",), ("SUBSCRIBE", "a"), ("EXEC",)],
    ],
    ids=["wrong type", "subscribe in a transaction"],
)
def test_a_defect_of_a_command_ends_no_connection(
    broker: Broker, commands: list[tuple[str, ...]]
) -> None:
    """A command that raises something strange is answered, and the connection stays."""
    connection = broker.dial()
    for command in [*commands, ("PING",)]:
        connection.send_command(*command)
    answers = []
    while b"PONG" not in answers:
        try:
            answers.append(connection.read_response())
        except redis.ResponseError as error:
            answers.append(str(error))
    connection.disconnect()


def test_a_huge_pipeline_keeps_nobody_waiting(broker: Broker, client: Redis) -> None:
    """100,000 commands in one write are answered in order, and others have their turns between."""
    count = 100_000
    with socket.create_connection(broker.address) as stranger, stranger.makefile("rb") as answers:
        sending = threading.Thread(target=stranger.sendall, args=(INCR * count,))
        sending.start()
        first = answers.readline()
        seen = client.incrby("n", 0)
        assert seen < count  # others had a turn before the end of the pipeline
        rest = [answers.readline() for _ in range(1, count)]
        sending.join()
    unharmed = [first, *rest] == [b":%d\r\n" % number for number in range(1, count + 1)]
    assert unharmed


def test_a_dead_client_gives_its_memory_back(broker: Broker, client: Redis) -> None:
    """Nothing is left of a client that is gone: no buffer, no subscription."""
    client.set("large", b"x" * (4 << 20))
    dying = broker.dial()
    dying.send_command("SSUBSCRIBE", "news")
    dying.read_response()
    (gone,) = [each for each in broker._clients if each._pubsub]
    dying.send_command("GET", "large")
    client.ping()
    dying.disconnect()
    while gone in broker._clients:
        client.ping()
    assert client.execute_command("PUBSUB", "SHARDNUMSUB", "news") == [b"news", 0]
    assert not gone.outgoing
    assert not gone._incoming
    watched = weakref.ref(gone)
    del gone
    for _ in range(1000):  # the loop may be in the middle of the turn in which it was dropped
        client.ping()
        gc.collect()
        if watched() is None:
            return
    pytest.fail("something still holds the client")


def test_ask_and_half_close(broker: Broker, client: Redis) -> None:
    """A client that closes its half of the line still gets its answers."""
    client.set("large", b"y" * (4 << 20))
    with socket.create_connection(broker.address) as stranger, stranger.makefile("rb") as answers:
        stranger.sendall(b"*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n*1\r\n$4\r\nPING\r\n")
        stranger.shutdown(socket.SHUT_WR)
        told = answers.read()
    assert len(told) > 4 << 20
    assert told.endswith(b"+PONG\r\n")


def test_a_crowd_that_waits_is_left_alone(broker: Broker, client: Redis) -> None:
    """Clients that wait in BRPOP are looked at after a change of the data, and only then."""
    waiting = [broker.park("BRPOP", f"queue-{n}", 0) for n in range(50)]
    looks = Counter[str]()

    def watched(attempt: Callable[[bool], Any], first: bool) -> Any:
        looks["all"] += 1
        return attempt(first)

    for each in broker._clients:
        if each.waiting:
            attempt = functools.partial(watched, each.waiting.attempt)
            each.waiting = each.waiting._replace(attempt=attempt)
    for _ in range(100):
        client.get("n")
    assert not looks
    client.lpush("queue-7", "message")
    assert waiting[7].read_response() == [b"queue-7", b"message"]
    assert looks
