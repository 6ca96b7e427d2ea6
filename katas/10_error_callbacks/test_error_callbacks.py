"""Tests of kata 10. Each docstring is one requirement."""

import random
import uuid
from collections import Counter

import pytest
from celery import Task

pytestmark = pytest.mark.usefixtures("naps")

PRINT, SHIP = "tasks.print_photos", "tasks.ship"
NO_TASK = "`report_failure` is not a task of `app`. Put `@app.task` above it."
LAST = (
    "`print_order` must return the AsyncResult of `print_photos`. It returned that of the last "
    "task of a chain. Send `print_photos` with `link`."
)
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


@pytest.mark.todo(1)
def test_report_failure_adds_an_incident(kata, reported, report, log):
    """`report_failure` is a task of `app` that adds one incident: task, id, error, traceback."""
    errors = [ValueError(f"there is no order {bad()}"), KeyError("paper"), KeyError("paper")]
    for error in errors:
        task_id, task = str(uuid.uuid4()), random.choice([PRINT, SHIP])
        traceback, before = f"Traceback …\n{error!r} {random.random()}", len(reported)

        report(task_id, error, traceback, task)

        wrong = reported.fault(task_id, repr(error), traceback, task, since=before)
        assert not wrong, f"`report_failure` was called for task {task_id}.\n{wrong}{log.caught}"
    assert isinstance(kata.report_failure, Task), NO_TASK
    assert reported.by_report == len(reported), "Add the incident by `incidents.report`."


@pytest.mark.todo(1)
def test_a_report_that_fails_is_logged(reported, report, log):
    """When the incident cannot be added, that is logged as an error, and nothing is raised."""
    for trouble in (OSError("the disk is full"), RuntimeError("the list is lost"), KeyError(1)):
        reported.trouble, reported.refused, task_id = trouble, 0, str(uuid.uuid4())
        try:
            report(task_id, ValueError("no paper"), "Traceback …")
        except Exception as error:
            if not reported.refused:
                raise
            pytest.fail(
                f"`incidents.report` raised {trouble!r}, and `report_failure` raised {error!r}. "
                "It must raise nothing: an error here is in the way of the first one."
            )
        assert reported.refused, f"`incidents.report` was not called.{log.caught}"
        wrong = log.fault(task_id)
        assert not wrong, f"`incidents.report` raised {trouble!r}.\n{wrong}"
    reported.trouble = None
    report("4f0c", ValueError("no paper"), "Traceback …")
    wrong = reported.fault("4f0c", "ValueError('no paper')", "Traceback …", since=0)
    assert not wrong, f"The disk is no longer full, and the next task fails.\n{wrong}"


@pytest.mark.todo(1)
@pytest.mark.parametrize("trouble", [None, OSError("the disk is full")], ids=["", "disk full"])
def test_celery_calls_it_in_the_worker(
    kata, celery_worker, timeline, settle, reported, calls, why_not_reported, trouble
):
    """As an errback it is called once, in the worker. The first error stays what it was."""
    assert isinstance(kata.report_failure, Task), NO_TASK
    reported.trouble, order_id = trouble, bad()

    result = kata.print_photos.apply_async((order_id,), link_error=kata.report_failure.s())

    settle()
    why = why_not_reported(result).removeprefix("TODO 1: ")
    assert len(calls) == 1, (
        why or f"Of `print_photos({order_id})` the errback was called {len(calls)} times, not once."
    )
    assert not timeline.sent(kata.report_failure.name), why
    with pytest.raises(ValueError, match=f"there is no order {order_id}$"):
        result.get()
    failed, error = [e.error for e in timeline.failed(PRINT)], f"there is no order {order_id}"
    assert failed == [f"ValueError: {error}"], (
        f"{why}\nCelery tells of the failure once. It told {len(failed)} times."
    )
    wrong = "" if trouble else reported.fault(result.id, error_of(order_id), result.traceback)
    assert not wrong, f"`print_photos({order_id})` failed.\n{why or wrong}"
    assert len(reported) == (0 if trouble else 1), f"There are {len(reported)} incidents."


