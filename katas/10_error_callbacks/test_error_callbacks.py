"""Tests of kata 10. Each docstring is one requirement."""

import random
import uuid
from collections import Counter

import pytest
from celery import Task
from celery.canvas import Signature
from celery.result import AsyncResult, GroupResult

pytestmark = pytest.mark.usefixtures("naps")

PRINT, SHIP = "tasks.print_photos", "tasks.ship"
EACH = [
    pytest.param("print_order", marks=pytest.mark.todo(2)),
    pytest.param("print_batch", marks=pytest.mark.todo(3)),
]


def good():
    return random.randint(1, 9999)


def bad():
    return -random.randint(0, 9999)


def error_of(order_id):
    """The error of an order that fails: it does not exist, or the press got stuck at it."""
    if order_id < 1:
        return f"ValueError('there is no order {order_id}')"
    return f"RuntimeError('paper jam at order {order_id}')"


def handed(event):
    """The one argument of a given task, by position or by name."""
    values = [*event.args, *event.kwargs.values()]
    return values[0] if len(values) == 1 else values


def returned(call, result, wanted="an AsyncResult"):
    """A text about what a function returned, and what it must return."""
    text = "a signature that is not sent" if isinstance(result, Signature) else repr(result)
    return f"`{call}` must return {wanted}. It returned {text}."


def entries(some):
    """Entries of the book of incidents as a text: the beginning of id, error and traceback."""
    lines = ["    {!r:.10}…, {!r:.46}, {!r:.11}…".format(*entry) for entry in some]
    return "\n".join(lines) or "    nothing"


@pytest.mark.todo(1)
def test_report_failure_writes_an_incident(kata, book, failed_request):
    """`report_failure` is a task of `app` that writes one incident: id, error, traceback."""
    errors = [ValueError(f"there is no order {bad()}"), KeyError("paper"), KeyError("paper")]
    for error in errors:
        task_id, traceback = str(uuid.uuid4()), f"Traceback …\n{error!r} {random.random()}"
        before = len(book)

        kata.report_failure(failed_request(task_id), error, traceback)

        written, expected = book[before:], [(task_id, repr(error), traceback)]
        assert written == expected, (
            f"`report_failure` was called for task {task_id}. The book of incidents must get\n"
            f"{entries(expected)}\nIt got\n{entries(written)}"
        )
    assert isinstance(kata.report_failure, Task), "`report_failure` is not a task of `app`."
    assert book.by_write == len(book), "Write the incident by `incidents.write`."


@pytest.mark.todo(1)
def test_a_report_that_fails_is_logged(kata, book, failed_request, errors_logged):
    """When the incident cannot be written, that is logged as an error, and nothing is raised."""
    for trouble in (OSError("the disk is full"), RuntimeError("the book is closed"), KeyError(1)):
        book.trouble = trouble
        task_id = str(uuid.uuid4())
        try:
            kata.report_failure(failed_request(task_id), ValueError("no paper"), "Traceback …")
        except Exception as error:
            pytest.fail(
                f"`incidents.write` raised {trouble!r}, and `report_failure` raised {error!r}. "
                "It must raise nothing: an error here is in the way of the first one."
            )
        assert any(task_id in line for line in errors_logged), (
            f"`incidents.write` raised {trouble!r}. Nothing in the log tells of the failed task: "
            f"log an error that names its id, here {task_id!r}."
        )
    book.trouble = None
    kata.report_failure(failed_request("4f0c"), ValueError("no paper"), "Traceback …")
    assert book == [("4f0c", "ValueError('no paper')", "Traceback …")], (
        f"The book can be written again. It must have the next incident. It has\n{entries(book)}"
    )


@pytest.mark.todo(1)
@pytest.mark.parametrize("trouble", [None, OSError("the disk is full")], ids=["", "disk full"])
def test_celery_calls_it_in_the_worker(
    kata, celery_worker, timeline, settle, book, calls, why_not_reported, trouble
):
    """As an errback it is called once, in the worker. The first error stays what it was."""
    assert isinstance(kata.report_failure, Task), "`report_failure` is not a task of `app`."
    book.trouble, order_id = trouble, bad()

    result = kata.print_photos.apply_async((order_id,), link_error=kata.report_failure.s())

    settle()
    assert len(calls) == 1, (
        f"`print_photos({order_id})` failed. Its errback was called {len(calls)} times. It must "
        f"be called once.\n{why_not_reported(result)}"
    )
    assert not timeline.sent(kata.report_failure.name), why_not_reported(result)
    with pytest.raises(ValueError, match=f"there is no order {order_id}$"):
        result.get()
    failed, error = [e.error for e in timeline.failed(PRINT)], f"there is no order {order_id}"
    assert failed == [f"ValueError: {error}"], (
        f"{why_not_reported(result)}Celery tells of the failure once. It told {len(failed)} times."
    )
    written = [] if trouble else [(result.id, error_of(order_id), result.traceback)]
    assert book == written, (
        f"{why_not_reported(result)}The book of incidents must have\n{entries(written)}\n"
        f"It has\n{entries(book)}"
    )


