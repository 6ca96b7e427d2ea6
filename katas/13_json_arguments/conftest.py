"""What the tests of this kata see of messages, and what they ask the learner's module."""

import contextlib
import importlib
import json
import pathlib
import random
import uuid
from datetime import date, datetime, time
from decimal import Decimal

import pytest
from celery.result import AsyncResult, EagerResult
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
    monkeypatch.setattr(importlib.import_module("orders"), "table", table := Table())
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


OTHERS = [1.5, None, "12.30", Decimal("1.50"), b"\xff\x00", uuid.uuid4()]
OTHERS += [date(2027, 1, 31), time(6, 30), datetime(2027, 1, 31, 6, 30, 0, 5), {"a": [True]}]


@pytest.fixture
def check_others():
    """`check_others()`: what is not `Money` is written and read as ever."""

    def check():
        for before in OTHERS:
            try:
                now = celerys_json.loads(celerys_json.dumps(before))
            except Exception as error:
                pytest.fail(f"Celery's JSON cannot carry {before!r} any more: {error!r}.")
            same = exact_text(now) == exact_text(before)
            assert same, f"Sent was {before!r}, and {now!r} arrived."

    return check


def name_in_json(value):
    """The name under which Celery's JSON writes the type of a value, if there is one."""
    written = json.loads(celerys_json.dumps(value))
    return written.get("__type__") if isinstance(written, dict) else None


def error_of_journey(amounts):
    """Why an amount of money cannot be written as JSON, or not be read again; "" if it can."""
    for one in amounts:
        try:
            text, name = celerys_json.dumps(one), name_in_json(one)
        except Exception as error:
            return f"Celery's JSON cannot write {one!r}: {type(error).__name__}: {error}"
        for other in OTHERS if name else ():
            if name_in_json(other) == name:
                other = type(other).__name__
                return f"{name!r} is the name of {other}. Give `Money` a name of its own."
        try:
            celerys_json.loads(text)
        except Exception as error:
            return f"Celery's JSON cannot read {text}: {type(error).__name__}: {error}"
    return ""


def exact_text(value):
    """See `exact`."""
    if isinstance(value, dict):
        parts = [f"{key!r}: {exact_text(part)}" for key, part in value.items()]
        return f"{{{', '.join(sorted(parts))}}}"
    if type(value) is list:
        return f"[{', '.join(map(exact_text, value))}]"
    return repr(value)


@pytest.fixture
def exact():
    """`exact(value)` tells a list from a tuple, and 12.3 from 12.30. The order of keys is free."""
    return exact_text


@pytest.fixture
def check_bill():
    """`check_bill(call, found, expected)`: what the call gave is this list of lines."""
    earlier = set()  # lines of bills that were right

    def check(call, found, expected):
        if exact_text(found) == exact_text(expected):
            return earlier.update(map(exact_text, found))
        told = f"{call} gave\n    {found!r}.\nExpected is\n    {expected!r}."
        if type(found) is list and len(found) == len(expected):  # one line will do
            pairs = zip(found, expected, strict=True)
            gave, wanted = next(p for p in pairs if exact_text(p[0]) != exact_text(p[1]))
            told = f"In {call} a line is\n    {gave!r}\nand must be\n    {wanted!r}."
            if sorted(map(exact_text, found)) == sorted(map(exact_text, expected)):
                photos, right = ([line["photo"] for line in lines] for lines in (found, expected))
                told = f"{call} gave the photos {photos}. Their numbers must rise: {right}."
        more = found[: -len(expected)] if type(found) is list and expected else []
        emptied = "'size': []" in repr(found)  # the test has done so with earlier bills
        if earlier and (emptied or {*map(exact_text, more)} & earlier):
            told += "\nThere is something of an earlier bill in it. Make new lists in each call."
        return pytest.fail(told)

    return check


@pytest.fixture
def error_of_file(folder):
    """`error_of_file(sent, photo, paths)`: what is wrong with the file that was sent, or ""."""

    def error(sent, photo, paths):
        path = pathlib.Path(sent)
        if folder not in path.parents:
            return f"That is no path in FOLDER, {folder}: send `str(path)` of the file there."
        if not path.is_file():
            return "There is no such file. The worker reads it later: leave it there."
        if path.read_bytes() == photo:
            return ""
        if paths.count(sent) > 1:
            return (
                "Another call has written over that file: each needs a new name, in each process."
            )
        return "The file does not have the bytes of the photo."

    return error


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

    def error_of(self, money):
        """What of `money` is not in one of the texts, or only in a program; "" if all is."""
        for word in (str(money.amount), money.currency):
            found = [text for text in self.texts if word in text]
            if not found:
                return f"{word!r} is missing: write the digits and the currency as `str`."
            if min(map(len, found)) >= len(str(money)) + 12:
                return (
                    f"{word!r} is in a long text. Write only the digits and the currency, as `str`."
                )
        return ""


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
        here = any(isinstance(result, EagerResult) for result in results)
        assert len(sent) == len(results), (
            f"{len(results)} calls of `{name}` sent {len(sent)} messages"
            f"{': ' * bool(sent)}{', '.join(event.call for event in sent)}."
            f"{' `apply` runs a task here: use `delay`.' * here}"
        )
        ids = [event.id for event in sent]
        assert [result.id for result in results] == ids, (
            f"The ids of the messages are {ids}, in this order. `{name}` returned the results of "
            f"{[result.id for result in results]}."
        )
        assert len({*ids}) == len(ids), (
            f"Two calls of `{name}` sent tasks with one id: {ids}. So they share one result. Let "
            "Celery make the ids."
        )
        return sent

    return check
