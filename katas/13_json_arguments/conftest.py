"""What the tests of this kata see of messages, and what they ask the learner's module."""

import contextlib
import importlib
import json
import random
from decimal import Decimal

import pytest
from celery.result import AsyncResult
from kombu import Queue
from kombu.utils import json as celerys_json


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder for photos. The module reads its name when it is imported."""
    folder = tmp_path / "photos"
    folder.mkdir()
    monkeypatch.setenv("PHOTOS", str(folder))
    return folder


class Table(dict):
    """The rows of the orders. `reads` has the number of each row that was read."""

    def __init__(self):
        super().__init__()
        self.reads = []

    def __getitem__(self, order_id):
        self.reads.append(order_id)
        return super().__getitem__(order_id)


@pytest.fixture
def table(kata, monkeypatch):
    """The table of the orders, which `orders.read` reads."""
    assert kata  # it has imported the module
    table = Table()
    monkeypatch.setattr(importlib.import_module("orders"), "table", table)
    return table


@pytest.fixture
def new_order(money):
    """`new_order(7)` is an `Order` with that number. The rest is new each time."""

    def order(order_id):
        name = f"{random.choice(['Ann', 'Bob', 'Cleo'])} {random.randint(1000, 9999)}"
        total = money(f"{random.randint(10, 99)}.{random.randint(100, 999)}")
        return importlib.import_module("orders").Order(order_id, name, total)

    return order


@pytest.fixture
def money(kata):
    """`money("4.95", "EUR")` is a `Money`."""
    assert kata
    cls = importlib.import_module("orders").Money
    return lambda amount, currency="EUR": cls(Decimal(amount), currency)


@pytest.fixture
def amounts(money):
    """Amounts of money that are hard to keep as they are, in currencies that differ."""
    digits = ["12.30", "-0.345", "0.1", "0.00", "1234567890123456789012345678901.10"]
    return [money(one, "".join(random.sample("CDEHKNORSU", 3))) for one in digits]


@pytest.fixture
def echo(kata):
    """A task that returns its argument. What it was handed is in `echo.seen`."""
    seen = []

    def run(value):
        seen.append(value)
        return value

    task = kata.app.task(name="shop.echo")(run)
    task.seen = seen
    return task


@pytest.fixture
def check_money(kata, amounts):
    """`check_money()`: as the module is imported, amounts of money can be written and read."""

    def check():
        if not error_of_journey(amounts):
            return
        kata.register_money()  # is it done at all?
        if error := error_of_journey(amounts):
            pytest.fail(f"TODO 1: {error}")
        pytest.fail(
            "TODO 1: `register_money` has not been called when this file has been imported. "
            "Whoever imports the file, to send or to work, must know the type: call it in the "
            "last line, outside of all functions."
        )

    return check


def error_of_journey(amounts):
    """Why an amount of money cannot be written as JSON, or not be read again; "" if it can."""
    for one in amounts:
        try:
            text = celerys_json.dumps(one)
        except Exception as error:
            return f"Celery's JSON cannot write {one!r}: {type(error).__name__}: {error}"
        try:
            celerys_json.loads(text)
        except Exception as error:
            return f"Celery's JSON cannot read {text}: {type(error).__name__}: {error}"
    return ""


class Body:
    """The body of a message: `text` is all of it, `type` its content type, `around` the headers.

    `texts` are the texts in the arguments, and `floats` the floats anywhere. A text that
    is JSON again is opened.
    """

    def __init__(self, message):
        body = message.body
        self.text = body if isinstance(body, str) else bytes(body).decode("utf-8", "replace")
        self.type, self.around = message.content_type, str(message.headers)
        self.texts, self.floats = [], []
        self._look_into(self.text)

    def _look_into(self, value):
        if isinstance(value, str) and value.startswith(("{", "[")):
            with contextlib.suppress(ValueError):
                value = json.loads(value)
        if isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                self._look_into(part)
        elif isinstance(value, str):
            self.texts.append(value)
        elif isinstance(value, float):
            self.floats.append(value)

    def says(self, word, money):
        """Whether this part of `money` is in one of the texts, and not in a pickle or a program."""
        return any(word in text and len(text) < len(str(money)) + 12 for text in self.texts)


@pytest.fixture
def in_queue(kata):
    """`in_queue()` is the `Body` of each message in the queue, oldest first. They stay there."""

    def bodies():
        messages = []
        with kata.app.connection_for_read() as connection:
            queue = Queue("celery", channel=connection.default_channel)
            while message := queue.get():
                messages.append(message)
            for message in reversed(messages):
                message.requeue()
        return [Body(message) for message in messages]

    return bodies


@pytest.fixture
def check_sent(timeline, naps):
    """`check_sent("archive", results)`: each call has sent one message and returned its result.

    It returns the messages.
    """

    def check(name, results):
        for result in results:
            why = f"`{name}` must return an AsyncResult. It returned {result!r:.200}."
            assert isinstance(result, AsyncResult), why
        assert not timeline.waits(), f"`{name}` waited for a result. It must return at once."
        assert not naps, f"`{name}` called `time.sleep`, for {naps} seconds."
        sent = timeline.sent()
        assert len(sent) == len(results), (
            f"{len(results)} calls of `{name}` sent {len(sent)} messages: "
            f"{', '.join(event.call for event in sent) or 'none'}."
        )
        ids = [event.id for event in sent]
        assert [result.id for result in results] == ids, (
            f"The ids of the messages are {ids}, in this order. `{name}` returned the results of "
            f"{[result.id for result in results]}."
        )
        assert len({*ids}) == len(ids), f"Two calls of `{name}` sent tasks with one id: {ids}."
        return sent

    return check
