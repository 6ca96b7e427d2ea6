"""Waiting ends: with the result, or as soon as it is certain that none can come."""

from __future__ import annotations

from textwrap import dedent

import pytest

from dojo.evidence.timeline import Event, Timeline
from dojo.evidence.waiting import Watch
from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

MORE_TASKS = (
    TASKS
    + """
from celery.exceptions import Ignore
from celery.result import AsyncResult, allow_join_result


@app.task
def fail(*_):
    raise ValueError("broken")


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def wait_for(task_id):
    with allow_join_result():
        return AsyncResult(task_id, app=app).get()


@app.task
def send_and_wait():
    with allow_join_result():
        return add.delay(1, 2).get()


@app.task
def forbidden():
    return add.delay(1, 2).get()


@app.task
def ignored():
    raise Ignore()


@app.task(ignore_result=True)
def quiet():
    return 1


@app.task
def leave():
    raise SystemExit(1)


def send_and_poll():
    result = add.delay(1, 2)
    while not result.ready():
        pass
    return result.result
"""
)
IMPORTS = """
import pytest
from re import escape
from celery import chain, group
from celery.result import AsyncResult


def never(call, why):
    said = f"for the result of {call}. It can never come.\\n{why}"
    return pytest.raises(AssertionError, match=escape(said))
"""


def passes(workshop: Workshop, count: int, tests: str) -> None:
    """Run these tests, which must pass. One that waits in vain fails by the hang guard."""
    workshop.kata(IMPORTS + dedent(tests), MORE_TASKS)
    workshop.passes(count)


def test_there_is_no_worker(workshop: Workshop) -> None:
    """Without a worker every way to wait ends, and says that nobody reads the queue."""
    passes(
        workshop,
        4,
        """
        NO_WORKER = "tasks.add(1, 2) waits in queue 'celery', and no worker is running."

        def test_get(kata):
            with never("tasks.add(1, 2)", NO_WORKER):
                kata.add.delay(1, 2).get()

        def test_polling(kata):
            with never("tasks.add(1, 2)", NO_WORKER):
                kata.send_and_poll()

        def test_join(kata):
            with never("tasks.add(1, 2)", NO_WORKER):
                group(kata.add.s(1, 2), kata.add.s(1, 2)).delay().get()

        def test_a_made_up_id(kata):
            with pytest.raises(AssertionError, match="no message with its id was sent"):
                AsyncResult("made-up", app=kata.app).get()
        """,
    )


def test_the_worker_reads_other_queues(workshop: Workshop) -> None:
    """A message in a queue that nobody reads is told together with the queues that are read."""
    passes(
        workshop,
        3,
        """
        @pytest.mark.worker(queues="mail")
        def test_one_queue(kata, celery_worker):
            with never("tasks.add(1, 2)", "tasks.add(1, 2) waits in queue 'celery'; "
                       "the worker reads only 'mail'."):
                kata.add.delay(1, 2).get()

        @pytest.mark.worker(queues="sms,mail")
        def test_two_queues(kata, celery_worker):
            with never("tasks.add(1, 2)", "tasks.add(1, 2) waits in queue 'celery'; "
                       "the worker reads only 'mail', 'sms'."):
                kata.add.delay(1, 2).get()

        @pytest.mark.worker(queues="sms,mail")
        def test_the_right_queue(kata, celery_worker):
            assert kata.add.apply_async((1, 2), queue="mail").get() == 3
        """,
    )


def test_tasks_that_wait(workshop: Workshop) -> None:
    """A task that waits for a task ends too, when all places of the worker are taken."""
    passes(
        workshop,
        4,
        """
        NO_ROOM = "tasks.add(1, 2) waits in queue 'celery' for a free place in the worker."

        def test_in_the_only_place(kata, celery_worker):
            with pytest.raises(AssertionError, match="waits inside the worker") as caught:
                kata.send_and_wait.delay().get()
            assert NO_ROOM in str(caught.value)

        @pytest.mark.worker(concurrency=3)
        def test_in_all_places(kata, celery_worker, timeline, hold):
            hold("tasks.send_and_wait", until=lambda: len(timeline.started()) == 3)
            results = [kata.send_and_wait.delay() for _ in range(3)]
            with pytest.raises(AssertionError, match="waits inside the worker"):
                [result.get() for result in results]

        @pytest.mark.worker(concurrency=4)
        def test_for_each_other(kata, celery_worker):
            one = kata.wait_for.apply_async(("two",), task_id="one")
            kata.wait_for.apply_async(("one",), task_id="two")
            with pytest.raises(AssertionError, match="waits inside the worker"):
                one.get()

        @pytest.mark.worker(concurrency=2)
        def test_as_in_the_prefork_pool(kata, celery_worker):
            with pytest.raises(RuntimeError, match="Never call result.get"):
                kata.forbidden.delay().get()
        """,
    )


