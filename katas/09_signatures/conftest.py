"""Lines of a price list, and what is seen when one is sent."""

import random

import pytest
from celery import chain

#: The given tasks: their arguments, and what is taken for one that is missing.
GIVEN = {
    "tasks.price": {"width_cm": None, "height_cm": None, "copies": 1, "paper": "glossy"},
    "tasks.show_discount": {"percent": None},
}
OPTIONS = {"countdown": 40, "expires": 7200, "priority": 4, "queue": "counter"}


def number():
    """A number that is easily found in a text."""
    return random.randint(1000, 9999)


@pytest.fixture
def write(kata):
    """`write("a link")` returns a signature of that kind, and what it may be sent with."""

    def linked(signature):
        signature.link(kata.show_discount.si(number()).set(priority=random.randint(1, 8)))
        return signature

    price, discount = kata.price, kata.show_discount
    kinds = {
        "a partial": lambda: (price.s(number(), "matt"), 2),
        "arguments by name": lambda: (price.s(number() + 0.5, paper="matt", copies=3), 1),
        "immutable": lambda: (discount.si(number()), 1),
        "options": lambda: (price.s(copies=number()).set(**OPTIONS, shadow=f"no {number()}"), 2),
        "a link": lambda: (linked(price.s()), 2),
        "a chain": lambda: (chain(price.s(number()), linked(discount.si(number()))), 1),
    }

    def write_line(kind):
        signature, count = kinds[kind]()
        return signature, [number() for _ in range(count)]

    return write_line


@pytest.fixture
def called():
    """`called(event)` is the call of a given task, with the names of all its arguments."""

    def text(event):
        names = GIVEN.get(event.task, {})
        if len(event.args) > len(names):
            return event.call
        named = {**names, **dict(zip(names, event.args, strict=False)), **event.kwargs}
        arguments = ", ".join(f"{name}={value!r}" for name, value in named.items())
        return f"{event.task.removeprefix('tasks.')}({arguments})"

    return text


@pytest.fixture
def sending(timeline, settle, called):
    """`sending(line, arguments)` sends a line; it returns one text for each message of it."""

    def texts(line, arguments):
        before = len(timeline.sent())
        line.delay(*arguments)
        settle()
        return [
            f"{called(e)} to queue {e.queue!r}, priority {e.priority}, countdown {e.countdown}, "
            f"{'expires' if e.expires else 'does not expire'}"
            for e in timeline.sent()[before:]
        ]

    return texts
