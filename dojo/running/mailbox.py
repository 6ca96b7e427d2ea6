"""A real SMTP server on this machine, for the katas whose tasks send e-mail.

It can be brought into trouble: it refuses, it is silent, it cannot be reached. What it takes
it keeps, so that a test can look at it. asyncio and aiosmtpd are imported when a test asks
for the fixture, and not before: most katas do without.
"""

from __future__ import annotations

import contextlib
import functools
import random
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    import asyncio
    from email.message import EmailMessage

    from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
# Below the range from which systems hand out ports: nobody gets it while the server is down.
PORTS = range(20000, 30000)
PATIENCE = 3.0  # seconds after which a silent server hangs up on a client without a time-out
SILENCE = ""  # the greeting of a server that says nothing
HANG_UP = "hang up"  # in the place of a reply
T = TypeVar("T")


@dataclass
class Delivery:
    """A message that the server has taken: the envelope, and what was in it."""

    sender: str
    recipients: list[str]
    message: EmailMessage


@dataclass
class Trouble:
    """What goes wrong with one client: the server gives `reply` at the step `at`."""

    at: str = ""
    reply: str = ""


class Mailbox:
    """A mail server on a thread of its own.

    `deliveries` holds the messages that it has taken, oldest first. `calls` counts the
    connections that were tried, also those that failed, and `gave_up` the clients that hung
    up on a silent server. `errors` has what `smtplib` raised, as "Type: text".
    """

    def __init__(self) -> None:
        import asyncio

        self.deliveries: list[Delivery] = []
        self.calls = 0
        self.gave_up = 0
        self.errors: list[str] = []
        self.port = 0
        self._refusals = 0
        self._no_way: list[OSError] = []
        self._troubles: list[Trouble] = []
        self._talks: list[SMTP] = []
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailbox", daemon=True)

    # -- trouble ----------------------------------------------------------------------

    def answers(self, reply: str, at: str, times: int = 1) -> None:
        """Give the next clients this reply.

        Args:
            reply: such as "450 later".
            at: the step: "greeting", "HELO", "MAIL", "RCPT", "DATA" (after the message)
                or "QUIT".
            times: how many clients.
        """
        self._troubles += [Trouble(at, reply)] * times

    def is_silent(self, times: int = 1) -> None:
        """Take the next connections, and say nothing."""
        self._troubles += [Trouble("greeting", SILENCE)] * times

    def hangs_up(self, at: str, times: int = 1) -> None:
        """Hang up on the next clients in the place of a reply.

        Args:
            at: the step: "HELO", "MAIL", "RCPT", "DATA" or "QUIT". At "DATA" the server has
                taken the message, and the client does not know; at "QUIT" the client knows.
            times: on how many clients.
        """
        self._troubles += [Trouble(at, HANG_UP)] * times

    def is_down(self, times: int) -> None:
        """Refuse the next connections. Then the server is back, on the same port."""
        self._refusals = times
        self._in_loop(self._close())

    def cannot_be_reached(self, error: OSError, times: int) -> None:
        """Let the next attempts to connect end with this error, such as `socket.gaierror()`."""
        self._no_way += [error] * times

    # -- the server -------------------------------------------------------------------

    def start(self) -> None:
        """Listen on a free port."""
        self._thread.start()
        for port in random.sample(PORTS, 50):
            with contextlib.suppress(OSError):
                self._in_loop(self._listen(port))
                self.port = port
                return
        raise RuntimeError(f"no free port on {HOST}")

    def stop(self) -> None:
        """Hang up on everybody, and end the thread."""
        self._in_loop(self._close(everything=True))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def called(self) -> None:
        """Somebody is about to connect.

        Raises:
            OSError: the server cannot be reached.
        """
        self.calls += 1
        if self._no_way:
            error = self._no_way.pop(0)
            raise type(error)(*error.args)  # a fresh one: each has a traceback of its own
        if self._server is None:
            self._refusals -= 1
            if self._refusals < 0:
                self._in_loop(self._listen(self.port))

    def _in_loop(self, work: Coroutine[Any, Any, T]) -> T:
        import asyncio

        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self, port: int) -> None:
        self._server = await self._loop.create_server(self._next_talk, HOST, port)

    async def _close(self, everything: bool = False) -> None:
        import asyncio

        if self._server:
            self._server.close()
            self._server = None
        if everything:
            for talk in self._talks:
                _hang_up(talk)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)

    def _next_talk(self) -> asyncio.Protocol:
        """The talk with the client that has just connected."""
        import asyncio

        from aiosmtpd.smtp import SMTP

        trouble = self._troubles.pop(0) if self._troubles else Trouble()
        if trouble.at == "greeting":
            welcome = functools.partial(self._bad_welcome, trouble.reply)
            reader = asyncio.StreamReader(loop=self._loop)
            return asyncio.StreamReaderProtocol(reader, welcome, loop=self._loop)
        talk = SMTP(Handler(self, trouble), hostname="mail.example", loop=self._loop)
        self._talks.append(talk)
        return talk

    async def _bad_welcome(
        self, greeting: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Be too busy to talk: say so and hang up, or say nothing."""
        import asyncio

        try:
            if greeting:
                writer.write(f"{greeting}\r\n".encode())
                writer.close()
                return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(_end_of(reader), PATIENCE)
                self.gave_up += 1
        finally:
            if not greeting:
                writer.transport.abort()


def _hang_up(talk: SMTP) -> None:
    if talk.transport:  # it is open
        cast("asyncio.Transport", talk.transport).abort()


async def _end_of(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()  # until there is no more


class Handler:
    """Takes a message, unless something goes wrong at one of its steps. aiosmtpd calls it."""

    def __init__(self, mailbox: Mailbox, trouble: Trouble) -> None:
        self._mailbox, self._trouble = mailbox, trouble

    async def _reply(self, server: SMTP, step: str, usual: str = "250 OK") -> str:
        import asyncio

        if self._trouble.at != step:
            return usual
        if self._trouble.reply == HANG_UP:
            _hang_up(server)
            await asyncio.Event().wait()  # until aiosmtpd hears of it and cancels us
        return self._trouble.reply

    async def handle_EHLO(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,  # noqa: ARG002
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """The client says who it is, and asks what the server can do."""
        session.host_name = hostname
        return responses if self._trouble.at != "HELO" else [await self._reply(server, "HELO")]

    async def handle_HELO(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,  # noqa: ARG002
        hostname: str,
    ) -> str:
        """The client says who it is."""
        session.host_name = hostname
        return await self._reply(server, "HELO")

    async def handle_MAIL(  # noqa: N802
        self,
        server: SMTP,
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        options: list[str],  # noqa: ARG002
    ) -> str:
        """The client says who sends the message."""
        envelope.mail_from = address
        return await self._reply(server, "MAIL")

    async def handle_RCPT(  # noqa: N802
        self,
        server: SMTP,
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        options: list[str],  # noqa: ARG002
    ) -> str:
        """The client says who shall get it."""
        envelope.rcpt_tos.append(address)
        return await self._reply(server, "RCPT")

    async def handle_DATA(  # noqa: N802
        self,
        server: SMTP,
        session: Session,  # noqa: ARG002
        envelope: Envelope,
    ) -> str:
        """The client has sent the message."""
        from email import message_from_bytes, policy

        if self._trouble.at != "DATA" or self._trouble.reply == HANG_UP:
            content = envelope.content or b""
            message = message_from_bytes(
                content if isinstance(content, bytes) else content.encode(), policy=policy.default
            )
            delivery = Delivery(envelope.mail_from or "", list(envelope.rcpt_tos), message)
            self._mailbox.deliveries.append(delivery)
        return await self._reply(server, "DATA")

    async def handle_QUIT(  # noqa: N802
        self,
        server: SMTP,
        session: Session,  # noqa: ARG002
        envelope: Envelope,  # noqa: ARG002
    ) -> str:
        """The client takes its leave."""
        return await self._reply(server, "QUIT", "221 Bye")