@pytest.mark.todo(2)
def test_print_order_sends_one_message(call, timeline):
    """Each call of `print_order` sends `print_photos`, and returns a new AsyncResult at once."""
    first, second = random.sample(range(1, 9999), 2)
    orders = [first, second, first, bad()]

    results = [call("print_order", orders[0])]
    results += [call("print_order", order_id=order_id) for order_id in orders[1:]]

    sent = [(e.task, handed(e)) for e in timeline.sent()]
    assert sent == [(PRINT, order_id) for order_id in orders], (
        f"`print_order` was called for the orders {orders}, and no worker runs. It must send "
        f"`print_photos` for each, and nothing else. It sent:\n"
        f"{', '.join(e.call for e in timeline.sent()) or 'nothing'}"
    )
    ids, wanted = [result.id for result in results], [e.id for e in timeline.sent()]
    chained = any(result.parent for result in results)
    assert ids == wanted, LAST if chained else "The results must be those of `print_photos`."
    assert len({*ids}) == 4, f"Four calls of `print_order` share ids: {ids}. Each makes a new one."


@pytest.mark.todo(2)
def test_a_printed_order_is_shipped(
    kata, call, celery_worker, timeline, settle, reported, calls, in_link
):
    """When `print_photos` succeeds, `ship` runs once, as a task, and takes what it returned."""
    orders = [good(), good()]
    orders.append(orders[0])

    results = [call("print_order", orders[0])]
    assert getattr(kata.report_failure, "name", "") not in in_link(), (
        "`report_failure` is in `link`. That is for success: it belongs in `link_error`."
    )
    results += [call("print_order", order_id) for order_id in orders[1:]]

    settle()
    own = [e.call for e in timeline.sent(SHIP) if not e.parent_id]
    assert not own, (
        f"`print_order` {'waits for the result, and ' if timeline.waits() else ''}sends `ship` "
        "itself. The worker must send it: `link`."
    )
    for order_id, result in zip(orders, results, strict=True):
        parcel = result.get(propagate=False)
        assert str(parcel).startswith(f"parcel-{order_id}-"), (
            f"Order {order_id} was printed, and ended with {parcel!r}: its callback could not be "
            "sent."
        )
        ships = [e for e in timeline.started(SHIP) if e.parent_id == result.id]
        assert [handed(e) for e in ships] == [parcel], (
            f"`print_photos({order_id})` returned {parcel!r}. `ship` must run once after it, and "
            f"take that. It ran: {', '.join(e.call for e in ships) or 'not at all'}."
        )
        assert kata.app.AsyncResult(ships[0].id).get() == f"{parcel} is on its way"
    ran = Counter(e.task for e in timeline.started() if not e.eager)
    assert ran == {PRINT: 3, SHIP: 3}, f"Three orders were sent. There ran: {dict(ran)}."
    assert not calls, "All was printed, and `report_failure` was called."
    assert not reported, f"All was printed, and there are {len(reported)} incidents."


@pytest.mark.todo(2)
def test_a_failed_order_is_reported(
    kata, call, jams, celery_worker, timeline, settle, reported, calls, why_not_reported
):
    """When `print_photos` fails, one incident is added, `ship` does not run, the error stays."""
    orders, printed = [bad(), good()], good()
    orders += orders
    jams.add(orders[1])

    results = [call("print_order", order_id) for order_id in orders]
    alone = [kata.print_photos.delay(order_id) for order_id in (orders[0], orders[1], printed)]

    settle()
    for order_id, result in zip(orders, results, strict=True):
        error = result.get(propagate=False)
        assert repr(error) == error_of(order_id), (
            f"print_order({order_id}) must end with {error_of(order_id)}. It ended with {error!r}."
        )
        wrong = reported.fault(result.id, error_of(order_id), result.traceback)
        assert not wrong, why_not_reported(*results) or f"print_order({order_id}) failed.\n{wrong}"
    for result in alone:
        assert result.id not in [each["id"] for each in reported], (
            "Somebody else sent `print_photos` without callbacks, and it was reported all the "
            "same. Leave the task as it is: the callbacks go with the message."
        )
    assert len(reported) == len(calls) == len(orders), (
        f"{len(orders)} orders failed. `report_failure` was called {len(calls)} times, and there "
        f"are {len(reported)} incidents."
    )
    ships = [e.call for e in timeline.sent(SHIP)]
    assert not ships, f"Nothing was printed that has to be shipped. `ship` was sent: {ships}."


