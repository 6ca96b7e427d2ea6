"""The embedded Redis: a Redis server in a thread of the test process.

fakeredis knows every command and speaks the protocol; this module gives it a
network. fakeredis has a TCP server of its own, but version 2.40 of it loses and
delays messages (tests/test_broker.py holds one test for each defect). One selector
loop in one thread mends them all: there is one global order of commands, and a
client that hangs up is noticed before the next command of anybody runs.

The loop rests on private hooks of fakeredis (`put_response`, `_blocking`), so
pyproject.toml bounds its version.
"""

from __future__ import annotations

import itertools
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import redis
from fakeredis import FakeServer
from fakeredis._clients._tcp_server import encode_reply
from fakeredis._helpers import NoResponse, SimpleError
from fakeredis._socket import FakeSocket

LOOPBACK = "127.0.0.1"
CHUNK = 1 << 20  # bytes read from, or written to, one client before the next has its turn
LONGEST_SLEEP = 3600.0  # seconds; the system's timers overflow at some weeks


class _Parked(NamedTuple):
    """A blocking command that has found nothing yet."""

    number: int  # counts up: two commands may be parked within one tick of the clock
    deadline: float
    attempt: Callable[[bool], Any]
    shape: Callable[[Any], Any] | None

    def reply(self, found: Any) -> Any:
        return self.shape(found) if self.shape else found


def _error_reply(error: Exception) -> Exception:
    """What to tell a client whose command raised; a defect of fakeredis must not end the server."""
    if isinstance(error, SimpleError):
        return error
    return redis.ResponseError(f"{type(error).__name__}: {error}")


