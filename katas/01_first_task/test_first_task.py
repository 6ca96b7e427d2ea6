"""Tests of kata 01. Each docstring is one requirement."""

import random
from collections import Counter

import pytest
from celery import Task
from celery.canvas import Signature
from celery.result import AsyncResult


def cents(width_cm, height_cm, copies=1):
    return (50 + 2 * width_cm * height_cm) * copies


def some_size():
    return tuple(random.sample(range(1, 61), 2))  # no square: its sides can be swapped unseen


def arguments_of(message):
    """The arguments of a message for `price`, by their names, however they were passed."""

    def price(width_cm, height_cm, copies=1):
        return locals()

    return price(*message.args, **message.kwargs)


def shown(result):
    """What a function returned. A signature is easily taken for a message that was sent."""
    unsent = isinstance(result, Signature)
    return f"the signature {result!r}, and nobody has sent it" if unsent else repr(result)


@pytest.mark.todo(1)
def test_price_is_a_task_with_a_name(kata):
    """`price` is a task of `app`, registered under the name `tasks.price`."""
    assert callable(kata.price)
    ours = sorted(name for name in kata.app.tasks if not name.startswith("celery."))
    name = kata.price.name if isinstance(kata.price, Task) else "tasks.price"
    assert name == "tasks.price", (
        f"`price` is a task with the name {name!r}. Celery names it 'tasks.price' if you give it "
        "no name."
    )
    assert "tasks.price" in ours, (
        f"The app knows {', '.join(ours) or 'no task'}: `tasks.price` is not there. A decorator "
        "above `def price` makes it a task."
    )


@pytest.mark.todo(1)
def test_price_can_still_be_called(kata, timeline):
    """A direct call of `price` works like any function. It sends no message."""
    width, height = some_size()
    for size in [(width, height), (width, height, 3)]:
        answer = kata.price(*size)
        assert answer == cents(*size), f"price{size} must return {cents(*size)}, not {answer!r}."
    assert not timeline.sent(), "The direct call of `price` sent a message."


@pytest.mark.todo(2)
def test_quote_does_not_wait(kata, timeline, queue_size):
    """`quote` leaves one message in the queue and returns an AsyncResult at once."""
    width, height = some_size()

    result = kata.quote(width, height)

    assert isinstance(result, AsyncResult), (
        f"quote({width}, {height}) must return an AsyncResult. It returned {shown(result)}."
    )
    assert not timeline.reads(), (
        "`quote` asked for the price (by get, ready, state …) before it returned. No worker was "
        "running yet."
    )
    assert queue_size("celery") == 1, (
        f"After one quote() the queue holds {queue_size('celery')} messages. It must hold one."
    )
    assert timeline.sent("tasks.price"), "The message in the queue is not for `tasks.price`."
    sent = arguments_of(timeline.sent("tasks.price")[0])
    asked_for = {"width_cm": width, "height_cm": height, "copies": 1}
    assert sent == asked_for, (
        f"quote({width}, {height}) sent a message with {sent}. It must be {asked_for}."
    )


@pytest.mark.todo(2)
def test_a_worker_computes_the_price(kata, celery_worker, timeline):
    """The price comes from a worker, not from the caller."""
    width, height = some_size()

    result = kata.quote(width, height)

    assert result.get() == cents(width, height)
    by_worker = [e for e in timeline.started("tasks.price") if e.worker and not e.eager]
    assert [e.id for e in by_worker] == [result.id], "No worker ran `price` for this quote."


@pytest.mark.todo(2)
def test_every_way_to_pass_arguments(kata, celery_worker):
    """Positional arguments, keyword arguments and the default all reach the worker."""
    width, height = some_size()
    copies = random.randint(2, 9)

    for args, kwargs in [
        ((width, height), {}),
        ((width, height, copies), {}),
        ((width, height), {"copies": copies}),
        ((), {"height_cm": height, "width_cm": width}),
    ]:
        price, expected = kata.quote(*args, **kwargs).get(), cents(*args, **kwargs)
        call = f"quote{args}" if args and not kwargs else f"quote(*{args}, **{kwargs})"
        assert price == expected, f"{call} must give {expected}. It gave {price!r}."
    assert kata.price.delay(width, height).get() == cents(width, height)


@pytest.mark.todo(2)
def test_a_wrong_call_fails_at_once(kata, timeline):
    """A call with too few or too many arguments is a TypeError for the caller. Nothing is sent."""
    assert hasattr(kata.price, "delay"), "`price` is not a task yet."
    for wrong in [(), (10,), (10, 15, 1, "glossy")]:
        with pytest.raises(TypeError):
            kata.quote(*wrong)
        with pytest.raises(TypeError):
            kata.price.delay(*wrong)
    assert not timeline.sent(), "A wrong call sent a message all the same."


@pytest.mark.todo(3)
@pytest.mark.worker(concurrency=2)
def test_quote_all_keeps_the_order(kata, celery_worker, timeline, hold):
    """`quote_all` returns the prices in the order of the sizes, whichever is ready first."""
    sizes = [some_size() for _ in range(5)]
    sizes += [sizes[0], (1, 1), (60, 60)]
    hold("tasks.price", first=1, until=lambda: len(timeline.succeeded("tasks.price")) == 7)

    prices, expected = kata.quote_all(sizes), [cents(*size) for size in sizes]

    assert not any(isinstance(price, AsyncResult) for price in prices), (
        "kata.quote_all(sizes) returned AsyncResults. It must return prices: `get()` reads one."
    )
    assert Counter(prices) == Counter(expected), (
        f"kata.quote_all(sizes) returned {prices}. It must return {expected}."
    )
    assert list(prices) == expected, (
        f"kata.quote_all(sizes) returned the right prices in another order: {prices}. "
        f"In the order of the sizes they are {expected}."
    )
    assert kata.quote_all([]) == []


@pytest.mark.todo(3)
def test_quote_all_sends_everything_first(kata, celery_worker, timeline):
    """`quote_all` has sent every size before it reads the first answer."""
    sizes = [some_size() for _ in range(6)]

    kata.quote_all(sizes)

    sent = timeline.sent("tasks.price")
    assert len(sent) == len(sizes), f"{len(sizes)} sizes made {len(sent)} messages."
    assert timeline.in_order(sent, timeline.reads()), (
        "`quote_all` read an answer before it had sent every size."
    )