def test_tasks_that_leave_no_result(workshop: Workshop) -> None:
    """Waiting ends when the task has run, or was refused, and left nothing to wait for."""
    passes(
        workshop,
        4,
        """
        def test_it_is_ignored(kata, celery_worker):
            with never("tasks.ignored()", "tasks.ignored() raised Ignore, as `replace` does"):
                kata.ignored.delay().get()

        def test_results_are_off(kata, celery_worker):
            with never("tasks.quiet()", "Nothing is queued and nothing runs."):
                AsyncResult(kata.quiet.delay().id, app=kata.app).get()

        def test_it_is_unknown(kata, celery_worker):
            with pytest.raises(kata.app.tasks.NotRegistered, match="tasks.ad"):
                kata.app.send_task("tasks.ad", (1, 2)).get()

        def test_it_ends_the_worker(kata, celery_worker):
            kata.leave.delay()
            with never("tasks.add(1, 2)", "tasks.leave() called sys.exit() or the like. That "
                       "ends the worker, and not only the task.\\nThe worker has ended.\\n"
                       "tasks.add(1, 2) waits in queue 'celery', and no worker is running."):
                kata.add.delay(1, 2).get()
        """,
    )


def test_a_message_that_is_delivered_again() -> None:
    """A message that a worker takes a second time is open a second time."""
    timeline = Timeline()
    watch = Watch(timeline)
    open_after = []
    for kind in ("sent", "received", "started", "finished", "received", "started", "finished"):
        timeline.record(Event(kind, "tasks.add", "the id", published=True))
        open_after.append(len(watch.open_messages()))
    assert open_after == [1, 1, 1, 0, 1, 1, 0]


def test_the_last_events_come_after_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery stores a result first, and then says that the task has ended: that is waited for."""
    timeline = Timeline()
    timeline.record(Event("sent", "tasks.add", "1", published=True))
    timeline.record(Event("started", "tasks.add", "1", worker="worker@kata"))
    looks = iter(range(3))

    def wait(*_: object) -> None:
        if next(looks, None) is None and timeline.events()[-1].kind == "started":
            timeline.record(Event("finished", "tasks.add", "1", state="SUCCESS"))

    monkeypatch.setattr(timeline, "wait", wait)
    watch = Watch(timeline)
    watch.ended({"2"})
    assert timeline.events()[-1].kind == "started"
    watch.ended({"1"})
    assert timeline.events()[-1].kind == "finished"


def test_settle(workshop: Workshop) -> None:
    """settle() returns when all is done that a worker can do, and not before."""
    passes(
        workshop,
        4,
        """
        @pytest.mark.worker(concurrency=2)
        def test_all_is_done(kata, celery_worker, timeline, settle):
            for n in range(10):
                chain(kata.add.s(n, n), kata.add.s(1)).delay()
            settle()
            assert len(timeline.succeeded()) == len(timeline.events("finished")) == 20

        def test_what_nobody_reads(kata, celery_worker, timeline, settle, queue_size):
            kata.add.apply_async((1, 2), queue="mail")
            kata.add.delay(1, 2)
            settle()
            assert [event.queue for event in timeline.sent()] == ["mail", "celery"]
            assert len(timeline.started()) == queue_size("mail") == 1

        def test_no_worker(kata, settle, queue_size):
            kata.add.delay(1, 2)
            settle()
            assert queue_size("celery") == 1

        def test_failures(kata, celery_worker, timeline, settle):
            kata.fail.delay()
            kata.app.send_task("tasks.ad")
            settle()
            assert len(timeline.failed()) == len(timeline.events("unknown")) == 1
        """,
    )


def test_hold(workshop: Workshop) -> None:
    """hold() lets tasks meet, and lets them go when they never can."""
    passes(
        workshop,
        4,
        """
        @pytest.mark.worker(concurrency=2)
        def test_two_meet(kata, celery_worker, timeline, hold, settle):
            hold("tasks.add", until=lambda: len(timeline.started()) == 2)
            results = [kata.add.delay(1, n) for n in range(2)]
            assert [result.get() for result in results] == [1, 2]
            settle()
            assert [e.kind for e in timeline.events() if e.kind in ("started", "succeeded")] == [
                "started", "started", "succeeded", "succeeded"
            ]

        def test_a_sequence_cannot_meet(kata, celery_worker, timeline, hold):
            hold("tasks.add", until=lambda: len(timeline.started()) == 2)
            assert chain(kata.add.s(1, 1), kata.add.s(1)).delay().get() == 3
            assert timeline.in_order(timeline.succeeded()[:1], timeline.started()[1:])

        @pytest.mark.worker(concurrency=2)
        def test_three_cannot_meet_in_two_places(kata, celery_worker, timeline, hold):
            hold("tasks.add", until=lambda: len(timeline.started()) == 3)
            assert group(kata.add.s(1, n) for n in range(3)).delay().get() == [1, 2, 3]
            assert timeline.in_order(timeline.succeeded()[:1], timeline.started()[2:])

        @pytest.mark.worker(concurrency=2)
        def test_only_the_first_of_the_name(kata, celery_worker, timeline, hold, settle):
            hold("tasks.add", first=1, until=lambda: len(timeline.succeeded()) == 3)
            kata.total.delay([1]).get()
            results = [kata.add.delay(1, n) for n in range(3)]
            assert [result.get() for result in results] == [1, 2, 3]
            settle()
            ran, ended = timeline.started("tasks.add"), timeline.succeeded("tasks.add")
            assert ran[0].id == ended[-1].id
        """,
    )
