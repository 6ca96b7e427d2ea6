"""Tests of kata 01. Each docstring is one requirement."""

import inspect
import random
import threading
from collections import Counter

import pytest
from celery import Task
from celery.canvas import Signature
from celery.exceptions import TimeoutError
from celery.result import AsyncResult

NO_TASK = "TODO 1: `price` is not a task yet. A decorator above `def price` makes it one."

pytestmark = pytest.mark.usefixtures("naps")


def cents(width_cm, height_cm, copies=1):
    return (50 + 2 * width_cm * height_cm) * copies


def some_size():
    return tuple(random.sample(range(1, 61), 2))  # no square: its sides can be swapped unseen


def called(function, args, kwargs):
    """A call as the learner writes it, such as `quote(10, 15, copies=2)`."""
    parts = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
    return f"{function}({', '.join(parts)})"


def ways_to_call():
    """Positional and keyword arguments, with copies and with the default."""
    (width, height), copies = some_size(), random.randint(2, 9)
    ways = [((width, height), {}), ((width, height, copies), {})]
    ways.append(((width, height), {"copies": copies}))
    return [*ways, ((), {"height_cm": height, "width_cm": width})]


def named(args, kwargs):
    """The arguments of a call of `price`, by their names, however they were passed."""

    def price(width_cm, height_cm, copies=1):
        return locals()

    try:
        return price(*args, **kwargs)
    except TypeError:
        return {"args": tuple(args), **kwargs}


def is_cents(args, kwargs):
    """The price of an order, and how it comes about, such as `690 is (50 + 2*3*30) * 3`."""
    order = named(args, kwargs)
    width, height, copies = order["width_cm"], order["height_cm"], order["copies"]
    return f"{cents(*args, **kwargs)} is (50 + 2*{width}*{height}) * {copies}"


def shown(result):
    """What a function returned. A signature is easily taken for a message that was sent."""
    unsent = isinstance(result, Signature)
    return f"the signature {result!r}, and nobody has sent it" if unsent else repr(result)


def no_result(call, result):
    return f"{call} must return an AsyncResult. It returned {shown(result)}."


def call(kata, name, *args, **kwargs):
    """Call a function of the learner that sends `price`, and put two errors into words."""
    function = getattr(kata, name)
    try:
        return function(*args, **kwargs)
    except TimeoutError as error:
        text = f"`{name}` waited for an answer, until its time-out."
        text += " Return the AsyncResult, without `get`." if name == "quote" else ""
        raise AssertionError(text).with_traceback(error.__traceback__) from None
    except AttributeError as error:
        if isinstance(kata.price, Task):
            raise
        raise AssertionError(NO_TASK).with_traceback(error.__traceback__) from None


def prices_of(price_list, sizes):
    """What the workers must answer."""
    for size in sizes:
        price_list.check(called("price", size, {}), cents(*size), is_cents(size, {}), size)
    return [cents(*size) + price_list.more for size in sizes]


def messages(kata, timeline):
    return timeline.sent(getattr(kata.price, "name", "tasks.price"))


@pytest.fixture
def quote_all(kata, timeline, monkeypatch, miscounted):
    """The learner's `quote_all`. If it builds upon a `quote` that is not right, that is told."""
    quote = getattr(kata, "quote", None)

    def sent_here():  # it may be called in several threads
        thread = threading.current_thread().name
        return [e for e in messages(kata, timeline) if e.thread == thread]

    def checked(*args, **kwargs):
        before, result = sent_here(), quote(*args, **kwargs)
        text = f"TODO 2: `quote_all` called {called('quote', args, kwargs)}, which"
        assert isinstance(result, AsyncResult), f"{text} returned {shown(result)}."
        sent = sent_here()[len(before) :]
        assert len(sent) == 1, miscounted(text, sent)
        same = named(sent[0].args, sent[0].kwargs) == named(args, kwargs)
        assert same, f"{text} sent {sent[0].call}."
        call_it.ready_at_once |= {result.id} & {e.id for e in timeline.succeeded()}
        return result

    if inspect.isfunction(quote):
        monkeypatch.setattr(kata, "quote", checked)

    def call_it(sizes):
        given = list(sizes)
        prices = call(kata, "quote_all", given)
        assert given == sizes, f"quote_all(sizes) changed its caller's list `sizes` to {given}."
        text = f"quote_all({sizes}) must return a list of prices. It returned {shown(prices)}."
        why = "Where is its `return`?" if sizes else "For no size, a loop reaches no `return`."
        text += f"\n{why}" if prices is None else ""
        assert isinstance(prices, list | tuple), text
        text = "quote_all(sizes) returned AsyncResults. It must return prices: `get()` reads one."
        assert not any(isinstance(price, AsyncResult) for price in prices), text
        return list(prices)

    call_it.ready_at_once = set()  # ids of tasks that were done when `quote` returned
    return call_it


