"""Real worker processes: their events arrive, their end is noticed, and none is left."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

PROCESSES = Path("/proc")
PATIENT = "--timeout=60"  # a worker needs some seconds to start on a busy machine

MORE_TASKS = (
    TASKS
    + """
import os, signal, sys


@app.task
def pids():
    return os.getpid(), os.getppid()


@app.task
def never_ends():
    while True:
        signal.pause()


@app.task
def die():
    os._exit(3)


@app.task(bind=True)
def kill_everybody(self):
    os.killpg(0, signal.SIGKILL)


@app.task(acks_late=True, reject_on_worker_lost=True)
def die_once(path):
    if not os.path.exists(path):
        open(path, "w").close()
        os._exit(3)
    return "second time"


if "--pool=threads" in sys.argv:
    raise ValueError("no threads here")
"""
)


def left_over(workshop: Workshop) -> list[str]:
    """The command lines of worker processes of this workshop that still run."""
    lines = []
    for process in PROCESSES.glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has ended meanwhile
            continue
    return [
        line for line in lines if "dojo.running.workers" in line and str(workshop.folder) in line
    ]


@pytest.mark.skipif(not PROCESSES.is_dir(), reason="looks for processes in /proc")
def test_processes_work_and_end(workshop: Workshop) -> None:
    """Workers run tasks in processes of their own, tell what they do, and end with the test."""
    workshop.kata(
        """
        import os

        def test_another_process(kata, workers, timeline, settle):
            worker = workers()
            child, parent = kata.pids.delay().get()
            assert parent == worker.pid != os.getpid()
            settle()
            events = timeline.events()
            assert [e.kind for e in events] == [
                "ready", "sent", "received", "started", "succeeded", "finished"
            ]
            assert [e.pid for e in events] == [
                worker.pid, os.getpid(), worker.pid, child, child, child
            ]
            assert {e.worker for e in events if e.kind != "sent"} == {worker.name}

        def test_two_queues(kata, workers, timeline, settle):
            mail, image = workers(queues="mail"), workers(queues="image")
            for queue in ("mail", "image", "image"):
                kata.add.apply_async((1, 2), queue=queue)
            kata.add.delay(1, 2)
            settle()
            ran = [e.worker for e in timeline.started()]
            assert sorted(ran) == sorted([mail.name, image.name, image.name])

        def test_left_running(kata, workers, timeline, watch):
            workers(concurrency=2)
            kata.add.apply_async((1, 2), countdown=3600)
            kata.never_ends.delay()
            assert watch.until(lambda: timeline.started("tasks.never_ends"))
        """,
        MORE_TASKS,
    )
    workshop.passes(3, PATIENT)
    assert left_over(workshop) == []


@pytest.mark.skipif(not PROCESSES.is_dir(), reason="looks for processes in /proc")
def test_a_killed_run_leaves_no_worker(workshop: Workshop) -> None:
    """Workers end by themselves when the whole test run is killed."""
    workshop.kata(
        """
        import os, signal

        def test_killed(kata, workers):
            workers(concurrency=2)
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        MORE_TASKS,
    )
    workshop.run()
    pause = threading.Event()
    while left_over(workshop):  # the hang guard of this test ends a loop that never ends
        pause.wait(0.05)


def test_a_process_that_dies(workshop: Workshop) -> None:
    """A task whose process dies ends the wait: by its error, or because nobody runs it again."""
    workshop.kata(
        """
        import pytest
        from billiard.exceptions import WorkerLostError

        def test_the_child_dies(kata, workers, settle):
            workers()
            result = kata.die.delay()
            settle()
            with pytest.raises(WorkerLostError):
                result.get()

        def test_the_worker_dies(kata, workers, settle):
            worker = workers()
            result = kata.kill_everybody.delay()
            with pytest.raises(AssertionError, match="was running when its worker ended"):
                result.get()
            settle()
            assert not worker.alive()

        def test_another_worker_lives(kata, workers, timeline):
            workers(queues="mail")
            workers(queues="celery,mail")
            result = kata.kill_everybody.apply_async(queue="celery")
            with pytest.raises(AssertionError, match="was running when its worker ended"):
                result.get()
            assert kata.add.apply_async((1, 2), queue="mail").get() == 3

        def test_it_is_run_again(kata, workers, tmp_path, timeline):
            workers()
            assert kata.die_once.delay(str(tmp_path / "died")).get() == "second time"
            assert len(timeline.started()) == 2

        def test_killed_by_the_test(kata, workers):
            workers().kill()
            with pytest.raises(AssertionError, match="in queue 'celery', and no worker is running"):
                kata.add.delay(1, 2).get()
        """,
        MORE_TASKS,
    )
    workshop.passes(5, PATIENT)


def test_a_worker_that_cannot_start(workshop: Workshop) -> None:
    """It is told at once, with what the worker said at last, and without frames of ours."""
    workshop.kata(
        """
        def test_bad_option(kata, workers):
            workers(pool="nonsense")

        def test_bad_import(kata, workers):
            workers(pool="threads")
        """,
        MORE_TASKS,
    )
    result = workshop.run(PATIENT)
    result.assert_outcomes(failed=2)
    output = result.stdout.str()
    assert output.count("The worker stopped before it was ready. It said:") == 2
    assert "'nonsense' is not one of " in output
    last = MORE_TASKS.count("\n")
    assert f"katas/99_sample/tasks.py, line {last}: importing this file fails. ValueError" in output
    assert "dojo" not in output
    assert "site-packages" not in output
