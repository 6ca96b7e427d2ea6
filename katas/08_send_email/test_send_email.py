"""Tests of kata 08. Each docstring is one requirement."""

import os
import random
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path

import pytest
import time_machine
from celery.result import AsyncResult

TASK = "tasks.send_receipt"
DELAYS = [10, 20, 40, 80, 160]

pytestmark = [pytest.mark.worker(queues="mail"), pytest.mark.usefixtures("naps", "skip_countdowns")]


def some_order():
    return random.randint(1000, 999_999)


def some_customer():
    return f"customer{random.randint(100_000, 999_999)}"


def some_address():
    return f"{some_customer()}@mail.example"


def send(kata, order_id, to):
    """What TODO 2 is about: the task as such, before anything is hidden."""
    if TASK not in kata.app.tasks:
        kata.send_receipt(order_id, to)  # the gap, as long as it is one
        pytest.fail("`send_receipt` is not a task of `app`.")
    return kata.send_receipt.delay(order_id, to)


def delays(timeline):
    return [event.countdown for event in timeline.sent(TASK)[1:]]


def check_retries(timeline, count, why):
    """So many retries, later and later, with the id and the arguments of the first message."""
    sent = timeline.sent(TASK)
    assert delays(timeline) == DELAYS[:count], (
        f"{why}\n"
        f"Expected retries after these delays: {DELAYS[:count]} seconds.\n"
        f"The messages asked for: {delays(timeline)}."
    )
    assert len({event.id for event in sent}) == 1, "A retry must keep the id of the task."
    assert len(timeline.retried(TASK)) == count, "The task was sent again, but not retried."


def check_not_sent(kata, result, order_id, code):
    outcome = result.get(propagate=False)
    assert isinstance(outcome, kata.NotSent) and outcome.args == (order_id, code), (  # noqa: PT018
        f"The task ended with {outcome!r}. Expected NotSent({order_id}, {code})."
    )


def message_id_elsewhere(kata, order_id, to):
    """The Message-ID that a process of its own gives to an order."""
    folders = [str(Path(file).parent) for file in (kata.__file__, __file__)]
    script = (
        f"import sys; sys.path[:0] = {folders}\n"
        f"import tasks; print(tasks.build_receipt({order_id}, {to!r})['Message-ID'])"
    )
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-B", "-c", script]
    printed = subprocess.check_output(command, env=environment, text=True)  # noqa: S603
    return printed.splitlines()[-1]


@pytest.mark.todo(1)
def test_the_receipt(kata):
    """`build_receipt` makes an EmailMessage from SENDER to the customer that names the order."""
    order_id, to = some_order(), some_address()

    message = kata.build_receipt(order_id, to)

    assert isinstance(message, EmailMessage), f"It returned {message!r}, not an EmailMessage."
    for header, expected in [("From", kata.SENDER), ("To", to)]:
        assert parseaddr(str(message[header]))[1] == expected, (
            f"build_receipt({order_id}, {to!r}): expected the header {header}: {expected}, "
            f"saw {message[header]!r}."
        )
    assert str(order_id) in str(message["Subject"]), (
        f"The subject {message['Subject']!r} does not name order {order_id}."
    )
    assert str(order_id) in message.get_content(), "The body does not name the order."


@pytest.mark.todo(1)
def test_an_order_has_one_message_id(kata):
    """The Message-ID depends on the order alone: not on chance, time or process."""
    order_id, to = some_order(), some_address()

    first = kata.build_receipt(order_id, to)["Message-ID"]

    assert re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", str(first)), (
        f"A Message-ID looks like <something@prints.example>. This one is {first!r}."
    )
    again = kata.build_receipt(order_id, to)["Message-ID"]
    assert again == first, f"Order {order_id} got the Message-ID {first}, and then {again}."
    with time_machine.travel(datetime.now(timezone.utc) + timedelta(days=33)):
        later = kata.build_receipt(order_id, to)["Message-ID"]
    assert later == first, f"A month later, the Message-ID {first} of an order was {later}."
    elsewhere = message_id_elsewhere(kata, order_id, to)
    assert elsewhere == first, (
        f"Order {order_id} got the Message-ID {first} here, and {elsewhere} in another process."
    )
    ids = {str(kata.build_receipt(order, to)["Message-ID"]) for order in range(1, 120)}
    assert len(ids) == 119, f"119 orders got {len(ids)} different Message-IDs."


