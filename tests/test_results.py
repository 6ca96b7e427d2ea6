"""get() returns what comes, or raises it: it never says "never" too early."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

MORE_TASKS = (
    TASKS
    + """
from celery.exceptions import Reject
from celery.result import allow_join_result


@app.task
def fail(*_):
    raise ValueError("broken")


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def send_and_wait():
    with allow_join_result():
        return add.delay(1, 2).get()


@app.task(bind=True, acks_late=True)
def second_time(self):
    if not self.request.delivery_info["redelivered"]:
        raise Reject(requeue=True)
    return "done"


@app.task
def store_silently(task_id):
    meta = {"status": "SUCCESS", "result": 5, "task_id": task_id, "traceback": None, "children": []}
    key = app.backend.get_key_for_task(task_id)
    app.backend.client.set(key, app.backend.encode(meta))


def send_and_poll():
    result = add.delay(1, 2)
    while not result.ready():
        pass
    return result.result
"""
)
IMPORTS = """
import pytest
from celery import chain, chord, group
from celery.exceptions import ChordError
from celery.result import AsyncResult
"""


def passes(workshop: Workshop, count: int, tests: str) -> None:
    """Run these tests, which must pass. One that waits in vain fails by the hang guard."""
    workshop.kata(IMPORTS + dedent(tests), MORE_TASKS)
    workshop.passes(count)


def test_results_that_come(workshop: Workshop) -> None:
    """get() returns every kind of result, and one that was stored before anybody waited."""
    passes(
        workshop,
        11,
        """
        def test_stored_before(kata, celery_worker, settle):
            result = kata.add.delay(1, 2)
            settle()
            assert result.get() == 3
            assert AsyncResult(result.id, app=kata.app).get() == 3

        def test_one_after_the_other(kata, celery_worker):
            assert [kata.add.delay(n, n).get() for n in range(20)] == list(range(0, 40, 2))

        def test_group(kata, celery_worker):
            assert group(kata.add.s(n, 1) for n in range(5)).delay().get() == [1, 2, 3, 4, 5]

        def test_nested_groups(kata, celery_worker):
            inner = chain(kata.add.s(1, 1), group(kata.add.s(1), kata.add.s(2)))
            assert group(inner, kata.add.s(7, 7)).delay().get() == [[3, 4], 14]

        def test_empty_group(kata, celery_worker):
            assert group([]).delay().get() == []

        @pytest.mark.worker(concurrency=3)
        def test_chord(kata, celery_worker):
            assert chord(kata.add.s(n, 1) for n in range(8))(kata.total.s()).get() == 36

        @pytest.mark.worker(concurrency=2)
        def test_header_of_a_chord(kata, celery_worker, hold, timeline):
            hold("tasks.add", first=1, until=lambda: len(timeline.succeeded("tasks.add")) == 3)
            header = chord([kata.add.s(n, 1) for n in range(4)])(kata.total.s()).parent
            assert header.get() == [1, 2, 3, 4]

        def test_chain_after_a_chord(kata, celery_worker):
            header = group(kata.add.s(n, 1) for n in range(3))
            assert chain(header, kata.total.s(), kata.add.s(100)).delay().get() == 106

        @pytest.mark.worker(concurrency=2)
        def test_a_task_that_waits_with_room(kata, celery_worker):
            assert kata.send_and_wait.delay().get() == 3

        def test_polling(kata, celery_worker):
            assert kata.send_and_poll() == 3

        def test_back_to_the_queue(kata, celery_worker):
            assert kata.second_time.delay().get() == "done"
        """,
    )


def test_a_result_that_is_not_announced(workshop: Workshop) -> None:
    """get() finds a result of which Celery missed the announcement, as it does now and then."""
    passes(
        workshop,
        1,
        """
        def test_it(kata, celery_worker, hold):
            subscribed = lambda: kata.app.backend.result_consumer.subscribed_to
            hold("tasks.store_silently", until=lambda: any(b"silent" in k for k in subscribed()))
            kata.store_silently.delay("silent")
            assert AsyncResult("silent", app=kata.app).get() == 5
        """,
    )


def test_errors_that_come(workshop: Workshop) -> None:
    """get() raises the error of a task, of its chain, its group or its chord."""
    passes(
        workshop,
        6,
        """
        def test_task(kata, celery_worker):
            with pytest.raises(ValueError, match="broken"):
                kata.fail.delay().get()

        def test_chain(kata, celery_worker):
            with pytest.raises(ValueError, match="broken"):
                chain(kata.add.s(1, 1), kata.fail.s(), kata.add.s(1), kata.add.s(1)).delay().get()

        def test_group(kata, celery_worker):
            with pytest.raises(ValueError, match="broken"):
                group(kata.add.s(1, 1), kata.fail.s(), kata.add.s(1, 1)).delay().get()

        def test_chord(kata, celery_worker):
            with pytest.raises((ChordError, ValueError), match="broken"):
                chord([kata.add.s(1, 1), kata.fail.s()])(kata.total.s()).get()

        def test_chain_after_a_chord(kata, celery_worker):
            header = group(kata.add.s(1, 1), kata.fail.s())
            with pytest.raises((ChordError, ValueError), match="broken"):
                chain(header, kata.total.s(), kata.add.s(1)).delay().get()

        def test_without_raising(kata, celery_worker):
            assert isinstance(kata.fail.delay().get(propagate=False), ValueError)
        """,
    )


def test_nobody_runs_what_is_sent_past_eager_mode(workshop: Workshop) -> None:
    """`send_task` knows no eager mode. Who waits for its result is told so at once."""
    workshop.kata(
        """
        import pytest

        def test_it(kata, eager):
            with pytest.raises(AssertionError, match="no worker is running"):
                kata.app.send_task("tasks.add", (1, 2)).get()
        """
    )
    workshop.passes(1)