@pytest.mark.todo(1)
def test_price_is_a_task(kata):
    """`price` is a task of `app`."""
    ours = sorted(name for name in kata.app.tasks if not name.startswith("celery."))
    name = kata.price.name if isinstance(kata.price, Task) else "tasks.price"
    known = f"{NO_TASK}\nThe app knows {', '.join(ours)}."
    assert name in ours, known if ours else NO_TASK


@pytest.mark.todo(1)
def test_price_can_still_be_called(kata, sent):
    """A direct call of `price` gives the price, like any function, and sends no message."""
    prices = [((30, 3), {}), ((3, 30, 3), {}), *ways_to_call(), *ways_to_call()]
    for args, kwargs in prices:
        answer, expected = kata.price(*args, **kwargs), cents(*args, **kwargs)
        assert (answer, type(answer)) == (expected, int), (
            f"{called('price', args, kwargs)} must return {expected}, not {answer!r}.\n"
            f"{is_cents(args, kwargs)}."
        )
    assert not sent(), "The direct call of `price` sent a message."


@pytest.mark.todo(2)
def test_quote_does_not_wait(kata, timeline, queue_size, naps, miscounted):
    """Each call of `quote` leaves one message in the queue and returns an AsyncResult at once."""
    width, height = some_size()
    text = f"quote({width}, {height})"

    results = [call(kata, "quote", width, height) for _ in range(2)]

    for result in results:
        assert isinstance(result, AsyncResult), no_result(text, result)
    assert not timeline.waits(), "`quote` waited for the price. No worker was running yet."
    assert not naps, f"`quote` called `time.sleep`, for {naps} seconds. It must return at once."
    sent = messages(kata, timeline)
    rule = "Each call is an order, and must send one."
    assert len(sent) == 2, miscounted(f"Two calls of {text}", sent, rule)
    assert queue_size("celery") == 2, (
        f"After two calls of {text} the queue 'celery' holds {queue_size('celery')} messages. It "
        "must hold two."
    )
    assert results[0].id != results[1].id, (
        f"Two calls of {text} gave two results with one id, {results[0].id!r}. The second answer "
        "would take the place of the first. Let Celery make the ids."
    )
    assert [e.id for e in sent] == [result.id for result in results], (
        f"The AsyncResult of {text} must be the one of its message. It has another id."
    )


@pytest.mark.todo(2)
def test_the_message_has_every_argument(kata, timeline, miscounted):
    """The message has the width, the height and the copies, each in its place."""
    for before, (args, kwargs) in enumerate(ways_to_call()):
        call(kata, "quote", *args, **kwargs)

        text, sent = called("quote", args, kwargs), messages(kata, timeline)[before:]
        assert len(sent) == 1, miscounted(text, sent)
        seen, expected = named(sent[0].args, sent[0].kwargs), named(args, kwargs)
        assert seen == expected, f"{text} sent a message with {seen}.\nIt must be {expected}."


@pytest.mark.todo(2)
def test_every_way_to_pass_arguments(kata, price_list, celery_worker):
    """Positional arguments, keyword arguments and the default all reach the worker."""
    ways = ways_to_call()
    for args, kwargs in [*ways, ways[1]]:
        result = call(kata, "quote", *args, **kwargs)
        text, expected = called("quote", args, kwargs), cents(*args, **kwargs)
        assert isinstance(result, AsyncResult), no_result(text, result)
        direct = called("price", args, kwargs)
        price_list.check(direct, expected, is_cents(args, kwargs), args, kwargs)
        price, expected = result.get(), expected + price_list.more
        assert price == expected, f"{text} must give {expected}. It gave {price!r}."
    size = ways[0][0]
    price, expected = kata.price.delay(*size).get(), cents(*size) + price_list.more
    assert price == expected, f"TODO 1: price.delay{size} gave {price!r}, not {expected}."


