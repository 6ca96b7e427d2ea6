"""Code that does not come to an end: it is told in seconds, once, and stopped."""

from __future__ import annotations

import re

import pytest

from tests.test_hostile import DIRECTLY, IN_A_PROCESS, ON_A_WORKER, QUOTE, told
from tests.workshop import TASKS, Workshop

pytestmark = pytest.mark.timeout(300)

LINE = TASKS.count("\n")
ENDLESS = "has not come to an end: no task was sent, begun or ended for "
NOT_RUN = "Until that is mended, the other tests of this file are not run."
TWO_MORE = '''
    import pytest

    def test_second(kata, {0}):
        """The second requirement."""
        assert kata.quote.delay(3).get() == 6

    @pytest.mark.worker(concurrency=2)
    def test_third(kata, celery_worker):
        """The third requirement."""
        assert kata.quote.delay(3).get() == 6
'''
WAITS = [
    "while True: pass",
    "threading.Event().wait()",
    "time.sleep(10**6)",
    "queue.Queue().get()",
]
STUBBORN = """while True:
        try: time.sleep(1)
        except: pass"""
IMPORTS = "import queue, threading, time\n"


@pytest.mark.parametrize("wait", ["while True: pass", "app.worker_main(['worker'])"])
def test_an_import(workshop: Workshop, wait: str) -> None:
    """An import that never ends is told with its line, and not tried again."""
    tests = DIRECTLY + TWO_MORE.format("eager")
    output = told(workshop, f"{IMPORTS}{wait}\n", tests, "-W", "ignore")
    place = f"katas/97_sample/tasks.py, line {LINE + 2}: importing this file fails. "
    assert output.count(f"{place}Your code {ENDLESS}5 seconds.") == 1
    assert output.count(wait) == 1


@pytest.mark.parametrize("wait", [*WAITS, STUBBORN])
def test_a_function(workshop: Workshop, wait: str) -> None:
    """A function that never ends is told with its line; the tests after it are not run."""
    tests = DIRECTLY + TWO_MORE.format("eager")
    output = told(workshop, f"{IMPORTS}{QUOTE}    {wait}\n", tests)
    assert re.search(r"97_sample .* 0 of +3  1 to go, 2 did not run$", output, re.M)
    assert output.count(f"Your code {ENDLESS}5 seconds.") == 1
    assert output.count(NOT_RUN) == 1
    assert any(line.strip() in output for line in wait.splitlines())  # it is in one of them


@pytest.mark.parametrize(
    ("wait", "concurrency"), [*((wait, 1) for wait in WAITS), (WAITS[0], 2)], ids=str
)
def test_a_task(workshop: Workshop, wait: str, concurrency: int) -> None:
    """A task that never ends is told with its line; the tests after it are not run."""
    mark = f"    import pytest\n    pytestmark = pytest.mark.worker(concurrency={concurrency})\n"
    tests = mark + ON_A_WORKER + TWO_MORE.format("celery_worker")
    output = told(workshop, f"{IMPORTS}{QUOTE}    {wait}\n", tests)
    assert output.count(f"tasks.quote(2) {ENDLESS}5 seconds.") == 1
    assert output.count(NOT_RUN) == 1
    assert wait in output


def test_a_function_while_a_task_waits(workshop: Workshop) -> None:
    """A loop of the caller is told, although a task waits meanwhile for the caller."""
    tests = """
        def test_it(kata, celery_worker):
            kata.wait.delay()
            kata.watch()
    """
    code = (
        "GO = threading.Event()\n\n@app.task\ndef wait():\n    GO.wait()\n\n"
        "def watch():\n    while not GO.is_set(): pass\n"
    )
    output = told(workshop, IMPORTS + code, tests)
    assert f"Your code {ENDLESS}" in output
    assert "while not GO.is_set(): pass" in output


def test_a_task_that_nobody_waits_for(workshop: Workshop) -> None:
    """A task that still runs when its test is over is stopped, and the others are told."""
    tests = '''
        def test_first(kata, celery_worker, timeline, watch):
            """The first requirement."""
            kata.quote.delay(2)
            assert watch.until(timeline.started)

        def test_second(kata, eager):
            """The second requirement."""
    '''
    output = told(workshop, f"{QUOTE}    while True: pass\n", tests)
    assert re.search(r"97_sample .* 1 of +2  1 did not run$", output, re.M)
    assert output.count(f"tasks.quote(2) {ENDLESS}5 seconds.") == 1


def test_a_task_in_a_process(workshop: Workshop) -> None:
    """A task that never ends in a worker process is told, too."""
    added = f"{QUOTE}    while True: pass\n"
    output = told(workshop, added, IN_A_PROCESS, "--timeout=60")
    assert f"tasks.quote(2) {ENDLESS}7 seconds." in output


@pytest.mark.parametrize(
    "storm",
    [
        f"{QUOTE}    quote.delay(x)\n",
        "@app.task(bind=True, max_retries=None)\n"
        "def quote(self, x):\n    self.retry(countdown=0)\n",
        f"{QUOTE}    while True: add.delay(x, x)\n",
        "from celery import chord\n"
        "\n@app.task\ndef quote(*x):\n    chord([add.s(1, 1)])(quote.s())\n",
    ],
    ids=["sends_itself", "retries", "sends_others", "chord"],
)
def test_a_storm(workshop: Workshop, storm: str) -> None:
    """Messages without end are counted, and the test does not wait for the last one."""
    tests = '''
        def test_first(kata, celery_worker, settle):
            """The first requirement."""
            kata.quote.delay(2)
            settle()

        def test_second(kata, celery_worker, settle):
            """The second requirement."""
            kata.quote.delay(2)
            settle()
    '''
    output = told(workshop, storm, tests, "--timeout=100")  # it is long on a busy machine
    assert output.count("times in this test, and there is no end to it.") == 1
    assert output.count(NOT_RUN) == 1


def test_who_waits_rightly(workshop: Workshop) -> None:
    """Neither a task that is held, nor a test that waits for one, is taken for endless."""
    tests = '''
        import threading

        def test_first(kata, celery_worker, hold, monkeypatch):
            """The first requirement."""
            from dojo.safety import guard
            monkeypatch.setattr(guard, "PATIENCE", 25)
            monkeypatch.setattr(guard, "TICK", 0.01)
            looks = iter(range(100))
            hold("tasks.add", until=lambda: next(looks, None) is None)
            assert kata.add.delay(1, 2).get() == 3
    '''
    assert re.search(r"97_sample .* 1 of +1  done$", told(workshop, "", tests), re.M)
