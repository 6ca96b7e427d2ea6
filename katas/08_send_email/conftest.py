"""A real mail server for kata 08, and everything that Celery tells about a task."""

import asyncio
import email.policy
import logging
import random
import socket
import threading
import time
from dataclasses import dataclass
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import SMTP
from celery import current_task, signals
from celery.events.dispatcher import EventDispatcher

HOST = "127.0.0.1"
# Below the range from which systems hand out ports: nobody gets it while the server is down.
PORTS = range(20000, 30000)
PATIENCE = 3.0  # seconds after which a silent server hangs up on a client without a time-out


@dataclass
class Delivery:
    """A message that the server has taken: the envelope, and what was in it."""

    sender: str
    recipients: list[str]
    message: EmailMessage


class Mailbox:
    """A mail server on a thread of its own. Its state is `deliveries`, `calls`, `gave_up`.

    `calls` counts the connections that were tried, and `gave_up` the clients that hung up
    on a silent server.
    """

    def __init__(self):
        self.deliveries = []
        self.calls = 0
        self.gave_up = 0
        self.port = 0
        self._refusals = 0
        self._troubles = []
        self.clients = set()
        self._server = None
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="mailbox", daemon=True)

    # -- for the tests ----------------------------------------------------------------

    def answers(self, reply, at, times=1):
        """Give the next clients this reply, such as "450 later", at MAIL, RCPT, DATA …"""
        self._troubles += [(at, reply)] * times

    def is_down(self, times):
        """Refuse the next connections; then the server is back on the same port."""
        self._refusals = times
        self._in_loop(self._close())

    def is_silent(self, times=1):
        """Take the next connections and say nothing."""
        self._troubles += [("silence", "")] * times

    def loses_its_answer(self, times=1):
        """Take the next messages, and hang up before saying so."""
        self._troubles += [("lost answer", "")] * times

    # -- the server -------------------------------------------------------------------

    def start(self):
        self._thread.start()
        for port in random.sample(PORTS, 50):
            try:
                self._in_loop(self._listen(port))
            except OSError:
                continue
            self.port = port
            return
        raise RuntimeError(f"no free port on {HOST}")

    def stop(self):
        self._in_loop(self._close(everything=True))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def called(self):
        """Somebody is about to connect."""
        self.calls += 1
        if self._server is None:
            self._refusals -= 1
            if self._refusals < 0:
                self._in_loop(self._listen(self.port))

    def _in_loop(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def _listen(self, port):
        self._server = await self.loop.create_server(self._protocol, HOST, port)

    async def _close(self, everything=False):
        if self._server:
            self._server.close()
            self._server = None
        if everything:
            for client in list(self.clients):
                client.abort()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)

    def _protocol(self):
        at, reply = self._troubles.pop(0) if self._troubles else ("nothing", "")
        if at in ("greeting", "silence"):
            return BadWelcome(self, reply)
        return Conversation(self, at, reply)


class Conversation(SMTP):
    """The talk with one client."""

    def __init__(self, mailbox, at, reply):
        super().__init__(Handler(mailbox, at, reply), hostname="mail.example", loop=mailbox.loop)
        self._clients = mailbox.clients

    def connection_made(self, transport):
        self._clients.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error):
        self._clients.discard(self.transport)
        super().connection_lost(error)


class Handler:
    """Takes a message, unless something goes wrong at one of its steps."""

    def __init__(self, mailbox, trouble_at, reply):
        self._mailbox, self._trouble_at, self._bad_reply = mailbox, trouble_at, reply

    def _reply(self, command):
        return self._bad_reply if self._trouble_at == command else "250 OK"

    async def handle_MAIL(self, _server, _session, envelope, address, _options):  # noqa: N802
        envelope.mail_from = address
        return self._reply("MAIL")

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self._reply("RCPT")

    async def handle_DATA(self, server, _session, envelope):  # noqa: N802
        if self._trouble_at != "DATA":
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            delivery = Delivery(envelope.mail_from, envelope.rcpt_tos, message)
            self._mailbox.deliveries.append(delivery)
        if self._trouble_at == "lost answer":
            server.transport.abort()
            await asyncio.Event().wait()  # until connection_lost() cancels us
        return self._reply("DATA")