@pytest.mark.todo(1)
@pytest.mark.parametrize("end", ["\nBcc: all@mail.example", "\r\n\r\nBuy now", "\n"])
def test_a_newline_in_an_address_is_refused(kata, end):
    """A newline in the address would begin a new header: `build_receipt` raises ValueError."""
    to = some_address() + end
    try:
        message = kata.build_receipt(some_order(), to)
    except ValueError:
        return
    pytest.fail(
        f"build_receipt(…, {to!r}) raised no ValueError. It made a message to {message['To']!r}."
    )


@pytest.mark.todo(2)
def test_the_receipt_arrives(kata, mailbox, celery_worker, timeline, settle):
    """`send_receipt` runs on queue `mail`, and the mail server gets one message."""
    order_id, to = some_order(), some_address()

    result = send(kata, order_id, to)

    queue = timeline.sent(TASK)[0].queue
    assert queue == "mail", f"`send_receipt` was sent to queue '{queue}', not to 'mail'."
    settle()
    expected = kata.build_receipt(order_id, to)
    assert result.get() == expected["Message-ID"], (
        f"`send_receipt` returned {result.get()!r}. Expected {expected['Message-ID']!r}."
    )
    assert len(mailbox.deliveries) == 1, f"The server got {len(mailbox.deliveries)} messages."
    got = mailbox.deliveries[0]
    assert (got.sender, got.recipients) == (kata.SENDER, [to]), (
        f"The envelope was from {got.sender} to {got.recipients}. "
        f"Expected from {kata.SENDER} to {[to]}."
    )
    for header in ("From", "To", "Subject", "Message-ID"):
        assert got.message[header] == expected[header], (
            f"The header {header} arrived as {got.message[header]!r}. "
            f"`build_receipt` made {expected[header]!r}."
        )


@pytest.mark.todo(2)
@pytest.mark.parametrize("trouble", ["down", "silent", "lost answer"])
def test_no_answer_is_tried_again(
    kata, mailbox, celery_worker, timeline, settle, monkeypatch, trouble
):
    """Without an answer the task is retried: server down, silent, or gone after the message."""
    order_id, to = some_order(), some_address()
    times = random.randint(1, 3)
    if trouble == "down":
        mailbox.is_down(times)
        why = f"The server refused {times} connections, and was then back."
    elif trouble == "silent":
        mailbox.is_silent()
        monkeypatch.setenv("SMTP_TIMEOUT", "0.3")
        why, times = "The server took a connection, and said nothing.", 1
    else:
        mailbox.hangs_up("DATA", times)
        why = f"The server took {times} messages, but hung up before it said so."

    result = send(kata, order_id, to)

    settle()
    outcome = result.get(propagate=False)
    message_id = kata.build_receipt(order_id, to)["Message-ID"]
    assert not isinstance(outcome, Exception), f"{why}\nThe task failed: {outcome!r}."
    assert outcome == message_id, (
        f"{why}\nThe task returned {outcome!r}. Expected the Message-ID {message_id!r}."
    )
    if trouble == "silent":
        assert mailbox.gave_up, (
            "The server said nothing, and the task waited until the server hung up.\n"
            "It must give up after smtp_timeout() seconds."
        )
        times = max(1, len(timeline.retried(TASK)))  # a slow machine may need one more
    check_retries(timeline, times, why)
    copies = [got.message["Message-ID"] for got in mailbox.deliveries]
    assert copies == [message_id] * (times + 1 if trouble == "lost answer" else 1), (
        f"{why} It got messages with these Message-IDs: {copies}."
    )