@pytest.mark.todo(2)
def test_print_order_sends_one_message(kata, timeline):
    """Each call of `print_order` sends `print_photos`, and returns a new AsyncResult at once."""
    first, second = random.sample(range(1, 9999), 2)
    orders = [first, second, first, bad()]

    results = [kata.print_order(orders[0]), *(kata.print_order(order_id=o) for o in orders[1:])]

    for order_id, result in zip(orders, results, strict=True):
        assert isinstance(result, AsyncResult), returned(f"print_order({order_id})", result)
    sent = [(e.task, handed(e)) for e in timeline.sent()]
    assert sent == [(PRINT, order_id) for order_id in orders], (
        f"`print_order` was called for the orders {orders}, and no worker runs. It must send "
        f"`print_photos` for each, and nothing else. It sent:\n"
        f"{', '.join(e.call for e in timeline.sent()) or 'nothing'}"
    )
    ids, wanted = [result.id for result in results], [e.id for e in timeline.sent()]
    assert ids == wanted, "`print_order` must return the AsyncResult of `print_photos`."
    assert len({*ids}) == 4, f"Four calls of `print_order` share ids: {ids}. Each makes a new one."


@pytest.mark.todo(2)
def test_a_printed_order_is_shipped(kata, celery_worker, timeline, settle, book, calls):
    """When `print_photos` succeeds, `ship` runs once, as a task, and takes what it returned."""
    orders = [good(), good()]
    orders.append(orders[0])

    results = [kata.print_order(order_id) for order_id in orders]

    settle()
    for order_id, result in zip(orders, results, strict=True):
        assert isinstance(result, AsyncResult), returned(f"print_order({order_id})", result)
        parcel = result.get()
        assert str(parcel).startswith(f"parcel-{order_id}-"), f"Order {order_id} gave {parcel!r}."
        ships = [e for e in timeline.started(SHIP) if e.parent_id == result.id]
        assert [handed(e) for e in ships] == [parcel], (
            f"`print_photos({order_id})` returned {parcel!r}. `ship` must run once after it, and "
            f"take that. It ran: {', '.join(e.call for e in ships) or 'not at all'}."
        )
        assert kata.app.AsyncResult(ships[0].id).get() == f"{parcel} is on its way"
    ran = Counter(e.task for e in timeline.started() if not e.eager)
    assert ran == {PRINT: 3, SHIP: 3}, f"Three orders were sent. There ran: {dict(ran)}."
    assert not calls, "All was printed, and `report_failure` was called."
    assert not book, f"All was printed, and the book of incidents has\n{entries(book)}"


@pytest.mark.todo(2)
def test_a_failed_order_is_reported(
    kata, jams, celery_worker, timeline, settle, book, calls, why_not_reported
):
    """When `print_photos` fails, one incident is written, `ship` does not run, the error stays."""
    orders, printed = [bad(), good()], good()
    orders += orders
    jams.add(orders[1])

    results = [kata.print_order(order_id) for order_id in orders]
    alone = [kata.print_photos.delay(order_id) for order_id in (orders[0], orders[1], printed)]

    settle()
    for order_id, result in zip(orders, results, strict=True):
        assert isinstance(result, AsyncResult), returned(f"print_order({order_id})", result)
        error = result.get(propagate=False)
        assert repr(error) == error_of(order_id), (
            f"print_order({order_id}) must end with {error_of(order_id)}. It ended with {error!r}."
        )
        written, expected = book.of(result), [(result.id, error_of(order_id), result.traceback)]
        assert written == expected, (
            f"{why_not_reported(result)}print_order({order_id}) failed. The book of incidents must "
            f"have\n{entries(expected)}\nOf this task it has\n{entries(written)}"
        )
    for result in alone:
        assert not book.of(result), (
            "Somebody else sent `print_photos` without callbacks, and it was reported all the "
            "same. Leave the task as it is: the callbacks go with the message."
        )
    assert len(book) == len(calls) == len(orders), (
        f"{len(orders)} orders failed. `report_failure` was called {len(calls)} times, and the "
        f"book of incidents has {len(book)} entries."
    )
    ships = [e.call for e in timeline.sent(SHIP)]
    assert not ships, f"Nothing was printed that has to be shipped. `ship` was sent: {ships}."


