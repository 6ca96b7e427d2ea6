"""Tests of kata 04. Each docstring is one requirement."""

import contextlib
import random

import pytest
from celery.exceptions import MaxRetriesExceededError, Retry

pytestmark = pytest.mark.usefixtures("naps")

DELAYS = {
    "charge": [1, 2, 4],
    "refund": [5, 5, 5, 5, 5],
    "capture": [1, 2, 4, 8, 16, 32, 60, 60],
}
SAME_ID = "A retry keeps the same id: the caller asks by the id that it knows."
MANY = 20  # time-outs: more than any task may meet, and yet an end for one that never gives up

TASKS = [pytest.param(name, marks=pytest.mark.todo(n)) for n, name in enumerate(DELAYS, 1)]
each_task = pytest.mark.parametrize("name", TASKS)


def some_receipt():
    return f"receipt-{random.randint(1000, 9999)}"


def some_order(name):
    """Arguments for the task of that name."""
    order_id, cents = random.randint(1, 10**6), random.randint(100, 9999)
    return (order_id, cents) if name == "charge" else (order_id,)


def by_name(order):
    """The same arguments, by keyword."""
    return dict(zip(("order_id", "cents"), order, strict=False))


def timeouts(gateway, count):
    seconds = random.randint(5, 30)
    return [gateway.GatewayTimeout(f"no answer within {seconds} s") for _ in range(count)]


def task_of(kata, name):
    """The task of that name. One that is not written yet says which TODO it is."""
    found = getattr(kata, name)
    if not hasattr(found, "delay"):
        with contextlib.suppress(TypeError, AttributeError, NameError):
            error_of(found, *some_order(name))
        raise AssertionError(f"`{name}` is a plain function, and not a task of `app`.")
    for error in getattr(found, "autoretry_for", ()):
        assert isinstance(error, type), (
            f"`autoretry_for` of `{name}` takes the error itself, and not its name: "
            "`(gateway.GatewayTimeout,)`."
        )
    return found


def send(kata, timeline, name, *args, **kwargs):
    """Send one message. A worker runs it; in the caller nothing could be retried later."""
    result = task_of(kata, name).delay(*args, **kwargs)
    assert any(e.id == result.id for e in timeline.sent()), (
        f"`{name}.delay(…)` sent no message: the task ran in the caller. A worker must run it. "
        "Is `task_always_eager` set?"
    )
    return result


def described(error):
    if error is None:
        return "no error"
    if isinstance(error, MaxRetriesExceededError):  # its text is long, and says no more
        return type(error).__name__
    return f"{type(error).__name__}: {str(error) or 'without a text'}"


def error_of(function, *args):
    """The error that `function(*args)` ends with, or None. A slip of the pen is raised."""
    try:
        function(*args)
    except (AssertionError, NotImplementedError, NameError, TypeError, AttributeError):
        raise
    except Exception as error:
        return error
    return None


def check_error(name, error, expected, when):
    same = type(error) is type(expected) and str(error) == str(expected)
    why = "\nHand the error to `self.retry` as `exc`." if isinstance(error, Retry) else ""
    assert same, (
        f"{when} Expected the error of the gateway as the error of `{name}`: "
        f"{described(expected)}. Saw {described(error)}.{why}"
    )


@each_task
def test_it_returns_the_answer_of_the_gateway(kata, gateway, eager, name):
    """`charge`, `refund` and `capture` are tasks, and return what the gateway answers."""
    order = some_order(name)
    for args, kwargs in ((order, {}), ((), by_name(order))):
        gateway.calls.clear()
        gateway.answers = [receipt := some_receipt()]
        answer = task_of(kata, name).delay(*args, **kwargs).get()
        assert answer == receipt, f"The gateway answered {receipt!r}. `{name}` returned {answer!r}."
        assert gateway.calls == [(name, *order)], (
            f"Expected one call of the gateway: {(name, *order)}. It saw {gateway.calls}."
        )