@pytest.mark.todo(3)
def test_print_batch_sends_one_group(call, timeline):
    """Each call of `print_batch` sends `print_photos` for each order, as one group, at once."""
    many, one = [good(), bad(), good(), bad()], [good()]
    many.append(many[0])
    batches = [many, one, many, []]

    results = [call("print_batch", list(batches[0]))]
    results += [call("print_batch", order_ids=list(batch)) for batch in batches[1:]]

    for batch, result in zip(batches, results, strict=True):
        assert not any(each.parent for each in result.results), (
            "The results of `print_batch` are those of `ship`, the last task of each chain. They "
            "must be those of `print_photos`: link `ship`."
        )
        members = [e for e in timeline.sent() if e.group_id == result.id]
        sent = [(e.task, handed(e)) for e in members]
        assert sent == [(PRINT, order_id) for order_id in batch], (
            f"`print_batch({batch})` returned a group with the messages\n"
            f"{', '.join(e.call for e in members) or 'none'}\nIt must be a group of "
            "`print_photos`, one for each order, in their order. No worker runs yet."
        )
        assert [each.id for each in result.results] == [e.id for e in members], (
            "The results of `print_batch` must be those of `print_photos`, in the order of the ids."
        )
    ids = [result.id for result in results]
    assert len({*ids}) == len(ids), f"Two batches have one id: {ids}. Each call makes a new group."
    sent, expected = [e.call for e in timeline.sent()], sum(map(len, batches))
    assert len(sent) == expected, f"{expected} orders made {len(sent)} messages: {sent}."


@pytest.mark.todo(3)
@pytest.mark.worker(concurrency=2)
@pytest.mark.parametrize("batch", ["x", "++", "-x", "x+", "+-x+-", ""])
def test_each_order_goes_its_own_way(
    call, jams, celery_worker, timeline, settle, reported, calls, why_not_reported, batch
):
    """One incident for each order that fails, and for no other. All others are shipped."""
    order_ids = [bad() if each == "-" else good() for each in batch]
    jams.update(order_id for order_id, each in zip(order_ids, batch, strict=True) if each == "x")
    order_ids += order_ids[:2]

    result = call("print_batch", order_ids)

    settle()
    failed, parcels = [], []
    for order_id, each in zip(order_ids, result.results, strict=True):
        end = each.get(propagate=False)
        if order_id < 1 or order_id in jams:
            assert repr(end) == error_of(order_id), (
                f"Order {order_id} must end with {error_of(order_id)}. It ended with {end!r}."
            )
            failed.append((order_id, each))
        else:
            assert not isinstance(end, Exception), (
                f"Order {order_id} was printed, and ended with {end!r}: its callback could "
                "not be sent.\nThe `link` of a group hands over nothing."
            )
            parcels.append((each.id, end))
    for order_id, each in failed:
        wrong = reported.fault(each.id, error_of(order_id), each.traceback)
        assert not wrong, (
            why_not_reported(*(result for _, result in failed))
            or f"Order {order_id} of print_batch({order_ids}) failed.\n{wrong}"
        )
    assert len(calls) == len(reported) == len(failed), (
        f"{len(failed)} orders failed. `report_failure` was called {len(calls)} times, and there "
        f"are {len(reported)} incidents."
    )
    shipped = [(e.parent_id, handed(e)) for e in timeline.started(SHIP)]
    assert sorted(map(repr, shipped)) == sorted(map(repr, parcels)), (
        "`ship` must run after each order that was printed, and take its parcel.\n"
        f"Printed: {[parcel for _, parcel in parcels]}\nShipped: {[p for _, p in shipped]}"
    )


@pytest.mark.parametrize("name", EACH)
def test_nobody_waits(call, start_worker, timeline, settle, naps, name):
    """The function returns at once, and no function and no task waits for a result."""
    orders = [good(), bad()]

    for wanted in [orders] if name == "print_batch" else orders:
        call(name, wanted)  # no worker runs: a wait fails, in the line that waits

    start_worker()
    settle()
    ran = [e.task for e in timeline.started() if not e.eager]
    assert ran.count(PRINT) == 2, f"Two orders made {ran.count(PRINT)} runs of `print_photos`."
    for wait in timeline.waits():
        task = next((e.task for e in timeline.started() if e.id == wait.reader), name)
        pytest.fail(f"`{task}` waited for a result. Callbacks need nobody to wait.")
    assert not naps, f"`time.sleep` was called, for {naps} seconds. Nobody must sleep."