class _Client(FakeSocket):
    """One connection: fakeredis' interpreter of commands behind a real socket."""

    _numbers = itertools.count()

    def __init__(self, server: FakeServer, connection: socket.socket) -> None:
        self.connection = connection
        self.outgoing = bytearray()
        self.hung_up = False
        self.closing = False
        self.waiting: _Parked | None = None
        host, port = connection.getpeername()
        super().__init__(
            server, db=0, client_class=redis.Redis, client_info={"addr": f"{host}:{port}"}
        )

    def put_response(self, msg: Any) -> None:
        """Queue a reply, or a pushed message, for this client."""
        self.outgoing += encode_reply(msg, self._client_info.protocol_version)

    def _blocking(
        self,
        timeout: float | None,
        func: Callable[[bool], Any],
        shape: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Answer a blocking command now, or park it for `retry` and `give_up`."""
        if self.hung_up:  # nobody would read the answer: take nothing out of the database
            return NoResponse()
        found = func(True)
        if found is not None or self._in_transaction:
            return shape(found) if shape else found
        deadline = time.monotonic() + timeout if timeout else float("inf")
        self.waiting = _Parked(next(self._numbers), deadline, func, shape)
        self._blocked = True
        self.pause()
        return NoResponse()

    def retry(self) -> bool:
        """Try the parked command again; tell whether it was answered."""
        if self.waiting is None or self._killed:
            return False
        try:
            with self._server.lock:
                unblocked = self._unblock_reason is not None
                if unblocked:
                    self._take_unblock_reason()
                found = None if unblocked else self.waiting.attempt(False)
        except Exception as error:  # such as a key of the wrong type, or CLIENT UNBLOCK
            self._answer_parked(_error_reply(error))
            return True
        if found is None and not unblocked:
            return False
        self._answer_parked(self.waiting.reply(found))
        return True

    def give_up(self, now: float) -> bool:
        """Answer the parked command with nothing if its time is over; tell whether it was."""
        if self.waiting is None or self.waiting.deadline > now:
            return False
        self._answer_parked(self.waiting.reply(None))
        return True

    def _answer_parked(self, reply: Any) -> None:
        self.waiting, self._blocked, self._unblock_reason = None, False, None
        self.put_response(self._decode_result(reply))
        self._paused = False
        self.feed(b"")  # run what the client has sent after the blocking command

    def feed(self, data: bytes) -> None:
        """Run the commands in `data`; on a broken one answer with the error and close."""
        try:
            self.sendall(data)
        except redis.ConnectionError:  # killed by CLIENT KILL
            self.closing = True
        except Exception as error:  # most often: this is not the Redis protocol
            self.put_response(self._decode_result(_error_reply(error)))
            self.closing = True


class EmbeddedRedis:
    """A Redis server on 127.0.0.1 and a free port.

    Use it as a context manager, or call `start` and `stop`. Nothing is stored on disk.
    """

    def __init__(self) -> None:
        self._fake = FakeServer(version=(7,), server_type="redis")
        self._selector = selectors.DefaultSelector()
        self._clients: list[_Client] = []
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address, such as `redis://127.0.0.1:40001/0`."""
        host, port = self._listener.getsockname()
        return f"redis://{host}:{port}/0"

    def start(self) -> EmbeddedRedis:
        """Open the port and begin to serve.

        Raises:
            OSError: there is no free port on 127.0.0.1.
        """
        self._listener = socket.create_server((LOOPBACK, 0), backlog=128)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._alarm, self._alarm_receiver = socket.socketpair()
        self._selector.register(self._alarm_receiver, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="embedded-redis", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Hang up on every client, close the port and end the thread."""
        if self._thread is None:
            return
        self._alarm.send(b"stop")
        self._thread.join()
        self._thread = None

    def __enter__(self) -> EmbeddedRedis:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _serve(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            for client in list(self._clients):
                self._drop(client)
            for end in (self._listener, self._alarm, self._alarm_receiver, self._selector):
                end.close()

    def _turn(self) -> bool:
        """Handle what the network has to say; return False when asked to stop."""
        readable: list[_Client] = []
        for key, events in self._selector.select(self._patience()):
            if key.fileobj is self._alarm_receiver:
                return False
            if key.fileobj is self._listener:
                self._accept()
            elif events & selectors.EVENT_READ:
                readable.append(key.data)
        self._run_commands(readable)
        now = time.monotonic()
        gave_up = [client.give_up(now) for client in self._clients]
        if any(gave_up):  # the next command of such a client may have been a push
            self._wake_parked()
        for client in list(self._clients):
            self._write(client)
        return True

    def _patience(self) -> float | None:
        """How long the loop may sleep, in seconds: until the first parked command is due."""
        first = min((parked.deadline for _, parked in self._parked()), default=float("inf"))
        if first == float("inf"):
            return None
        return min(max(0.0, first - time.monotonic()), LONGEST_SLEEP)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it hung up before it was let in
            return
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = _Client(self._fake, connection)
        except OSError:  # it hung up just now
            connection.close()
            return
        self._selector.register(connection, selectors.EVENT_READ, client)
        self._clients.append(client)

    def _run_commands(self, readable: list[_Client]) -> None:
        # Read everybody before anybody's command runs: a client that was killed while it
        # waited in BRPOP must be gone before another one's LPUSH could be handed to it.
        received = [(client, self._read(client)) for client in readable]
        for client, _ in received:
            if client.hung_up and client.waiting is not None:
                self._drop(client)
        for client, data in received:
            if data and client in self._clients:
                client.feed(data)
                self._wake_parked()
            if client.hung_up:
                self._drop(client)

    def _read(self, client: _Client) -> bytes:
        received = bytearray()
        try:
            while len(received) < CHUNK:
                data = client.connection.recv(CHUNK)
                if not data:
                    client.hung_up = True
                    break
                received += data
        except BlockingIOError:
            pass
        except OSError:
            client.hung_up = True
        return bytes(received)

    def _wake_parked(self) -> None:
        """Hand new data to those who wait for it, longest wait first, until none moves."""
        moved = True
        while moved:
            moved = any([client.retry() for client, _ in self._parked()])  # noqa: C419 - all

    def _parked(self) -> list[tuple[_Client, _Parked]]:
        parked = [(c, c.waiting) for c in self._clients if c.waiting is not None]
        return sorted(parked, key=lambda pair: pair[1].number)

    def _write(self, client: _Client) -> None:
        try:
            while client.outgoing:
                sent = client.connection.send(memoryview(client.outgoing)[:CHUNK])
                del client.outgoing[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
            return
        if (client.closing or client._killed) and not client.outgoing:
            self._drop(client)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.outgoing else 0)
        if self._selector.get_key(client.connection).events != events:
            self._selector.modify(client.connection, events, client)

    def _drop(self, client: _Client) -> None:
        if client not in self._clients:
            return
        self._clients.remove(client)
        self._selector.unregister(client.connection)
        client.connection.close()
        with self._fake.lock:
            client.kill()
