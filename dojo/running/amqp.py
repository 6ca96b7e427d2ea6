"""A RabbitMQ that is shared: every queue and exchange of a test has a name of its own.

Redis knows key prefixes, AMQP does not. This transport puts a prefix before each name on
its way to the server, and takes it away on the way back, so that the katas and their
tests see the names that they gave. What it declares it writes down, for `delete_declared`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kombu.connection import Connection as AnyConnection
from kombu.transport import pyamqp

from dojo.running import servers

TRANSPORT = "dojo.running.amqp:Transport"
#: The arguments of a queue that name another queue or exchange.
DEAD_LETTER = ("x-dead-letter-exchange", "x-dead-letter-routing-key")


def options(prefix: str) -> dict[str, object]:
    """The transport options that belong to `TRANSPORT`; every name begins with `prefix`."""
    # With confirms a message is in its queue when the publisher goes on, as with Redis.
    return {"prefix": prefix, "confirm_publish": True}


def _ledger(prefix: str) -> Path:
    """Where all processes of one test write what they declare."""
    return servers.TEMPORARY / f"{prefix}declared"


def delete_declared(url: str, prefix: str) -> None:
    """Delete the queues and exchanges that were declared under `prefix`."""
    ledger = _ledger(prefix)
    if not ledger.exists():
        return
    declared = [line.split(" ", 1) for line in ledger.read_text(encoding="utf-8").splitlines()]
    with AnyConnection(url) as connection:
        channel = connection.default_channel
        for kind, name in dict.fromkeys(map(tuple, declared)):
            delete = channel.queue_delete if kind == "queue" else channel.exchange_delete
            delete(name)
    ledger.unlink()


class Channel(pyamqp.Channel):
    """A channel that renames. The signatures are py-amqp's."""

    def _own(self, name: str) -> str:
        """The name on the server. The server's own names, and no name, stay as they are."""
        return self.connection.prefix + name if name and not name.startswith("amq.") else name

    def _plain(self, name: str) -> str:
        return name.removeprefix(self.connection.prefix)

    def _note(self, kind: str, name: str) -> None:
        # One write to a file opened for appending: lines of several processes do not mix.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        file = os.open(_ledger(self.connection.prefix), flags, 0o600)
        try:
            os.write(file, f"{kind} {name}\n".encode())
        finally:
            os.close(file)

    def exchange_declare(self, exchange: str, type: str, passive: bool = False, **kw: Any) -> Any:  # noqa: A002
        exchange = self._own(exchange)
        if not passive:
            self._note("exchange", exchange)
        return super().exchange_declare(exchange, type, passive, **kw)

    def exchange_delete(self, exchange: str, *args: Any, **kw: Any) -> Any:
        return super().exchange_delete(self._own(exchange), *args, **kw)

    def exchange_bind(self, destination: str, source: str = "", *args: Any, **kw: Any) -> Any:
        return super().exchange_bind(self._own(destination), self._own(source), *args, **kw)

    def exchange_unbind(self, destination: str, source: str = "", *args: Any, **kw: Any) -> Any:
        return super().exchange_unbind(self._own(destination), self._own(source), *args, **kw)

    def queue_declare(
        self, queue: str = "", passive: bool = False, arguments: Any = None, **kw: Any
    ) -> Any:
        queue = self._own(queue)
        if queue and not passive:
            self._note("queue", queue)
        arguments = self._own_dead_letters(arguments)
        answer = super().queue_declare(queue, passive, arguments=arguments, **kw)
        return answer and answer._replace(queue=self._plain(answer.queue))

    def _own_dead_letters(self, arguments: dict[str, Any] | None) -> dict[str, Any] | None:
        if not arguments or "x-dead-letter-exchange" not in arguments:
            return arguments
        exchange, key = arguments[DEAD_LETTER[0]], arguments.get(DEAD_LETTER[1], "")
        renamed = {DEAD_LETTER[0]: self._own(exchange)}
        if key and not exchange:  # the default exchange takes names of queues
            renamed[DEAD_LETTER[1]] = self._own(key)
        return {**arguments, **renamed}

    def queue_bind(self, queue: str, exchange: str = "", *args: Any, **kw: Any) -> Any:
        return super().queue_bind(self._own(queue), self._own(exchange), *args, **kw)

    def queue_unbind(self, queue: str, exchange: str, *args: Any, **kw: Any) -> Any:
        return super().queue_unbind(self._own(queue), self._own(exchange), *args, **kw)

    def queue_delete(self, queue: str = "", *args: Any, **kw: Any) -> Any:
        return super().queue_delete(self._own(queue), *args, **kw)

    def queue_purge(self, queue: str = "", *args: Any, **kw: Any) -> Any:
        return super().queue_purge(self._own(queue), *args, **kw)

    def basic_consume(self, queue: str = "", *args: Any, **kw: Any) -> Any:
        return super().basic_consume(self._own(queue), *args, **kw)

    def basic_get(self, queue: str = "", *args: Any, **kw: Any) -> Any:
        return super().basic_get(self._own(queue), *args, **kw)

    def _basic_publish(
        self, msg: Any, exchange: str = "", routing_key: str = "", *args: Any, **kw: Any
    ) -> Any:
        if not exchange:  # the default exchange takes names of queues
            routing_key = self._own(routing_key)
        return super()._basic_publish(msg, self._own(exchange), routing_key, *args, **kw)

    def message_to_python(self, raw_message: Any) -> Any:
        delivery = raw_message.delivery_info
        if not delivery["exchange"]:
            delivery["routing_key"] = self._plain(delivery["routing_key"])
        delivery["exchange"] = self._plain(delivery["exchange"])
        return super().message_to_python(raw_message)


class Connection(pyamqp.Connection):
    """A connection whose names begin with `prefix`."""

    Channel = Channel

    def __init__(self, *args: Any, prefix: str, **kw: Any) -> None:
        self.prefix = prefix
        super().__init__(*args, **kw)


class Transport(pyamqp.Transport):
    """Takes the place of `amqp://` in the app of a kata."""

    Connection = Connection
