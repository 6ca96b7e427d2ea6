"""The mail server for the katas: each kind of trouble once, as `smtplib` meets it."""

from __future__ import annotations

import errno
import os
import smtplib
import socket
import subprocess
import sys
from email.message import EmailMessage

import pytest

from dojo.running.mailbox import Mailbox

SENDER, TO = "shop@prints.example", "ann@mail.example"


def some_message() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, TO, "Jürgen's receipt"
    message.set_content("Thank you.")
    return message


def send() -> None:
    """Send a message in the way of the kata."""
    port, timeout = int(os.environ["SMTP_PORT"]), float(os.environ["SMTP_TIMEOUT"])
    with smtplib.SMTP(os.environ["SMTP_HOST"], port, timeout=timeout) as smtp:
        smtp.send_message(some_message())


def error_of_sending() -> Exception:
    with pytest.raises(OSError) as caught:
        send()
    return caught.value


def test_it_takes_messages(mailbox: Mailbox) -> None:
    """A message arrives with its envelope, and as it was written."""
    send()
    send()
    assert mailbox.calls == len(mailbox.deliveries) == 2
    got = mailbox.deliveries[0]
    assert (got.sender, got.recipients) == (SENDER, [TO])
    assert got.message["Subject"] == "Jürgen's receipt"
    assert got.message.get_content().splitlines() == ["Thank you."]
    assert mailbox.errors == []


@pytest.mark.parametrize("step", ["greeting", "HELO", "MAIL", "RCPT", "DATA"])
def test_a_reply(mailbox: Mailbox, step: str) -> None:
    """A reply is given at its step, so many times, and what smtplib makes of it is noted once."""
    mailbox.answers("451 4.3.0 later", at=step, times=2)
    errors = [error_of_sending(), error_of_sending()]
    assert mailbox.deliveries == []
    send()
    assert len(mailbox.deliveries) == 1
    codes = [getattr(error, "smtp_code", None) for error in errors]
    assert codes == ([None] * 2 if step == "RCPT" else [451] * 2)
    assert mailbox.errors == [f"{type(error).__name__}: {error}" for error in errors]


@pytest.mark.parametrize(("step", "taken"), [("HELO", 0), ("MAIL", 0), ("RCPT", 0), ("DATA", 1)])
def test_it_hangs_up(mailbox: Mailbox, step: str, taken: int) -> None:
    """The server hangs up in the place of a reply. After the message it has the message."""
    mailbox.hangs_up(at=step)
    assert isinstance(error_of_sending(), smtplib.SMTPServerDisconnected)
    assert len(mailbox.deliveries) == taken
    send()
    assert len(mailbox.deliveries) == taken + 1


def test_it_hangs_up_in_the_end(mailbox: Mailbox) -> None:
    """The server has said that it takes the message, and hangs up before the last word."""
    mailbox.hangs_up(at="QUIT")
    smtp = smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"]))
    assert smtp.send_message(some_message()) == {}
    with pytest.raises(smtplib.SMTPServerDisconnected):
        smtp.quit()
    assert len(mailbox.deliveries) == 1


def test_silence(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent server counts the clients that do not wait for ever."""
    monkeypatch.setenv("SMTP_TIMEOUT", "0.1")
    mailbox.is_silent()
    assert isinstance(error_of_sending(), smtplib.SMTPServerDisconnected)
    monkeypatch.setenv("SMTP_TIMEOUT", "10")
    send()
    assert (mailbox.gave_up, len(mailbox.deliveries)) == (1, 1)


def test_silence_for_ever(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client without a time-out is not kept for ever: in the end the server hangs up."""
    monkeypatch.setattr("dojo.running.mailbox.PATIENCE", 0.1)
    mailbox.is_silent()
    assert isinstance(error_of_sending(), smtplib.SMTPServerDisconnected)
    assert mailbox.gave_up == 0


def test_it_is_down(mailbox: Mailbox) -> None:
    """Connections are refused, so many times. Then the server is back."""
    mailbox.is_down(2)
    for _ in range(2):
        assert isinstance(error_of_sending(), ConnectionRefusedError)
    send()
    assert (mailbox.calls, len(mailbox.deliveries)) == (3, 1)
    assert mailbox.errors[0].endswith(f"Connection refused (at 127.0.0.1:{mailbox.port})")


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        TimeoutError("timed out"),
    ],
    ids=["no name", "no route", "no connection in time"],
)
def test_it_cannot_be_reached(mailbox: Mailbox, error: OSError) -> None:
    """An attempt to connect ends with an error of the system, before the server hears of it."""
    mailbox.cannot_be_reached(error, times=1)
    got = error_of_sending()
    assert (type(got), got.args) == (type(error), error.args)
    send()
    assert (mailbox.calls, len(mailbox.deliveries)) == (2, 1)


def test_a_client_that_never_hangs_up(mailbox: Mailbox) -> None:
    """The server can be stopped while somebody talks to it: the end of this test does it."""
    mailbox.is_silent()
    clients = [socket.create_connection(("127.0.0.1", mailbox.port)) for _ in range(2)]
    assert clients[1].recv(100).startswith(b"220 ")
    mailbox.talkers = clients  # type: ignore[attr-defined] # they live as long as the server


def test_its_import_is_cheap() -> None:
    """Neither asyncio nor aiosmtpd is imported before a test asks for the server."""
    script = "import sys, dojo.running.mailbox; print({'asyncio', 'aiosmtpd'} & set(sys.modules))"
    printed = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert printed.strip() == "set()"