class BadWelcome(asyncio.Protocol):
    """A server that is too busy to talk: it says so and hangs up, or it says nothing."""

    def __init__(self, mailbox, greeting):
        self._mailbox, self._greeting = mailbox, greeting
        self._end = None

    def connection_made(self, transport):
        self._transport = transport
        self._mailbox.clients.add(transport)
        if self._greeting:
            transport.write(f"{self._greeting}\r\n".encode())
            transport.close()
        else:
            self._end = self._mailbox.loop.call_later(PATIENCE, self._hang_up)

    def _hang_up(self):
        self._end = None
        self._transport.abort()

    def connection_lost(self, _error):
        self._mailbox.clients.discard(self._transport)
        if self._end:
            self._end.cancel()
            self._mailbox.gave_up += 1


@pytest.fixture
def mailbox(monkeypatch):
    """A mail server on 127.0.0.1; SMTP_HOST and SMTP_PORT point to it."""
    mailbox = Mailbox()
    mailbox.start()
    monkeypatch.setenv("SMTP_HOST", HOST)
    monkeypatch.setenv("SMTP_PORT", str(mailbox.port))
    monkeypatch.setenv("SMTP_TIMEOUT", "10")
    connect = socket.create_connection

    def create_connection(address, *args, **options):
        if address[1] == mailbox.port:
            mailbox.called()
        return connect(address, *args, **options)

    # smtplib connects with it. This is how we see a client that nobody answers.
    monkeypatch.setattr(socket, "create_connection", create_connection)
    # smtplib asks for our own name, and some machines look for it for seconds.
    monkeypatch.setattr(socket, "getfqdn", lambda _name="": "localhost")
    yield mailbox
    mailbox.stop()


@pytest.fixture(autouse=True)
def no_sleep_in_tasks(monkeypatch):
    """A task that sleeps between two attempts is shown for what it is, and at once."""
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda secs: None if current_task else sleep(secs))


class Traces:
    """What Celery tells about tasks: message headers, log lines, events, and prints."""

    def __init__(self, caplog, capsys):
        self._told = []
        self._caplog, self._capsys = caplog, capsys

    def add(self, where, values):
        self._told += [(f"{where}, {name}", str(value)) for name, value in values.items()]

    def naming(self, text):
        """Where `text` is told, a line for each place."""
        formatter = logging.Formatter()
        for record in self._caplog.records:
            if not record.name.startswith("mail."):  # the mail server's own log
                self._told.append(("log line", formatter.format(record)))
                self.add("log line, data", getattr(record, "data", {}))
        for line in "".join(self._capsys.readouterr()).splitlines():
            self._told.append(("printed, so logged", line))
        places = {}
        for where, told in self._told:
            line = next((line for line in told.splitlines() if text in line), None)
            if line:
                places.setdefault(where, _around(text, line))
        return [f"{where}: {line}" for where, line in places.items()]


def _around(text, line, most=100):
    start = max(0, line.index(text) + len(text) + 10 - most)
    return ("…" if start else "") + line[start : start + most].strip()


@pytest.fixture
def traces(kata, caplog, capsys, monkeypatch):
    """Collects what Celery tells. Ask for it before the worker."""
    traces = Traces(caplog, capsys)
    kata.app.conf.worker_send_task_events = True
    send = EventDispatcher.send

    def send_event(self, type, *args, **fields):  # noqa: A002 - Celery's word
        traces.add(f"event {type}", fields)
        return send(self, type, *args, **fields)

    def published(headers, **_):
        traces.add(
            "message header of the retry" if headers["retries"] else "message header", headers
        )

    def leave_the_log_alone(**_):
        pass  # a receiver keeps Celery from setting the level

    monkeypatch.setattr(EventDispatcher, "send", send_event)
    monkeypatch.setattr(logging.getLogger("celery.task"), "propagate", True)
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, logger="celery.task")
    signals.before_task_publish.connect(published)
    signals.setup_logging.connect(leave_the_log_alone)
    yield traces
    signals.before_task_publish.disconnect(published)
    signals.setup_logging.disconnect(leave_the_log_alone)