@pytest.mark.todo(2)
def test_a_wrong_call_fails_at_once(kata, timeline):
    """A call with too few or too many arguments is a TypeError for the caller. Nothing is sent."""
    assert isinstance(kata.price, Task), NO_TASK
    for args, kwargs in [((), {}), ((10,), {}), ((10, 15, 1, "glossy"), {}), ((10, 15), {"x": 1})]:
        try:
            kata.quote(*args, **kwargs)
        except TypeError:
            continue
        pytest.fail(f"{called('quote', args, kwargs)} raised no TypeError.")
    assert not timeline.sent(), "A wrong call sent a message all the same."


@pytest.mark.todo(3)
@pytest.mark.parametrize("count", [1, 0, 5])
@pytest.mark.worker(concurrency=2)
def test_quote_all_keeps_the_order(
    kata, price_list, celery_worker, timeline, hold, quote_all, count
):
    """`quote_all` returns the prices in the order of the sizes, whichever is ready first."""
    sizes = [some_size() for _ in range(count)]
    sizes += sizes[:1] if count > 1 else []

    # The first order is the last to be ready. It may not be ready before the caller has looked.
    def others_are_ready_and_caller_looks():
        return len(timeline.succeeded()) >= len(sizes) - 1 and timeline.reads()

    hold(getattr(kata.price, "name", ""), first=1, until=others_are_ready_and_caller_looks)

    prices = quote_all(sizes)
    expected = prices_of(price_list, sizes)

    assert prices == expected or Counter(prices) != Counter(expected), (
        f"quote_all({sizes}) returned the right prices in another order:\n{prices}\n"
        f"In the order of the sizes they are\n{expected}"
    )
    assert prices == expected, price_list.told(sizes, prices, expected)


@pytest.mark.todo(3)
def test_quote_all_sends_everything_first(
    kata, price_list, celery_worker, timeline, hold, quote_all, miscounted
):
    """`quote_all` has sent every size before it waits for the first answer."""
    sizes = [some_size() for _ in range(5)]

    # The worker holds the first order until all are sent, or until the caller only waits for it.
    name = getattr(kata.price, "name", "")
    hold(name, first=1, until=lambda: len(messages(kata, timeline)) >= len(sizes))

    prices = quote_all(sizes)
    expected = prices_of(price_list, sizes)

    sent = messages(kata, timeline)
    text = f"quote_all, for {len(sizes)} sizes,"
    assert len(sent) == len(sizes), miscounted(text, sent, "It must send one for each size.")
    seen, wanted = [named(e.args, e.kwargs) for e in sent], [named(size, {}) for size in sizes]
    assert Counter(map(repr, seen)) == Counter(map(repr, wanted)), (
        f"For the sizes {sizes} `quote_all` sent\n{', '.join(e.call for e in sent)}"
    )
    by_quote = {e.id for e in sent} <= quote_all.ready_at_once
    who = "TODO 2: `quote_all` called `quote`, which" if by_quote else "`quote_all`"
    first = timeline.in_order(sent, timeline.succeeded())
    assert first, f"{who} waited for an answer before it had sent every size."
    by_task = any(e.reader for e in timeline.waits())
    assert not by_task, "A task of `quote_all` waited for another one, and kept a worker busy."
    assert prices == expected, price_list.told(sizes, prices, expected)


@pytest.mark.todo(3)
def test_a_failed_order_has_no_price(kata, price_list, celery_worker, quote_all):
    """When a worker cannot price a size, `quote_all` raises the error of the worker."""
    sizes = random.sample([(9, 13), (10, 15), (13, 18)], 3)
    price_list.no_paper_for = (13, 18)

    try:
        prices = quote_all(sizes)
    except Exception as error:
        if "no paper for" not in str(error):
            raise
    else:
        raise AssertionError(
            f"quote_all({sizes}) returned {prices!r}.\nThe workers have no paper for (13, 18). "
            "`quote_all` must raise their error, as `get()` does."
        )