@each_task
def test_it_tries_again(kata, gateway, celery_worker, skip_countdowns, timeline, settle, name):
    """When the gateway does not answer, a task asks it again, and returns the answer."""
    order, receipt, failures = some_order(name), some_receipt(), random.randint(2, 3)
    gateway.answers = [*timeouts(gateway, failures), receipt]

    result = send(kata, timeline, name, *order)
    settle()

    failed = [e for e in timeline.failed() if e.error.startswith("GatewayTimeout")]
    assert not failed or len(gateway.calls) > 1, (
        f"`{name}` failed at the first GatewayTimeout, and was not retried. No `except` and no "
        "`autoretry_for` of it names `gateway.GatewayTimeout`."
    )
    several = len({e.id for e in timeline.sent()}) > 1
    why = f"\n`{name}` sent a new task, with an id of its own. {SAME_ID}" if several else ""
    answer = result.get()
    assert answer == receipt, (
        f"The gateway failed {failures} times, and then answered {receipt!r}. "
        f"Expected that as the result of `{name}`, saw {answer!r}.{why}"
    )
    assert gateway.calls == [(name, *order)] * (failures + 1), (
        f"The gateway failed {failures} times, and then answered. "
        f"Expected {failures + 1} equal calls. It saw {gateway.calls}."
    )


@each_task
def test_it_does_not_wait_in_the_worker(
    kata, gateway, celery_worker, skip_countdowns, timeline, settle, naps, name
):
    """A task asks the gateway once in each run, and leaves the waiting to Celery."""
    gateway.answers = [*timeouts(gateway, 3), some_receipt()]

    send(kata, timeline, name, *some_order(name))
    settle()

    assert not naps, (
        f"`{name}` called `time.sleep` in the worker, for {naps} seconds. "
        "A task that sleeps keeps its place in the worker. Nobody else can use it."
    )
    runs, calls = len(timeline.started()), len(gateway.calls)
    assert runs == calls, (
        f"`{name}` ran {runs} times, and called the gateway {calls} times. "
        "Expected one call in each run."
    )
    assert runs == 4, f"The gateway failed 3 times. Expected 4 runs of `{name}`, saw {runs}."


@each_task
def test_the_delays(
    kata, gateway, celery_worker, skip_countdowns, timeline, settle, check_delays, name
):
    """Each retry asks for the delay that is due, whatever went before."""
    order, longest = some_order(name), sum(DELAYS[name])

    def check(end, expected, *orders):
        gateway.answers = [*timeouts(gateway, 2), end] if end else timeouts(gateway, 3 * MANY)
        results = [send(kata, timeline, name, *args) for args in orders]
        settle()
        for result in results:
            check_delays(task_of(kata, name), name, result.id, expected, longest)

    check(None, DELAYS[name], order, some_order(name))
    # What went before must not matter: other tasks, the same order, and how it ended.
    for other in DELAYS:
        if other != name and hasattr(getattr(kata, other), "delay"):
            gateway.answers = timeouts(gateway, 2)
            with contextlib.suppress(Exception):  # it is not what this test is about
                getattr(kata, other).delay(*some_order(other))
            settle()
    check(some_receipt(), DELAYS[name][:2], order)
    check(gateway.CardDeclined("no"), DELAYS[name][:2], order)
    check(None, DELAYS[name], order, some_order(name), order)


@pytest.mark.parametrize("by_keyword", [False, True], ids=["by position", "by keyword"])
@each_task
def test_a_retry_is_the_same_task(
    kata, gateway, celery_worker, skip_countdowns, timeline, settle, name, by_keyword
):
    """A retry keeps the id and the arguments of the task, and counts its retries."""
    order = some_order(name)
    gateway.answers = [*timeouts(gateway, 3), some_receipt()]

    if by_keyword:
        result = send(kata, timeline, name, **by_name(order))
    else:
        result = send(kata, timeline, name, *order)
    settle()

    sent = timeline.sent()
    assert {e.id for e in sent} == {result.id}, (
        f"{len(sent)} messages have {len({e.id for e in sent})} different ids. {SAME_ID}"
    )
    runs = timeline.started()
    assert [[*e.args, *e.kwargs.values()] for e in runs] == [[*order]] * 4, (
        f"Expected 4 runs as {sent[0].call}. It ran as {[e.call for e in runs]}."
    )
    counted = [e.retries for e in timeline.started()]
    assert counted == [0, 1, 2, 3], (
        f"`self.request.retries` was {counted} in the four runs. Expected [0, 1, 2, 3]."
    )
    states = [e.state for e in timeline.events("finished")]
    assert states == ["RETRY", "RETRY", "RETRY", "SUCCESS"], (
        f"The gateway failed 3 times, and then answered. The runs ended as {states}. "
        "A run that will be retried must end as RETRY, or the caller is told something false."
    )