@pytest.mark.todo(3)
def test_print_batch_sends_one_group(kata, timeline):
    """Each call of `print_batch` sends `print_photos` for each order, as one group, at once."""
    many, one = [good(), bad(), good(), bad()], [good()]
    many.append(many[0])
    batches = [many, one, many, []]

    results = [kata.print_batch(list(batches[0]))]
    results += [kata.print_batch(order_ids=list(batch)) for batch in batches[1:]]

    for batch, result in zip(batches, results, strict=True):
        call = f"print_batch({batch})"
        assert isinstance(result, GroupResult), returned(call, result, "a GroupResult")
        members = [e for e in timeline.sent() if e.group_id == result.id]
        sent = [(e.task, handed(e)) for e in members]
        assert sent == [(PRINT, order_id) for order_id in batch], (
            f"`{call}` returned a group with the messages\n"
            f"{', '.join(e.call for e in members) or 'none'}\nIt must be a group of "
            "`print_photos`, one for each order, in their order. No worker runs yet."
        )
        assert [each.id for each in result.results] == [e.id for e in members], (
            f"The results of `{call}` must be those of `print_photos`, in the order of the ids."
        )
    ids = [result.id for result in results]
    assert len({*ids}) == len(ids), f"Two batches have one id: {ids}. Each call makes a new group."
    sent, expected = [e.call for e in timeline.sent()], sum(map(len, batches))
    assert len(sent) == expected, f"{expected} orders made {len(sent)} messages: {sent}."


@pytest.mark.todo(3)
@pytest.mark.worker(concurrency=2)
@pytest.mark.parametrize("batch", ["+-x+-", "x+", "-x", "++", "x", ""])
def test_each_order_goes_its_own_way(
    kata, jams, celery_worker, timeline, settle, book, calls, why_not_reported, batch
):
    """One incident for each order that fails, and for no other. All others are shipped."""
    order_ids = [bad() if each == "-" else good() for each in batch]
    jams.update(order_id for order_id, each in zip(order_ids, batch, strict=True) if each == "x")
    order_ids += order_ids[:2]

    result = kata.print_batch(order_ids)

    call = f"print_batch({order_ids})"
    assert isinstance(result, GroupResult), returned(call, result, "a GroupResult")
    settle()
    incidents, failed, parcels = [], [], []
    for order_id, each in zip(order_ids, result.results, strict=True):
        end = each.get(propagate=False)
        if order_id < 1 or order_id in jams:
            assert repr(end) == error_of(order_id), (
                f"Order {order_id} must end with {error_of(order_id)}. It ended with {end!r}."
            )
            failed.append(each)
            incidents.append((each.id, error_of(order_id), each.traceback))
        else:
            assert not isinstance(end, Exception), (
                f"Order {order_id} was printed, and ended with {end!r}: its callback could "
                "not be sent.\nThe `link` of a group hands over nothing."
            )
            parcels.append((each.id, end))
    assert sorted(map(repr, book)) == sorted(map(repr, incidents)), (
        f"{why_not_reported(*failed)}`{call}`: the book of incidents must have\n"
        f"{entries(incidents)}\nIt has\n{entries(book)}"
    )
    assert len(calls) == len(incidents), (
        f"{len(incidents)} orders failed, and `report_failure` was called {len(calls)} times."
    )
    shipped = [(e.parent_id, handed(e)) for e in timeline.started(SHIP)]
    assert sorted(map(repr, shipped)) == sorted(map(repr, parcels)), (
        f"`{call}`: `ship` must run after each order that was printed, and take its parcel.\n"
        f"Printed: {[parcel for _, parcel in parcels]}\nShipped: {[p for _, p in shipped]}"
    )


@pytest.mark.parametrize("name", EACH)
def test_nobody_waits(kata, start_worker, timeline, settle, naps, name):
    """The function returns at once, and no function and no task waits for a result."""
    function, orders = getattr(kata, name), [good(), bad()]

    for wanted in [orders] if name == "print_batch" else orders:
        function(wanted)  # no worker runs: a wait fails, in the line that waits

    start_worker()
    settle()
    ran = [e.task for e in timeline.started() if not e.eager]
    assert ran.count(PRINT) == 2, f"Two orders made {ran.count(PRINT)} runs of `print_photos`."
    for wait in timeline.waits():
        task = next((e.task for e in timeline.started() if e.id == wait.reader), name)
        pytest.fail(f"`{task}` waited for a result. Callbacks need nobody to wait.")
    assert not naps, f"`time.sleep` was called, for {naps} seconds. Nobody must sleep."