@pytest.mark.todo(2)
@pytest.mark.parametrize("step", ["greeting", "MAIL", "RCPT", "DATA"])
def test_4xx_is_tried_again(kata, mailbox, celery_worker, timeline, settle, step):
    """After an answer 4xx the task is retried, each time later, until the server takes it."""
    order_id, to = some_order(), some_address()
    times, code = random.randint(2, 5), random.randint(421, 459)
    mailbox.answers(f"{code} 4.2.1 please try again later", at=step, times=times)

    result = send(kata, order_id, to)

    why = f"The server answered {code} at the {step}, {times} times."
    settle()
    outcome = result.get(propagate=False)
    assert not isinstance(outcome, Exception), (
        f"{why}\nThe task gave up after {mailbox.calls} attempts: {outcome!r}."
    )
    check_retries(timeline, times, why)
    assert len(mailbox.deliveries) == 1, f"The server took {len(mailbox.deliveries)} messages."


@pytest.mark.todo(2)
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_5xx_is_final(kata, mailbox, celery_worker, timeline, settle, step):
    """After an answer 5xx the task fails at once, with `NotSent`. A bad address fails, too."""
    order_id, code = some_order(), random.randint(550, 559)
    mailbox.answers(f"{code} 5.1.1 no", at=step, times=9)

    result = send(kata, order_id, some_address())

    settle()
    assert mailbox.calls == 1, (
        f"The server answered {code} at the {step}. "
        f"Expected one attempt, saw {mailbox.calls}: a 5xx is final."
    )
    check_not_sent(kata, result, order_id, code)
    with pytest.raises(ValueError):
        send(kata, order_id, some_address() + "\n").get()
    retried = timeline.retried(TASK)
    assert not retried, f"An address with a newline was tried again: {retried[0].error}."


@pytest.mark.todo(2)
def test_it_gives_up_in_the_end(kata, mailbox, celery_worker, timeline, settle):
    """After five retries the task fails, with `NotSent` and the last answer."""
    order_id, code = some_order(), random.randint(421, 459)
    mailbox.answers(f"{code} 4.2.1 please try again later", at="DATA", times=20)

    result = send(kata, order_id, some_address())

    settle()
    check_retries(timeline, 5, f"The server always answered {code}.")
    assert mailbox.calls == 6, f"Expected 6 attempts, saw {mailbox.calls}."
    check_not_sent(kata, result, order_id, code)


@pytest.mark.todo(3)
@pytest.mark.parametrize("outcome", ["sent", "retried", "refused", "given up"])
def test_nobody_reads_the_address(kata, mailbox, traces, celery_worker, timeline, settle, outcome):
    """After `queue_receipt` no message header, log line or event names the address."""
    customer = some_customer()
    to = f"{customer}@mail.example"
    code, times = {"retried": (450, 2), "refused": (550, 1), "given up": (450, 6)}.get(
        outcome, (0, 0)
    )
    mailbox.answers(f"{code} <{to}> not now", at="RCPT", times=times)

    result = kata.queue_receipt(some_order(), to)

    assert isinstance(result, AsyncResult), (
        f"`queue_receipt` must return an AsyncResult. It returned {result!r}."
    )
    settle()
    by_worker = [event for event in timeline.started(TASK) if not event.eager]
    assert by_worker, "`queue_receipt` sent nothing that the worker for queue `mail` could run."
    attempts = {"sent": 1, "retried": 3, "refused": 1, "given up": 6}[outcome]
    assert len(by_worker) == attempts, f"Expected {attempts} attempts, saw {len(by_worker)}."
    found = traces.naming(customer)
    assert not found, f"The address {to} can be read here:\n" + "\n".join(found)
