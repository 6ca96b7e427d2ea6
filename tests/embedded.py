"""The embedded Redis with a brake, for tests that let things arrive at once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from dojo.running.broker import EmbeddedRedis


class Broker(EmbeddedRedis):
    """The embedded Redis, with a brake, so that a test can let things arrive at once."""

    _brake: threading.Barrier | None = None

    def _turn(self) -> bool:
        if brake := self._brake:
            brake.wait()  # tell `hold` that the loop stands still
            brake.wait()  # for the end of `hold`
        return super()._turn()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the loop from looking at the network while the block runs."""
        brake = self._brake = threading.Barrier(2)
        with socket.create_connection(self.address):  # ends the sleep of an idle loop
            brake.wait()
            self._brake = None
            try:
                yield
            finally:
                brake.wait()

    @property
    def address(self) -> Any:
        return self._listener.getsockname()

    def dial(self) -> redis.Connection:
        """Open a bare connection: it can send a command without waiting for the answer."""
        connection = redis.Connection(*self.address)
        connection.connect()
        return connection

    def park(self, *command: str | int, on: redis.Connection | None = None) -> redis.Connection:
        """Send a blocking command, and return when the server has found nothing for it."""
        connection, others = on or self.dial(), self.count_parked()
        connection.send_command(*command)
        self.wait_for_parked(others + 1)
        return connection

    def count_parked(self) -> int:
        return sum(client.waiting is not None for client in list(self._clients))

    def wait_for_parked(self, count: int) -> None:
        for _ in range(6000):  # some 30 s at most
            if self.count_parked() == count:
                return
            threading.Event().wait(0.005)
        pytest.fail(f"expected {count} clients in a blocking command, saw {self.count_parked()}")
