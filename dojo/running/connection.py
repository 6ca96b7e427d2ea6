"""One connection of the embedded Redis: fakeredis' interpreter of commands on a real socket.

It rests on private hooks of fakeredis (`put_response`, `_blocking`, `_parse_commands` and
others), so pyproject.toml bounds its version.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import redis
from fakeredis import FakeServer
from fakeredis._clients._tcp_server import encode_reply
from fakeredis._helpers import NoResponse, SimpleError
from fakeredis._socket import FakeSocket

from dojo.running import lua

AT_ONCE = 500  # commands of one client before the next one has its turn
LONGEST_LINE = 64 * 1024  # bytes without a line end, as in a real Redis


class ProtocolError(Exception):
    """What a client has sent is not the Redis protocol."""


class Parked(NamedTuple):
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


def _in_one_line(reply: Any) -> Any:
    """The reply, without line ends in the texts of errors: one would end the error itself."""
    if isinstance(reply, SimpleError):
        return SimpleError(" ".join(reply.value.splitlines()))
    if isinstance(reply, Exception):
        return type(reply)(" ".join(str(reply).splitlines()))
    if isinstance(reply, list) and any(isinstance(one, Exception) for one in reply):
        return [_in_one_line(one) for one in reply]
    return reply


class Client(FakeSocket):
    """One connection.

    Args:
        changed: is called when a database has changed on which somebody has waited.
        speaks: is called with the client when there is something to write, or it is to go.
    """

    _numbers = itertools.count()

    def __init__(
        self,
        server: FakeServer,
        connection: socket.socket,
        changed: Callable[[], None],
        speaks: Callable[[Client], None],
    ) -> None:
        self.connection = connection
        self.outgoing = bytearray()
        self.hung_up = False
        self.closing = False
        self.waiting: Parked | None = None
        self._changed, self._speaks = changed, speaks
        self._incoming, self._read = bytearray(), 0  # what was sent, and how far it was read
        self._left = AT_ONCE  # commands before somebody else has a turn
        host, port = connection.getpeername()
        super().__init__(
            server, db=0, client_class=redis.Redis, client_info={"addr": f"{host}:{port}"}
        )

    # -- the way in --------------------------------------------------------------------

    def feed(self, data: bytes = b"") -> None:
        """Run the commands in `data`, or some of them; on what is no command answer and close."""
        self._left = AT_ONCE
        try:
            self.sendall(data)
        except redis.ConnectionError:  # killed by CLIENT KILL
            self.closing = True
        except Exception as error:  # this is not the Redis protocol
            self.put_response(self._decode_result(_error_reply(error)))
            self.closing = True

    @property
    def behind(self) -> bool:
        """Whether there are commands left that somebody else's turn has put off."""
        return not self._left and not self._paused and not self.closing

    def _parse_commands(self) -> Generator[None, bytes, None]:
        """fakeredis' parser, with a position in a buffer: theirs copies the rest each time."""
        while True:
            while self._paused or not self._left:
                yield from self._more()
            fields = []
            for _ in range((yield from self._number(b"*"))):
                fields.append((yield from self._bytes((yield from self._number(b"$")))))
            self._left -= 1
            self._process_command(fields)

    def _more(self) -> Generator[None, bytes, None]:
        del self._incoming[: self._read]
        self._read = 0
        self._incoming += yield

    def _number(self, mark: bytes) -> Generator[None, bytes, int]:
        while (end := self._incoming.find(b"\r\n", self._read)) < 0:
            too_long = len(self._incoming) - self._read > LONGEST_LINE
            if too_long or self._incoming.find(b"\n", self._read) >= 0:
                raise ProtocolError("a line of the protocol ends with CR LF")
            yield from self._more()
        line = self._incoming[self._read : end]
        if not line.startswith(mark):
            raise ProtocolError(f"expected {mark.decode()!r}, got {bytes(line[:20])!r}")
        self._read = end + 2
        return int(line[1:])

    def _bytes(self, length: int) -> Generator[None, bytes, bytes]:
        while len(self._incoming) - self._read < length + 2:
            yield from self._more()
        value = bytes(self._incoming[self._read : self._read + length])
        self._read += length + 2
        return value

    def _process_command(self, fields: list[bytes]) -> None:
        try:
            super()._process_command(fields)
        except redis.ConnectionError:
            raise
        except Exception as error:  # a defect of fakeredis, and not of the client
            self.put_response(self._decode_result(_error_reply(error)))

    # -- the way out -------------------------------------------------------------------

    def put_response(self, msg: Any) -> None:
        """Queue a reply, or a pushed message, for this client."""
        self.outgoing += encode_reply(_in_one_line(msg), self._client_info.protocol_version)
        self._speaks(self)

    @property
    def killed(self) -> bool:
        """Whether CLIENT KILL has named this client."""
        return bool(self._killed)

    def kill(self) -> None:
        """Note that this client is to go."""
        super().kill()
        self._speaks(self)

    def forget(self) -> None:
        """Give back what a client holds that is gone."""
        for subscribers in self._server.ssubscribers.values():  # fakeredis forgets these
            subscribers.discard(self)
        self.kill()
        self._parser.close()
        self.outgoing.clear()
        self._incoming.clear()
        self.waiting = None

    # -- blocking commands -------------------------------------------------------------

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
        self.waiting = Parked(next(self._numbers), deadline, func, shape)
        self._db.add_change_callback(self._changed)
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

    def give_up(self) -> None:
        """Answer the parked command with nothing: its time is over."""
        if self.waiting is not None:
            self._answer_parked(self.waiting.reply(None))

    def _answer_parked(self, reply: Any) -> None:
        self.waiting, self._blocked, self._unblock_reason = None, False, None
        self.put_response(self._decode_result(reply))
        self._paused = False
        self.feed()  # run what the client has sent after the blocking command

    # -- scripts -----------------------------------------------------------------------

    def _get_server_runtime(self, server: Any) -> Any:
        if hasattr(server, "_lua_runtime"):
            return super()._get_server_runtime(server)
        with lua.shut_in():
            runtime = super()._get_server_runtime(server)
        lua.close_off(runtime, server._lua_expected_globals)
        return runtime

    def _functions(self) -> Any:
        with lua.shut_in():
            return super()._functions()
