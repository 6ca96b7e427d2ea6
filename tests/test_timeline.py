"""The timeline tells what Celery did, and only that."""

from __future__ import annotations

import pytest

from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

MORE_TASKS = (
    TASKS
    + """

@app.task
def fail(text):
    raise ValueError(text)


@app.task(bind=True, max_retries=2)
def flaky(self):
    if self.request.retries < 2:
        raise self.retry(exc=OSError("not yet"), countdown=0)
    return self.request.retries


@app.task
def order():
    return add.delay(1, 1).id


def add_and_get():
    return add.delay(1, 2).get()


def add_and_look():
    result = add.delay(1, 2)
    return result.ready(), result.state, result.ready()


def add_and_poll():
    result = add.delay(1, 2)
    while not result.ready():
        pass


def add_in_a_group():
    from celery import group

    return group(add.s(n, 1) for n in range(3)).delay().join()
"""
)


def test_what_happened_and_in_which_order(workshop: Workshop) -> None:
    """Messages, runs and ends are told in their order, with what belongs to each."""
    workshop.kata(
        """
        import pytest
        from celery import chain

        def kinds(timeline):
            return [e.kind for e in timeline.events()]

        def test_one_task(kata, celery_worker, timeline, settle):
            result = kata.add.apply_async((1,), {"y": 2}, queue="celery", priority=3)
            settle()
            assert kinds(timeline) == ["sent", "received", "started", "succeeded", "finished"]
            assert {e.id for e in timeline.events()} == {result.id}
            assert {e.task for e in timeline.events()} == {"tasks.add"}
            (sent,), (started,) = timeline.sent(), timeline.started()
            assert (sent.args, sent.kwargs) == (started.args, started.kwargs) == ((1,), {"y": 2})
            assert (sent.queue, sent.priority) == ("celery", 3)
            assert sent.call == started.call == "tasks.add(1, y=2)"
            assert sent.worker is None
            assert started.worker == celery_worker.hostname

        def test_parents(kata, celery_worker, timeline, settle):
            result = chain(kata.add.s(1, 1), kata.add.s(1), kata.add.s(1)).delay()
            assert result.get() == 4
            settle()
            first, second, third = timeline.started("tasks.add")
            assert [e.parent_id for e in (first, second, third)] == [None, first.id, second.id]
            assert {e.root_id for e in timeline.events() if e.kind != "received"} == {first.id}
            assert third.id == result.id
            assert [e.id for e in timeline.sent()] == [first.id, second.id, third.id]

        def test_who_sent_it(kata, celery_worker, timeline, settle):
            order = kata.order.delay()
            settle()
            (sent,) = timeline.sent("tasks.add")
            assert sent.worker == celery_worker.hostname
            assert sent.parent_id == order.id

        def test_a_retry_keeps_its_id(kata, celery_worker, timeline, settle):
            result = kata.flaky.delay()
            assert result.get() == 2
            settle()
            assert [e.retries for e in timeline.sent()] == [0, 1, 2]
            assert [e.retries for e in timeline.started()] == [0, 1, 2]
            why = "Retry: Retry in 0s: OSError('not yet')"
            assert [e.error for e in timeline.retried()] == [why, why]
            assert {e.id for e in timeline.events()} == {result.id}

        def test_a_failure_says_why(kata, celery_worker, timeline, settle):
            kata.fail.delay("broken")
            settle()
            assert [e.error for e in timeline.failed("tasks.fail")] == ["ValueError: broken"]
            assert not timeline.succeeded()

        def test_an_unknown_task(kata, celery_worker, timeline, settle):
            result = kata.app.send_task("tasks.ad", (1, 2))
            settle()
            assert [(e.task, e.id) for e in timeline.events("unknown")] == [("tasks.ad", result.id)]

        def test_an_expired_task(kata, celery_worker, timeline, settle):
            kata.add.apply_async((1, 2), expires=-10)
            settle()
            assert [e.error for e in timeline.events("revoked")] == ["it expired"]
            assert not timeline.started()
        """,
        MORE_TASKS,
    )
    workshop.passes(7)


def test_what_did_not_happen(workshop: Workshop) -> None:
    """What was not sent, or not run by a worker, does not look like it was."""
    workshop.kata(
        """
        import pytest

        @pytest.mark.parametrize("argument", [object(), {1, 2}.pop, (n for n in "ab")])
        def test_not_encodable(kata, timeline, queue_size, argument):
            with pytest.raises(Exception):
                kata.add.delay(argument, 1)
            assert not timeline.sent()
            assert [e.published for e in timeline.events("sent")] == [False]
            assert queue_size("celery") == 0

        def test_one_of_two_is_not_encodable(kata, timeline):
            kata.add.delay(1, 2)
            with pytest.raises(Exception):
                kata.add.delay(object(), 2)
            assert [e.args for e in timeline.sent()] == [(1, 2)]

        def test_a_direct_call(kata, timeline):
            assert kata.add(1, 2) == 3
            assert kata.add.run(1, 2) == 3
            assert not timeline.events()

        def test_eager(kata, eager, timeline):
            assert kata.add.delay(1, 2).get() == 3
            assert [e.eager for e in timeline.started()] == [True]
            assert not timeline.sent()

        def test_apply(kata, celery_worker, timeline):
            assert kata.add.apply((1, 2)).get() == 3
            assert [e.eager for e in timeline.started()] == [True]
        """,
        MORE_TASKS,
    )
    workshop.passes(7)


def test_who_reads_a_result(workshop: Workshop) -> None:
    """A look at a result and a wait for it are two kinds of events, each told once."""
    workshop.kata(
        """
        import pytest

        def test_get(kata, celery_worker, timeline):
            assert kata.add_and_get() == 3
            assert [e.id for e in timeline.waits()] == [timeline.sent()[0].id]
            assert timeline.waits()[0].reader is None
            assert not timeline.looks()

        def test_looking(kata, timeline):
            assert kata.add_and_look() == (False, "PENDING", False)
            assert [e.id for e in timeline.looks()] == [timeline.sent()[0].id]
            assert not timeline.waits()

        def test_a_loop_of_looks(kata, timeline):
            with pytest.raises(AssertionError, match="waits for the result"):
                kata.add_and_poll()
            assert [e.kind for e in timeline.reads()] == ["look", "wait"]

        def test_join(kata, celery_worker, timeline):
            assert kata.add_in_a_group() == [1, 2, 3]
            assert {e.id for e in timeline.waits()} == {e.id for e in timeline.sent()}
            assert len(timeline.waits()) == 3

        def test_the_test_itself(kata, celery_worker, timeline):
            result = kata.add.delay(1, 2)
            assert (result.get(), result.ready(), result.state) == (3, True, "SUCCESS")
            assert not timeline.reads()
        """,
        MORE_TASKS,
    )
    workshop.passes(5)


def test_what_a_task_says_of_itself(workshop: Workshop) -> None:
    """`update_state` is an event, in a worker and eagerly, with state and value."""
    workshop.kata(
        """
        import pytest

        @pytest.mark.parametrize("fixture", ["celery_worker", "eager"])
        def test_it(kata, request, fixture, timeline):
            request.getfixturevalue(fixture)
            kata.climb.delay(3).get()
            assert [(e.state, e.meta) for e in timeline.updates("tasks.climb")] == [
                ("CLIMBING", {"at": n}) for n in range(3)
            ]
        """,
        TASKS
        + "\n\n@app.task(bind=True)\ndef climb(self, steps):\n    for n in range(steps):\n"
        + "        self.update_state(state='CLIMBING', meta={'at': n})\n",
    )
    workshop.passes(2)