@each_task
def test_it_gives_up(kata, gateway, celery_worker, skip_countdowns, timeline, settle, name):
    """When no retry is left, the task fails, and the caller gets the error of the gateway."""
    gateway.answers = timeouts(gateway, MANY)
    most, last = len(DELAYS[name]), gateway.answers[0]

    result = send(kata, timeline, name, *some_order(name))
    settle()

    calls = len(gateway.calls)
    assert calls == most + 1, (
        f"The gateway never answered. Expected {most + 1} calls by `{name}`: the first try, "
        f"and {most} retries. Calls of the gateway: {calls}."
    )
    error = error_of(result.get)
    assert result.state == "FAILURE", (
        f"`{name}` got no answer, and yet its state is {result.state}. Expected FAILURE."
    )
    check_error(name, error, last, "No retry was left.")


@each_task
@pytest.mark.parametrize("first", [0, 1], ids=["at once", "in a retry"])
def test_other_errors_are_not_retried(
    kata, gateway, celery_worker, skip_countdowns, timeline, settle, name, first
):
    """Only `GatewayTimeout` is retried. `CardDeclined`, and any other error, ends the task."""
    number = random.randint(1000, 9999)
    others = (ValueError, KeyError, ConnectionError, TimeoutError, OSError)
    for kind in (gateway.CardDeclined, *others):
        error = kind(f"card {number} is blocked")
        gateway.calls.clear()
        gateway.answers = [*timeouts(gateway, first), error, *timeouts(gateway, MANY)]

        result = send(kata, timeline, name, *some_order(name))
        settle()

        calls = len(gateway.calls)
        when = f"The gateway raised {'GatewayTimeout, and then ' * first}{error!r}."
        assert calls <= first + 1, (
            f"`{name}` retried {kind.__name__}. Name only `gateway.GatewayTimeout`.\n{when} Then "
            f"it was asked {calls - first - 1} times more."
        )
        assert calls == first + 1, f"{when} Expected {first + 1} calls. It saw {calls}."
        check_error(name, error_of(result.get), error, f"{when} The state is {result.state}.")


@pytest.mark.parametrize("name", TASKS[1:])
def test_the_retries_are_declared(kata, gateway, eager, name):
    """`refund` and `capture` have no code for their retries: the decorator declares them, for
    this task only. `authorize` has none."""
    declared = getattr(task_of(kata, name), "autoretry_for", ())
    assert declared, f"`{name}` has no `autoretry_for`. Name the error to retry there."
    (timeout,) = timeouts(gateway, 1)
    gateway.answers = [timeout]

    error = error_of(kata.authorize.delay(7, 1250).get)

    assert len(gateway.calls) == 1, (
        "`authorize` is given, and is not retried. It called the gateway "
        f"{len(gateway.calls)} times. Declare the retries of `{name}` on `{name}` only."
    )
    check_error("authorize", error, timeout, "`authorize` is given.")


@each_task
def test_a_direct_call_raises(kata, gateway, eager, naps, name):
    """Called as a function, without Celery, a task raises the error of the gateway at once."""
    (timeout,) = timeouts(gateway, 1)
    gateway.answers = [timeout]

    error = error_of(task_of(kata, name), *some_order(name))

    check_error(name, error, timeout, f"`{name}` was called as a function.")
    calls = len(gateway.calls)
    assert calls == 1, f"A direct call asks the gateway once. Calls of the gateway: {calls}."
    assert not naps, f"`{name}` called `time.sleep` in a direct call, for {naps} seconds."
