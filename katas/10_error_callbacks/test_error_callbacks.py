"""Tests of kata 10. Each docstring is one requirement."""

import random
import uuid
from collections import Counter

import pytest
from celery import Task

pytestmark = pytest.mark.usefixtures("naps")

PRINT, SHIP = "tasks.print_photos", "tasks.ship"
NO_TASK = "`report_failure` is not a task of `app`. Put `@app.task` above it."
MUST_RAISE = "`print_photos` is given, and must raise its error: leave it as it is."
LAST = "It returned that of the last task of a chain. Send `print_photos` with `link`."
NO_GROUP = "The messages belong to no group. It must be a group of them: let `group([…])` send it."
EACH_MEMBER = "Give each member its own: `print_photos.s(…).set(link=…, link_error=…)`."
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
    for error, task in zip(errors, random.sample([PRINT, SHIP, SHIP], 3), strict=True):
        task_id = str(uuid.uuid4())
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
    assert len(calls) == 1, f"{why}\n`report_failure` was called {len(calls)} times, not once."
    assert not timeline.sent(kata.report_failure.name), why
    with pytest.raises(ValueError, match=f"there is no order {order_id}$"):
        result.get()
    failed, error = [e.error for e in timeline.failed(PRINT)], f"there is no order {order_id}"
    assert failed == [f"ValueError: {error}"], (
        f"{why}\nCelery tells of the failure once. It told {len(failed)} times."
    )
    wrong = "" if trouble else reported.fault(result.id, error_of(order_id), result.traceback)
    assert not wrong, f"`print_photos({order_id})` failed.\n{why}\n{wrong}"
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
    assert ids == wanted, f"The result must be that of `print_photos`.\n{LAST if chained else ''}"
    assert len({*ids}) == 4, f"Four calls share ids: {ids}. Each makes a new one: no `task_id`."


@pytest.mark.todo(2)
def test_a_printed_order_is_shipped(
    kata, call, celery_worker, timeline, settle, reported, calls, options
):
    """When `print_photos` succeeds, `ship` runs once, as a task, and takes what it returned."""
    orders = [good(), good()]
    orders.append(orders[0])

    results = [call("print_order", orders[0])]
    assert getattr(kata.report_failure, "name", "") not in options.linked("link"), (
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
            f"Order {order_id} was printed, and ended with {parcel!r}: `ship` could not be sent."
        )
        ships = [e for e in timeline.started(SHIP) if e.parent_id == result.id]
        assert [handed(e) for e in ships] == [parcel], (
            f"`print_photos({order_id})` returned {parcel!r}. `ship` must run once after it, and "
            f"take that. It ran: {', '.join(e.call for e in ships) or 'not at all'}.\n"
            + ("" if options.linked("link") else "`print_photos` was sent without `link`.")
            + ("Make a new signature in each call." if len(ships) > 1 else "")
        )
        assert kata.app.AsyncResult(ships[0].id).get() == f"{parcel} is on its way"
    ran = Counter(e.task for e in timeline.started() if not e.eager)
    assert ran == {PRINT: 3, SHIP: 3}, f"Three orders were sent. There ran: {dict(ran)}."
    assert not calls, "All was printed, and `report_failure` was called."
    assert not reported, f"All was printed, and there are {len(reported)} incidents."


@pytest.mark.todo(2)
def test_a_failed_order_is_reported(
    kata, call, jams, celery_worker, timeline, settle, reported, calls, options, why_not_reported
):
    """When `print_photos` fails, one incident is added, `ship` does not run, the error stays."""
    orders, printed = [bad(), good()] * 2, good()
    jams.add(orders[1])

    results = [call("print_order", order_id) for order_id in orders]
    alone = [kata.print_photos.delay(order_id) for order_id in (orders[0], orders[1], printed)]

    settle()
    for order_id, result in zip(orders, results, strict=True):
        error = result.get(propagate=False)
        assert repr(error) == error_of(order_id), (
            f"print_order({order_id}) must end with {error_of(order_id)}. It ended with {error!r}."
            + ("" if isinstance(error, Exception) else f"\n{MUST_RAISE}")
        )
        wrong = reported.fault(result.id, error_of(order_id), result.traceback)
        assert not wrong, f"{why_not_reported(*results)}\n{wrong}"
    for result in alone:
        assert result.id not in [each["id"] for each in reported], (
            "Somebody else sent `print_photos` without callbacks, and it was reported all the "
            "same: by a signal, or in the task itself. Only `link_error` may report."
        )
    assert len(reported) == len(calls) == len(orders), (
        f"{len(orders)} failed: {len(calls)} calls of `report_failure`, {len(reported)} incidents."
    )
    ships = [e.call for e in timeline.sent(SHIP)]
    assert not ships, f"Nothing was printed that has to be shipped. `ship` was sent: {ships}." + (
        "\nIt is in `link_error`, too: leave it out there."
        if SHIP in options.linked("link_error")
        else ""
    )


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
            "The results are those of the last task of each chain, not of `print_photos`: `link`."
        )
        members = [e for e in timeline.sent() if e.group_id == result.id]
        sent = [(e.task, handed(e)) for e in members]
        alone = {e.id for e in timeline.sent() if not e.group_id}
        assert alone.isdisjoint(each.id for each in result.results), NO_GROUP
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
    call, jams, celery_worker, timeline, settle, reported, calls, options, why_not_reported, batch
):
    """One incident for each order that fails, and for no other. All others are shipped."""
    order_ids = [bad() if each == "-" else good() for each in batch]
    jams.update(order_id for order_id, each in zip(order_ids, batch, strict=True) if each == "x")
    order_ids += order_ids[:2]

    result = call("print_batch", order_ids)

    settle()
    failed, parcels, orders = [], [], {e.id: handed(e) for e in timeline.sent(PRINT)}
    for n, (order_id, each) in enumerate(zip(order_ids, result.results, strict=True), 1):
        printed = orders.get(each.id, order_id)
        assert printed == order_id, (
            f"print_batch({order_ids}): the results are not in the order of `order_ids`. "
            f"Result {n} is that of print_photos({printed})."
        )
        end = each.get(propagate=False)
        if order_id < 1 or order_id in jams:
            assert repr(end) == error_of(order_id), (
                f"Order {order_id} must end with {error_of(order_id)}. It ended with {end!r}."
            )
            failed.append((order_id, each))
        else:
            assert not isinstance(end, Exception), (
                f"Order {order_id} was printed, and ended with {end!r}: its callback could "
                f"not be sent.\nThe `link` of a group hands over nothing. {EACH_MEMBER}"
            )
            parcels.append((each.id, end))
    for order_id, each in failed:
        wrong = reported.fault(each.id, error_of(order_id), each.traceback)
        assert not wrong, f"{why_not_reported(*(result for _, result in failed))}\n{wrong}"
    assert len(reported) == len(calls) == len(failed), (
        f"{len(failed)} failed: {len(calls)} calls of `report_failure`, {len(reported)} incidents."
    )
    shipped = [(e.parent_id, handed(e)) for e in timeline.started(SHIP)]
    assert sorted(map(repr, shipped)) == sorted(map(repr, parcels)), (
        "`ship` must run after each order that was printed, and take its parcel.\n"
        f"Printed: {[parcel for _, parcel in parcels]}\nShipped: {[p for _, p in shipped]}"
        + ("" if options.linked("link") else f"\n`link` is missing. {EACH_MEMBER}")
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
    assert not naps, f"`time.sleep` was called, for {naps[0]} seconds. Nobody must sleep."
