"""The timeline as a drawing in text, under a failure."""

from __future__ import annotations

import pytest

from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)


def test_lanes(workshop: Workshop) -> None:
    """The drawing has a lane for each worker; it tells who sent a message, and the retries."""
    workshop.kata(
        """
        def test_it(kata, start_worker, skip_countdowns, settle):
            start_worker(queues="celery")
            start_worker(queues="mail")
            kata.again.delay()
            settle()
            assert False
        """,
        TASKS
        + """
@app.task(bind=True)
def again(self):
    if not self.request.retries:
        raise self.retry(countdown=7)
    add.apply_async((1, 2), queue="mail")
""",
    )
    result = workshop.run()
    result.stdout.fnmatch_lines(
        [
            "         ms  caller     worker 1   worker 2",
            "    *  sent       |          |          tasks.again to queue 'celery'",
            "    *  |          started    |          tasks.again",
            "    *  |          sent       |          tasks.again to queue 'celery', due in 7 s",
            "    *  |          retried    |          tasks.again: Retry in 7s",
            "    *  |          started    |          tasks.again (retry 1)",
            "    *  |          sent       |          tasks.add(1, 2) to *'mail', by tasks.again",
            "    *  |          |          started    tasks.add(1, 2)",
        ]
    )


@pytest.mark.parametrize("on_ci", [False, True])
def test_a_long_timeline_is_cut(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, on_ci: bool
) -> None:
    """A failure has at most 25 lines or so, whatever happened, and also where pytest says more."""
    if on_ci:
        monkeypatch.setenv("CI", "true")
    workshop.kata(
        """
        import pytest

        @pytest.mark.todo(1)
        def test_it(kata, celery_worker, settle):
            for n in range(50):
                kata.add.delay(n, n)
            settle()
            assert [1, 2] == list(range(1000))
        """
    )
    result = workshop.run()
    result.stdout.fnmatch_lines(["* … 140 more …"])
    start, end = (
        next(n for n, line in enumerate(result.outlines) if text in line)
        for text in ("___ test_it ___", "- katas -")
    )
    assert end - start <= 28
