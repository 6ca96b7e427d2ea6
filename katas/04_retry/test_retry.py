"""Tests of kata 04. Each docstring is one requirement."""

import contextlib
import random

import pytest

pytestmark = pytest.mark.usefixtures("naps")

DELAYS = {
    "charge": [1, 2, 4],
    "refund": [5, 5, 5, 5, 5],
    "capture": [1, 2, 4, 8, 16, 32, 60, 60],
}
MANY = 20  # time-outs: more than any task may meet, and yet an end for one that never gives up

TASKS = [pytest.param(name, marks=pytest.mark.todo(n)) for n, name in enumerate(DELAYS, 1)]
each_task = pytest.mark.parametrize("name", TASKS)


def some_receipt():
    return f"receipt-{random.randint(1000, 9999)}"


def some_order(name):
    """Arguments for the task of that name."""
    order_id, cents = random.randint(1, 10**6), random.randint(100, 9999)
    return (order_id, cents) if name == "charge" else (order_id,)


def timeouts(gateway, count):
    seconds = random.randint(5, 30)
    return [gateway.GatewayTimeout(f"no answer within {seconds} s") for _ in range(count)]


def task_of(kata, name):
    """The task of that name. One that is not written yet says which TODO it is."""
    found = getattr(kata, name)
    if not hasattr(found, "delay"):
        with contextlib.suppress(TypeError):
            found(*some_order(name))
        pytest.fail(f"`{name}` is not a task of `app`.")
    return found


def described(error):
    return f"{type(error).__name__}: {error}" if error else "no error"


def error_of(function, *args):
    """The error that `function(*args)` ends with, or None."""
    try:
        function(*args)
    except (AssertionError, NotImplementedError):
        raise
    except Exception as error:
        return error
    return None


@each_task
def test_it_returns_the_answer_of_the_gateway(kata, gateway, eager, name):
    """`charge`, `refund` and `capture` are tasks, and return what the gateway answers."""
    order, receipt = some_order(name), some_receipt()
    gateway.answers = [receipt]

    assert task_of(kata, name).delay(*order).get() == receipt
    assert gateway.calls == [(name, *order)], (
        f"Expected one call of the gateway: {(name, *order)}. It saw {gateway.calls}."
    )


@each_task
def test_a_direct_call_raises(kata, gateway, eager, name):
    """Called as a function, without Celery, a task raises the error of the gateway at once."""
    timeout = gateway.GatewayTimeout("no answer")
    gateway.answers = [timeout]

    error = error_of(getattr(kata, name), *some_order(name))

    assert type(error) is gateway.GatewayTimeout, (
        f"`{name}` was called as a function, and the gateway raised {timeout!r}. "
        f"Expected the error of the gateway, saw {described(error)}."
    )
    calls = len(gateway.calls)
    assert calls == 1, f"A direct call asks the gateway once. Calls of the gateway: {calls}."


@each_task
def test_it_tries_again(kata, gateway, celery_worker, skip_countdowns, settle, name):
    """When the gateway does not answer, a task asks it again, and returns the answer."""
    order, receipt, failures = some_order(name), some_receipt(), random.randint(2, 3)
    gateway.answers = [*timeouts(gateway, failures), receipt]

    answer = task_of(kata, name).delay(*order).get()

    assert answer == receipt, (
        f"The gateway failed {failures} times, and then answered {receipt!r}. "
        f"Expected that as the result of `{name}`, saw {answer!r}."
    )
    settle()
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

    task_of(kata, name).delay(*some_order(name))
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
def test_the_delays(kata, gateway, celery_worker, skip_countdowns, timeline, settle, name):
    """`charge` waits 1, 2, 4 s; `refund` 5 s each time; `capture` 1, 2, 4 … up to 60 s."""
    gateway.answers = timeouts(gateway, 2 * MANY)

    results = [task_of(kata, name).delay(*some_order(name)) for _ in range(2)]
    settle()

    for result in results:
        _, *retries = [e.countdown for e in timeline.sent() if e.id == result.id]
        delays = retries[: len(DELAYS[name])]
        assert delays == DELAYS[name], (
            f"Two orders got no answer. Expected retries of `{name}` after {DELAYS[name]} "
            f"seconds. The retries of one order asked for {delays} seconds."
        )


@each_task
def test_a_retry_is_the_same_task(
    kata, gateway, celery_worker, skip_countdowns, timeline, settle, name
):
    """A retry keeps the id and the arguments of the task, and counts its retries."""
    order = some_order(name)
    gateway.answers = [*timeouts(gateway, 3), some_receipt()]

    result = task_of(kata, name).delay(*order)
    settle()

    sent = timeline.sent()
    assert {e.id for e in sent} == {result.id}, (
        f"{len(sent)} messages have {len({e.id for e in sent})} different ids. A retry keeps "
        "the same id: the caller asks for the result by the id that it knows."
    )
    assert [e.args for e in timeline.started()] == [order] * 4, (
        f"Expected 4 runs as {sent[0].call}. It ran as {[e.call for e in timeline.started()]}."
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
def test_it_gives_up(kata, gateway, celery_worker, skip_countdowns, settle, name):
    """When no retry is left, the task fails, and the caller gets the error of the gateway."""
    gateway.answers = timeouts(gateway, MANY)
    most = len(DELAYS[name])

    result = task_of(kata, name).delay(*some_order(name))
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
    assert type(error) is gateway.GatewayTimeout, (
        "`GatewayTimeout` was raised, and no retry was left. "
        f"Expected the error of the gateway, saw {described(error)}."
    )


@each_task
def test_other_errors_are_not_retried(kata, gateway, celery_worker, skip_countdowns, settle, name):
    """Only `GatewayTimeout` is retried. `CardDeclined`, and any other error, ends the task."""
    declined = gateway.CardDeclined(f"card {random.randint(1000, 9999)} is blocked")
    defect = ValueError(f"order {random.randint(1000, 9999)} is not known")
    for error in (declined, defect):
        gateway.calls.clear()
        gateway.answers = [*timeouts(gateway, 1), error, *timeouts(gateway, MANY)]

        result = task_of(kata, name).delay(*some_order(name))
        settle()

        calls = len(gateway.calls)
        assert calls == 2, (
            f"The gateway raised GatewayTimeout, and then {error!r}. Expected 2 calls, "
            f"and no retry after the second. Calls of the gateway: {calls}."
        )
        got = error_of(result.get)
        assert type(got) is type(error), (
            f"The gateway raised {error!r}. Expected that error, saw {described(got)}. "
            f"The state is {result.state}."
        )


@pytest.mark.parametrize("name", TASKS[1:])
def test_the_retries_are_declared(kata, gateway, eager, name):
    """`refund` and `capture` have no code for their retries. The decorator declares them."""
    declared = getattr(task_of(kata, name), "autoretry_for", ())
    assert declared, f"`{name}` has no `autoretry_for`. Name the error to retry there."
