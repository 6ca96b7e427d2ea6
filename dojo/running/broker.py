"""The embedded Redis: a Redis server in a thread of the test process.

fakeredis knows every command and speaks the protocol; this module gives it a network.
fakeredis has a TCP server of its own, but version 2.40 of it loses and delays messages
(tests/test_broker.py holds one test for each defect). One selector loop in one thread mends
them all: there is one global order of commands, and a client that hangs up is noticed before
the next command of anybody runs.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time

from fakeredis import FakeServer

from dojo.running.connection import Client

LOOPBACK = "127.0.0.1"
CHUNK = 1 << 20  # bytes read from, or written to, one client before the next has its turn
LONGEST_SLEEP = 3600.0  # seconds; the system's timers overflow at some weeks


class EmbeddedRedis:
    """A Redis server on 127.0.0.1 and a free port.

    Use it as a context manager, or call `start` and `stop`. Nothing is stored on disk.
    """

    def __init__(self) -> None:
        self._fake = FakeServer(version=(7,), server_type="redis")
        self._selector = selectors.DefaultSelector()
        self._clients: set[Client] = set()
        #: Who has something to do in this turn: an answer to write, or commands put off.
        self._busy: set[Client] = set()
        #: Who waits in a blocking command, the longest wait first.
        self._parked: dict[Client, None] = {}
        self._has_changed = False  # the data, since the parked commands were tried
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

    # -- one turn of the loop ------------------------------------------------------------

    def _turn(self) -> bool:
        """Handle what the network has to say; return False when asked to stop."""
        readable: list[Client] = []
        for key, events in self._selector.select(self._patience()):
            if key.fileobj is self._alarm_receiver:
                return False
            if key.fileobj is self._listener:
                self._accept()
                continue
            if events & selectors.EVENT_READ and not key.data.behind:
                readable.append(key.data)
            if events & selectors.EVENT_WRITE:
                self._busy.add(key.data)
        self._run_commands(readable)
        self._give_up_late()
        for client in list(self._busy):
            self._write(client)
        return True

    def _patience(self) -> float | None:
        """How long the loop may sleep, in seconds: until the first parked command is due."""
        if self._busy:  # after a turn these have commands that were put off
            return 0.0
        waiting = (client.waiting for client in self._parked)
        first = min((parked.deadline for parked in waiting if parked), default=float("inf"))
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
            client = Client(self._fake, connection, self._note_change, self._busy.add)
        except OSError:  # it hung up just now
            connection.close()
            return
        self._selector.register(connection, selectors.EVENT_READ, client)
        self._clients.add(client)

    def _run_commands(self, readable: list[Client]) -> None:
        # Read everybody before anybody's command runs: a client that was killed while it
        # waited in BRPOP must be gone before another one's LPUSH could be handed to it.
        received = {client: self._read(client) for client in readable}
        for client in readable:
            if client.hung_up and client.waiting is not None:
                self._drop(client)
        put_off = {client: b"" for client in self._busy if client.behind}
        for client, data in {**put_off, **received}.items():
            if client in self._clients:
                self._run(client, data)

    def _run(self, client: Client, data: bytes) -> None:
        if data or client.behind:
            client.feed(data)
            self._park_or_not(client)
            self._wake_parked()
        if client.hung_up and not client.behind:
            client.closing = True  # when it has got its answers: it may have closed its half only
        if client.closing or client.behind:
            self._busy.add(client)

    def _read(self, client: Client) -> bytes:
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

    # -- blocking commands ---------------------------------------------------------------

    def _note_change(self) -> None:
        self._has_changed = True

    def _park_or_not(self, client: Client) -> None:
        """Put the client at the end of those who wait, if it waits."""
        self._parked.pop(client, None)
        if client.waiting is not None:
            self._parked[client] = None

    def _wake_parked(self) -> None:
        """Hand new data to those who wait for it, longest wait first, until none moves."""
        while self._has_changed:
            self._has_changed = False
            for client in list(self._parked):
                if client.retry():
                    self._park_or_not(client)

    def _give_up_late(self) -> None:
        now = time.monotonic()
        for client in list(self._parked):
            if client.waiting is not None and client.waiting.deadline <= now:
                client.give_up()
                self._park_or_not(client)
        self._wake_parked()  # the next command of such a client may have been a push

    # -- the way out ---------------------------------------------------------------------

    def _write(self, client: Client) -> None:
        if client not in self._clients:
            self._busy.discard(client)
            return
        try:
            while client.outgoing:
                sent = client.connection.send(memoryview(client.outgoing)[:CHUNK])
                del client.outgoing[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
            return
        if (client.closing or client.killed) and not client.outgoing:
            self._drop(client)
            return
        if not client.behind:
            self._busy.discard(client)
        reads = 0 if client.hung_up else selectors.EVENT_READ
        events = reads | (selectors.EVENT_WRITE if client.outgoing else 0)
        if self._selector.get_key(client.connection).events != events:
            self._selector.modify(client.connection, events, client)

    def _drop(self, client: Client) -> None:
        self._clients.discard(client)
        self._busy.discard(client)
        self._parked.pop(client, None)
        self._selector.unregister(client.connection)
        client.connection.close()
        with self._fake.lock:
            client.forget()
