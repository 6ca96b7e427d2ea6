"""08 · The receipt. See README.md in this folder."""

import os
import smtplib

from celery import Celery

app = Celery("send_email")

SENDER = "shop@prints.example"


# Given: the mail server and its answers. Leave them as they are.


def smtp_address():
    """Host and port of the mail server, read from the environment at each call."""
    return os.environ.get("SMTP_HOST", "127.0.0.1"), int(os.environ.get("SMTP_PORT", "25"))


def smtp_timeout():
    """How many seconds the mail server may be silent, read like the address."""
    return float(os.environ.get("SMTP_TIMEOUT", "10"))


def reply_code(error):
    """The number in the mail server's answer, such as 450; None when there was no answer.

    `error` is what `smtplib` raised.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next(iter(error.recipients.values()))[0]
    return getattr(error, "smtp_code", None)


class NotSent(Exception):
    """`NotSent(order_id, code)`: the receipt did not go out. `code` is from `reply_code`.

    The errors of `smtplib` name the address; this one does not. Raise it, or hand it to
    `retry`, after an `except` block and not inside: there, Python adds the first error to
    the traceback.
    """


# Your part.


def build_receipt(order_id, to):
    r"""The receipt for an order: an EmailMessage from SENDER to the address `to`.

    Subject and body name the order. The Message-ID depends on the order alone: it is the
    same in every process, on every host, at any time and for every address. A newline in
    `to` ("\n" or "\r") is a ValueError, at its end as well. The text of that error does
    not name the address.
    """
    raise NotImplementedError("TODO 1: an EmailMessage with From, To, Subject, Message-ID, body")


def send_receipt(order_id, to):
    """Send the receipt over SMTP, with a time-out. Return its Message-ID.

    A task of `app`, on queue `mail`. It connects once in each run. An answer 5xx is final.
    After an answer 4xx, or without an answer, the task is tried again after 10, 20, 40, 80
    and 160 seconds. "Without an answer" is any other `OSError` of the connection: no host of
    that name, no route, refused, silent, hung up. At the end the error is
    `NotSent(order_id, code)`. Any other error, such as a ValueError, is final and stays what
    it is. When the server has said yes to the message, the receipt is sent, also if the
    server hangs up after that.
    """
    raise NotImplementedError("TODO 2: make `send_receipt` a task, send, and retry")


def queue_receipt(order_id, to):
    """Hand `send_receipt` to a worker. Return its AsyncResult at once.

    It sends one message, and the task gets the true address. But the address stays out of
    message headers, log lines (your own at any level) and events: also when the task is
    retried, and when it fails.
    """
    raise NotImplementedError("TODO 3: send `send_receipt`, with the address hidden")
